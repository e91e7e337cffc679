package bench

import (
	"testing"

	"github.com/pktstat/pktstat/flow"
	pkt "github.com/pktstat/pktstat/internal/count/packet"
)

// TestFrame: the parser finds in each frame what the frame's name promises.
func TestFrame(t *testing.T) {
	for _, p := range packets {
		for _, size := range frameSizes {
			b := p.frame(size)
			if len(b) < size || len(b) > size+64 {
				t.Errorf("%s: %d bytes, asked for %d", p.name, len(b), size)
			}
			var r flow.Record
			pkt.Parse(&pkt.Frame{Data: b, Len: len(b)}, &r)
			k := r.Key.Key()
			if k.EtherType != 0 && p.etherType != typeARP {
				t.Errorf("%s: parsed as ethertype %v", p.name, k.EtherType)
			}
			if p.etherType == typeARP {
				if k.Protocol() != "ARP" || k.Subtype != 1 {
					t.Errorf("%s: parsed as %s, operation %d", p.name, k.Protocol(), k.Subtype)
				}
				continue
			}
			if k.Proto != flow.Proto(p.proto) {
				t.Errorf("%s: parsed as %v", p.name, k.Proto)
			}
			if k.HasPorts() && (k.Src.Port() != 40000 || k.Dst.Port() != 9) {
				t.Errorf("%s: ports %d and %d", p.name, k.Src.Port(), k.Dst.Port())
			}
			if want := len(p.tags) > 0; (k.VLAN == 100) != want {
				t.Errorf("%s: VLAN %d", p.name, k.VLAN)
			}
			before := max(0, len(p.before)-2) // its type is in the Ethernet header of 14 bytes
			if want := uint64(len(b) - 14 - 4*len(p.tags) - before); r.Bytes != want || r.FrameBytes != uint64(len(b)) {
				t.Errorf("%s: %d bytes in a frame of %d, want %d in %d", p.name, r.Bytes, r.FrameBytes, want, len(b))
			}
		}
	}
}
