package process

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"unsafe"

	"github.com/cilium/ebpf/btf"
)

// TestLayout compares the Go structs with the structs of bpf/process.h, as the object's BTF
// describes them.
func TestLayout(t *testing.T) {
	spec, err := loadProcess()
	if err != nil {
		t.Fatal(err)
	}
	var u user
	if m := spec.Maps["users"]; m.KeySize != 8 || uintptr(m.ValueSize) != unsafe.Sizeof(u) {
		t.Errorf("users has keys of %d and values of %d bytes", m.KeySize, m.ValueSize)
	}
	for name, v := range map[string]any{"sock_event": event{}, "owner": bpfOwner{}, "user": user{}} {
		var s *btf.Struct
		if err := spec.Types.TypeByName(name, &s); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		inC, inGo := map[string]string{}, map[string]string{}
		for _, m := range s.Members {
			size, err := btf.Sizeof(m.Type)
			if err != nil {
				t.Fatalf("%s.%s: %v", name, m.Name, err)
			}
			if m.Name != "pad" {
				inC[m.Name] = fmt.Sprintf("%d bytes at %d", size, m.Offset.Bytes())
			}
		}
		typ := reflect.TypeOf(v)
		for i := range typ.NumField() {
			if f := typ.Field(i); f.Name != "_" {
				inGo[strings.ToLower(f.Name)] = fmt.Sprintf("%d bytes at %d", f.Type.Size(), f.Offset)
			}
		}
		if !reflect.DeepEqual(inC, inGo) || uintptr(s.Size) != typ.Size() {
			t.Errorf("%s: in C %d bytes, %v\nin Go %d bytes, %v", name, s.Size, inC, typ.Size(), inGo)
		}
	}
}

// TestNumbers: C and Go have the same enumerations.
func TestNumbers(t *testing.T) {
	spec, err := loadProcess()
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]uint64{
		"BY_NOTHING": uint64(byNothing), "BY_RELEASE": uint64(byRelease), "BY_CREATE": uint64(byCreate), "BY_HOLDING": uint64(byHolding), "BY_USE": uint64(byUse),
		"EVENT_HELD": uint64(eventHeld), "EVENT_USED": uint64(eventUsed), "EVENT_OPENED": uint64(eventOpened), "EVENT_RELEASED": uint64(eventReleased),
		"EVENT_GOT": uint64(eventGot), "EVENT_EXECUTED": uint64(eventExecuted), "EVENT_FORKED": uint64(eventForked),
	}
	for _, name := range []string{"evidence", "event_kind"} {
		var e *btf.Enum
		if err := spec.Types.TypeByName(name, &e); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for _, v := range e.Values {
			if got, ok := want[v.Name]; !ok || got != v.Value {
				t.Errorf("%s is %d in C, %d in Go", v.Name, v.Value, got)
			}
			delete(want, v.Name)
		}
	}
	if len(want) != 0 {
		t.Errorf("not in C: %v", want)
	}
}
