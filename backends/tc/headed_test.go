package tc

import (
	"testing"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/count/packet"
	"github.com/pktstat/pktstat/internal/kernel/bpfflow"
	"github.com/pktstat/pktstat/internal/test/corpus"
	"github.com/pktstat/pktstat/internal/test/testenv"
)

// TestHeaded gives IP packets to the program for interfaces without a link header. They come
// behind the Ethernet header that IPsec tunnels leave there: it does not count.
func TestHeaded(t *testing.T) {
	testenv.Privileged(t)
	cases, err := corpus.Load()
	if err != nil {
		t.Fatal(err)
	}
	table := loadTable(t, bpfflow.Options{MaxFlows: 1})
	kernel := newTaster(t)
	ran := 0
	for i := range cases {
		c := &cases[i]
		var f packet.Frame
		c.Frame(&f)
		want := c.Want
		k := want.Key.Key()
		if f.Raw || f.Tagged || f.LinkLen != 0 || f.Len != len(f.Data) || !k.Src.IsValid() || k.Proto == 0 || k.VLAN != 0 || kernel.refuses(t, f.Data) {
			continue
		}
		ctx := skbContext{}
		if f.Segments > 1 {
			ctx = skbContext{segments: uint32(f.Segments), segmentSize: 1000}
		}
		for _, first := range []byte{0x02, 0x45, 0x62} { // IPv4 and IPv6 begin like that
			t.Run(c.Name, func(t *testing.T) {
				data := append([]byte{first}, f.Data[1:]...)
				run(t, table.Programs[programName(flow.Ingress, true)], data, ctx)
				r := want
				r.Key.Dir, r.Key.Ifindex = flow.Ingress, 1
				r.FrameBytes = r.Bytes
				expect(t, table, r)
			})
		}
		ran++
	}
	if ran < 30 {
		t.Errorf("only %d packets: is the corpus there?", ran)
	}
}
