package afpacket

import (
	"os"
	"testing"

	"golang.org/x/net/bpf"

	"github.com/pktstat/pktstat/internal/count/packet"
	"github.com/pktstat/pktstat/internal/test/corpus"
)

// TestFilter runs the filters on the corpus: the kernel copies all that the parser reads, and
// drops no packet.
func TestFilter(t *testing.T) {
	cases, err := corpus.Load()
	if err != nil {
		t.Fatal(err)
	}
	vms := map[bool]*bpf.VM{}
	for _, raw := range []bool{false, true} {
		if vms[raw], err = bpf.NewVM(take(0, raw)); err != nil {
			t.Fatal(err)
		}
	}
	ext := 0
	for i := range cases {
		c := &cases[i]
		var f packet.Frame
		c.Frame(&f)
		if f.LinkLen != 0 || f.Len != len(f.Data) || len(f.Data) == 0 {
			continue // packet sockets do not see such packets
		}
		n, err := vms[f.Raw].Run(f.Data)
		if err != nil || n != snapLen && n != snapLenExt {
			t.Errorf("%s: %d bytes are copied: %v", c.Name, n, err)
		}
		if n == snapLenExt {
			ext++
		}
		f.Data = f.Data[:min(n, len(f.Data))]
		got := c.Want
		packet.Parse(&f, &got)
		if got.Key != c.Want.Key || got.Counters != c.Want.Counters {
			t.Errorf("%s: of %d bytes counted %+v %+v, want %+v %+v", c.Name, n,
				got.Key.Key(), got.Counters, c.Want.Key.Key(), c.Want.Counters)
		}
	}
	if ext == 0 {
		t.Error("no packet has extension headers")
	}
}

func TestLayout(t *testing.T) {
	for _, c := range []config{{}, {rings: 1}, {rings: maxRings}, {ringSize: 1}, {rings: 64, ringSize: 1}, {ringSize: maxRingSize}, {snapLen: maxSnapLen}} {
		for _, interfaces := range []int{1, 4, 100, 1000, 100_000} {
			l := c.layout(interfaces)
			size := l.rings * l.blocks * l.blockSize
			want := c.ringSize << 20
			if want == 0 {
				want = max(minSize, min(defaultSize, allSizes/interfaces))
			}
			// Two blocks are the least that a ring can have.
			if c.rings == 0 && (size > max(want, l.rings*2*l.blockSize) || size <= want-l.rings*l.blockSize) || l.rings < 1 || l.blocks < 2 {
				t.Errorf("%+v on %d interfaces: %+v: %d bytes, want %d", c, interfaces, l, size, want)
			}
			if c.rings != 0 && l.rings != c.rings {
				t.Errorf("%+v: %d rings", c, l.rings)
			}
			if l.blockSize < 2*c.snapLen || l.blockSize%os.Getpagesize() != 0 {
				t.Errorf("%+v: blocks of %d bytes", c, l.blockSize)
			}
		}
	}
}

// TestMemoryOfManyInterfaces: the memory of all rings has a bound that does not depend on the
// number of interfaces.
func TestMemoryOfManyInterfaces(t *testing.T) {
	for _, interfaces := range []int{5, 60, 64, 100, 250, 600, 1200, 1500} {
		l := (&config{}).layout(interfaces)
		if all := interfaces * l.rings * l.blocks * l.blockSize; all > allSizes || 4*all < 3*allSizes && interfaces > defaultSize/minSize {
			t.Errorf("%d interfaces: %+v each: %d KiB, bound %d KiB", interfaces, l, all>>10, allSizes>>10)
		}
	}
}
