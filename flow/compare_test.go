package flow

import (
	"reflect"
	"testing"
)

// TestCompare: two keys that differ in one byte of one field do not compare as equal.
func TestCompare(t *testing.T) {
	var p Packed
	if p.Compare(&p) != 0 {
		t.Error("a key differs from itself")
	}
	fields := reflect.TypeFor[Packed]()
	for i := range fields.NumField() {
		f := fields.Field(i)
		for b := range f.Type.Size() {
			var q Packed
			(*[56]byte)(q.bytes())[f.Offset+b] = 1
			if p.Compare(&q) != -1 || q.Compare(&p) != 1 {
				t.Errorf("byte %d of %s does not change the order", b, f.Name)
			}
		}
	}
}

// TestCompareOrder: addresses and ports are in numerical order.
func TestCompareOrder(t *testing.T) {
	key := func(src, dst string) Packed { return Pack(Key{Src: ap(src), Dst: ap(dst), Proto: TCP}) }
	ordered := []Packed{
		key("9.0.0.1:443", "10.0.0.1:5"), key("10.0.0.1:80", "10.0.0.1:5"), key("10.0.0.1:80", "10.0.0.2:5"),
		key("10.0.0.1:443", "10.0.0.2:5"), key("[2001:db8::1]:1", "[2001:db8::2]:1"),
	}
	for i := range ordered {
		for j := range ordered {
			if got := ordered[i].Compare(&ordered[j]); got < 0 != (i < j) || got > 0 != (i > j) {
				t.Errorf("%d against %d: %d", i, j, got)
			}
		}
	}
}
