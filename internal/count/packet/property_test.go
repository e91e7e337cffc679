package packet_test

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/count/packet"
	"github.com/pktstat/pktstat/internal/test/corpus"
)

// check parses f and returns an error if the result breaks a rule that holds for every packet.
func check(f *packet.Frame) error {
	r := dirty()
	packet.Parse(f, &r)
	k := r.Key.Key()
	isIP := k.EtherType == 0
	outside := 0
	if f.Tagged {
		outside = 4
	}
	switch {
	case r.First != 15 || r.Last != 16:
		return fmt.Errorf("times changed: %+v", r)
	case k.Dir != 0 || k.Ifindex != 0 || k.NetNS != 0 || k.OwnerID != 0:
		return fmt.Errorf("the caller's fields are not 0: %+v", k)
	case flow.Pack(k) != r.Key:
		return fmt.Errorf("key differs from flow.Pack: %+v, %+v", r.Key, flow.Pack(k))
	case r.Packets != uint64(max(1, f.Segments)):
		return fmt.Errorf("%d packets of %d segments", r.Packets, f.Segments)
	case isIP != (r.Bytes > 0) && f.Segments <= 1:
		return fmt.Errorf("ethertype %v and %d bytes", k.EtherType, r.Bytes)
	case isIP != (r.Key.Family != flow.FamilyNone) && k.EtherType != flow.EtherTypeARP:
		return fmt.Errorf("ethertype %v and family %d", k.EtherType, r.Key.Family)
	case k.VLAN > 0xfff:
		return fmt.Errorf("vlan %d", k.VLAN)
	}
	if f.Segments > 1 {
		return nil
	}
	whole := uint64(f.Len + f.LinkLen + outside)
	switch {
	case r.Bytes > uint64(f.Len):
		return fmt.Errorf("%d bytes of a packet of %d", r.Bytes, f.Len)
	case (!f.Raw || f.LinkLen > 0 || !isIP) && r.FrameBytes != whole:
		return fmt.Errorf("%d frame bytes of %d", r.FrameBytes, whole)
	case r.FrameBytes > whole || r.FrameBytes < r.Bytes+uint64(outside):
		return fmt.Errorf("%d frame bytes of %d, %d bytes", r.FrameBytes, whole, r.Bytes)
	}

	// The result must not depend on bytes after the captured ones.
	more := *f
	more.Data = bytes.Join([][]byte{f.Data, bytes.Repeat([]byte{0x11}, 64)}, nil)[:len(f.Data)]
	again := dirty()
	packet.Parse(&more, &again)
	if again != r {
		return fmt.Errorf("depends on bytes after the packet: %+v, %+v", r, again)
	}
	return nil
}

// exact returns a copy of d with capacity len(d), so that reading past it panics.
func exact(d []byte) []byte {
	return append(make([]byte, 0, len(d)), d...)[:len(d):len(d)]
}

// variants calls do with the case as captured, with a tag that the kernel keeps, and with
// segments.
func variants(l packet.LinkType, data []byte, origLen int, do func(*packet.Frame)) {
	var f packet.Frame
	if !l.Frame(data, origLen, &f) {
		return
	}
	do(&f)
	f.Tagged, f.TCI = true, 0xf00a
	do(&f)
	f.Segments = 3
	do(&f)
	f.Tagged = false
	do(&f)
}

// everything returns the corpus and the frames of other link types.
func everything(tb testing.TB) []corpus.Case {
	tb.Helper()
	all := cases(tb)
	for _, l := range linkFrames() {
		all = append(all, corpus.Case{Name: fmt.Sprintf("%v %s", l.link, l.name), LinkType: l.link, Data: l.captured(), OrigLen: len(l.data)})
	}
	return all
}

func TestTruncated(t *testing.T) {
	for _, c := range everything(t) {
		for n := range min(len(c.Data), 200) {
			for _, origLen := range []int{n, c.OrigLen} {
				variants(c.LinkType, exact(c.Data[:n]), origLen, func(f *packet.Frame) {
					if err := check(f); err != nil {
						t.Fatalf("%s: first %d bytes of %d: %v", c.Name, n, origLen, err)
					}
				})
			}
		}
	}
}

func TestMutated(t *testing.T) {
	for _, c := range everything(t) {
		data := exact(c.Data)
		for i := range min(len(data), 160) {
			old := data[i]
			for v := range 256 {
				if testing.Short() && v%16 != 0 && v%16 != 15 {
					continue
				}
				data[i] = byte(v)
				var f packet.Frame
				c.LinkType.Frame(data, c.OrigLen, &f)
				f.Tagged, f.TCI, f.Segments = c.Tagged, c.TCI, c.Segments
				if err := check(&f); err != nil {
					t.Fatalf("%s: byte %d = %#x: %v", c.Name, i, v, err)
				}
			}
			data[i] = old
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, c := range everything(f) {
		f.Add(c.Data, uint32(c.LinkType), uint32(c.OrigLen-len(c.Data)), c.Tagged, c.TCI, uint16(c.Segments))
	}
	f.Fuzz(func(t *testing.T, data []byte, link, more uint32, tagged bool, tci, segments uint16) {
		var frame packet.Frame
		if !packet.LinkType(link).Frame(exact(data), len(data)+int(more), &frame) {
			return
		}
		frame.Tagged, frame.TCI, frame.Segments = tagged, tci, int(segments)
		if err := check(&frame); err != nil {
			t.Fatal(err)
		}
	})
}

// TestOneHeaderMore: another header changes frame_bytes, and the VLAN if it is a tag.
func TestOneHeaderMore(t *testing.T) {
	ran := 0
	for _, h := range []struct {
		etherType uint16
		header    []byte // bytes up to the type of the next header
		vlan      bool
	}{
		{0x8100, []byte{0, 9}, true},
		{0x9100, []byte{0xf0, 9}, true},
		{0x8909, []byte{1, 1, 0, 1, 0, 100}, false},
		{0xd28b, []byte{0, 1, 1, 0x10, 1, 2, 3, 4, 5, 6, 7, 8}, false},
		{0xd28b, []byte{0, 1, 0, 0x20, 1, 2, 3, 4, 5, 6}, false},
		{0x88e7, bytes.Repeat([]byte{0x45}, 16), false},
		{0x894f, append([]byte{0xf, 0xc6, 1, 3}, make([]byte, 20+12)...), false},
	} {
		for _, c := range cases(t) {
			if c.LinkType != packet.LinkTypeEthernet || len(c.Data) < 14 || c.Rule == "before 2" {
				continue // the ninth header has other effects
			}
			want := c.Want
			more := 2 + len(h.header)
			want.FrameBytes += uint64(more) * want.Packets
			if h.vlan && !c.Tagged {
				want.Key.VLAN = 9
			}
			var f packet.Frame
			c.Frame(&f)
			f.Data = slices.Concat(c.Data[:12], []byte{byte(h.etherType >> 8), byte(h.etherType)}, h.header, c.Data[12:])
			f.Len += more
			got := flow.Record{}
			packet.Parse(&f, &got)
			if got != want {
				t.Errorf("%s behind %#x: %+v %+v, want %+v %+v", c.Name, h.etherType,
					got.Key.Key(), got.Counters, want.Key.Key(), want.Counters)
			}
			ran++
		}
	}
	if ran < 1000 {
		t.Errorf("only %d frames: is the corpus missing?", ran)
	}
}

func TestNoAllocation(t *testing.T) {
	all := everything(t)
	var f packet.Frame
	var r flow.Record
	if n := testing.AllocsPerRun(10, func() {
		for i := range all {
			all[i].Frame(&f)
			packet.Parse(&f, &r)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
