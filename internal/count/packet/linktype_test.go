package packet_test

import (
	"testing"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/count/packet"
)

func TestLinkTypes(t *testing.T) {
	for l, name := range map[packet.LinkType]string{
		0: "NULL", 1: "ETHERNET", 101: "RAW", 108: "LOOP", 113: "LINUX_SLL",
		228: "IPV4", 229: "IPV6", 276: "LINUX_SLL2",
	} {
		if !l.Supported() || l.String() != name {
			t.Errorf("%d: Supported() = %v, String() = %q, want %q", l, l.Supported(), l, name)
		}
		var f packet.Frame
		if !l.Frame(nil, 0, &f) {
			t.Errorf("%v: Frame() = false", l)
		}
	}
}

func TestUnknownLinkType(t *testing.T) {
	for _, l := range []packet.LinkType{2, 105, 127, 1 << 16, 1<<28 | 1} {
		f := packet.Frame{Len: 7, TCI: 9}
		if l.Supported() || l.Frame(make([]byte, 60), 60, &f) || f.Len != 7 || f.TCI != 9 {
			t.Errorf("%v is taken for a known link type: %+v", l, f)
		}
	}
	if got := packet.LinkType(127).String(); got != "linktype 127" {
		t.Errorf("String() = %q", got)
	}
}

// Every field of a reused Frame is set.
func TestFrameIsReset(t *testing.T) {
	for _, l := range []packet.LinkType{0, 1, 101, 108, 113, 228, 229, 276} {
		for _, data := range [][]byte{nil, make([]byte, 60)} {
			f := packet.Frame{
				Data: []byte{1}, Len: 1, Raw: l == packet.LinkTypeEthernet, EtherType: 1, LinkLen: 1,
				Tagged: true, TCI: 1, Segments: 1,
			}
			var fresh packet.Frame
			l.Frame(data, len(data), &f)
			l.Frame(data, len(data), &fresh)
			if len(f.Data) != len(fresh.Data) || f.Len != fresh.Len || f.Raw != fresh.Raw || f.EtherType != fresh.EtherType ||
				f.LinkLen != fresh.LinkLen || f.Tagged || f.TCI != 0 || f.Segments != 0 {
				t.Errorf("%v: %+v, want %+v", l, f, fresh)
			}
		}
	}
}

// Some writers leave the original length 0.
func TestOrigLenBelowCaptured(t *testing.T) {
	data := make([]byte, 60)
	for _, l := range []packet.LinkType{packet.LinkTypeEthernet, packet.LinkTypeRaw} {
		var f packet.Frame
		var r flow.Record
		l.Frame(data, 0, &f)
		packet.Parse(&f, &r)
		if r.FrameBytes != 60 {
			t.Errorf("%v: %d frame bytes of 60", l, r.FrameBytes)
		}
	}
}
