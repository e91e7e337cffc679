package tc

import (
	"strings"
	"testing"

	_ "github.com/pktstat/pktstat/backends/xdp" // runs before tc
	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/test/corpus"
	"github.com/pktstat/pktstat/internal/test/livetest"
	"github.com/pktstat/pktstat/internal/test/testenv"
	"github.com/pktstat/pktstat/internal/test/testnet"
)

// TestMPLSSegments is TestSegments with two labels, which each segment repeats.
func TestMPLSSegments(t *testing.T) {
	testenv.Machine(t) // other kernels may lack MPLS
	a, b := testnet.Pair(t, testnet.Link{})
	testnet.MPLS(t, a, b)
	out, in := livetest.Open(t, "tc", args(methodAuto), a), livetest.Open(t, "tc", args(methodAuto), b)
	largest := watchLargest(t, a)
	ethtool(t, a, "gso", "on")
	before := b.Settle()
	there, back := testnet.SendTCP(t, a, b, testnet.TCP{Request: 20 << 20, Reply: 100_000})
	stats := b.Settle().Minus(before)
	sent, got := out.Records(), in.Records()
	for _, k := range []flow.Key{there, back} {
		if s, g := livetest.Sum(sent, k), livetest.Sum(got, k); s != g || s.IsZero() {
			t.Errorf("%v: counted %+v, in segments %+v", k, s, g)
		}
	}
	all := livetest.Sum(got, flow.Key{})
	if all.Packets != stats.RxPackets+stats.TxPackets || all.FrameBytes != stats.RxBytes+stats.TxBytes {
		t.Errorf("counted %+v, the interface %+v", all, stats)
	}
	const outside = ethernetLen + 2*4
	if n := livetest.Sum(got, there); n.FrameBytes-n.Bytes != n.Packets*outside {
		t.Errorf("%+v: a packet has %d bytes of labels and Ethernet", n, outside)
	}
	if s := largest(); s.segments < 2 {
		t.Errorf("the largest frame that was sent is %+v: there were no super-frames", s)
	}
}

// TestHeadersBehindGenericXDP: packets without their link header keep the headers before layer 3.
// The test leaves out two kinds. Packets shorter than a link header do not show that it is
// missing. Arista's timestamp of 14 bytes looks like one.
func TestHeadersBehindGenericXDP(t *testing.T) {
	testenv.Privileged(t)
	cases, err := corpus.Load()
	if err != nil {
		t.Fatal(err)
	}
	a, b := testnet.Pair(t, testnet.Link{})
	livetest.Open(t, "xdp", []string{"-mode=generic"}, b)
	s := livetest.Open(t, "tc", args(methodAuto), b)
	sender, err := a.OpenSender()
	if err != nil {
		t.Fatal(err)
	}
	defer sender.Close()
	want := map[flow.Packed]*expected{}
	for i := range cases {
		c := &cases[i]
		group, _, _ := strings.Cut(c.Name, "/")
		if group != "pppoe" && group != "mpls" && group != "before" || droppedAsTag(c.Data) {
			continue
		}
		if len(c.Data) < 2*ethernetLen || strings.HasPrefix(c.Name, "before/arista") {
			continue
		}
		if err := sender.Send(c.Data); err != nil {
			t.Fatalf("%s: %v", c.Name, err)
		}
		addExpected(want, c, flow.Ingress, uint32(b.Index))
	}
	b.Settle()
	for _, r := range s.Records() {
		w := want[r.Key]
		if w == nil {
			t.Errorf("counted, but not sent: %+v %+v", r.Key.Key(), r.Counters)
			continue
		}
		if r.Counters != w.Counters {
			t.Errorf("%v: %+v: counted %+v, want %+v", w.names, r.Key.Key(), r.Counters, w.Counters)
		}
		delete(want, r.Key)
	}
	for k, w := range want {
		t.Errorf("%v: %+v is not counted", w.names, k.Key())
	}
}
