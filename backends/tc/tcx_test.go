package tc

import (
	"slices"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"
	"github.com/vishvananda/netlink"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/test/livetest"
	"github.com/pktstat/pktstat/internal/test/testenv"
	"github.com/pktstat/pktstat/internal/test/testnet"
)

// TestTCXBesideOthers: other TCX programs, such as Cilium's, attach before or after pktstat. They
// end the chain, and see and count the same packets as without pktstat.
func TestTCXBesideOthers(t *testing.T) {
	testenv.Privileged(t)
	needsMethod(t, methodTCX)
	a, b := testnet.Pair(t, testnet.Link{})
	before := newOther(t, b, link.Head(), netlink.TC_ACT_OK)
	s := livetest.Open(t, "tc", args(methodTCX), b)
	const n = 40
	sent := testnet.SendUDP(t, a, b, testnet.UDP{Count: n, Payload: 50})
	if c := livetest.Sum(s.Records(), sent.Key); c != sent.Counters {
		t.Errorf("before one that was there: counted %+v, sent %+v", c, sent.Counters)
	}
	if got := before.packets(t); got != n {
		t.Errorf("the program that was there saw %d packets of %d", got, n)
	}

	last := newOther(t, b, link.Tail(), netlink.TC_ACT_OK)
	sent = testnet.SendUDP(t, a, b, testnet.UDP{Count: n, Payload: 51})
	if c := livetest.Sum(s.Records(), sent.Key); c != sent.Counters {
		t.Errorf("before one that came later: counted %+v, sent %+v", c, sent.Counters)
	}
	if b4, after := before.packets(t), last.packets(t); b4 != 2*n || after != 0 {
		t.Errorf("the others saw %d and %d packets: want %d, and none behind one that ends the chain", b4, after, 2*n)
	}
	s.Close()
	testnet.SendUDP(t, a, b, testnet.UDP{Count: n, Payload: 52})
	if got := before.packets(t); got != 3*n {
		t.Errorf("after us, the program that was there saw %d packets of %d", got, 3*n)
	}
}

// TestTCXLast: behind the programs of others, pktstat counts only what they pass on, and a note
// reports that. Programs that attach later run behind it.
func TestTCXLast(t *testing.T) {
	testenv.Privileged(t)
	needsMethod(t, methodTCX)
	const n = 40
	for _, c := range []struct {
		verdict netlink.TcAct
		counted bool
	}{{netlink.TC_ACT_UNSPEC, true}, {netlink.TC_ACT_OK, false}} {
		a, b := testnet.Pair(t, testnet.Link{})
		before := newOther(t, b, link.Tail(), c.verdict)
		s := livetest.Open(t, "tc", append(args(methodTCX), "-position=last"), b)
		after := newOther(t, b, link.Tail(), netlink.TC_ACT_OK)
		sent := testnet.SendUDP(t, a, b, testnet.UDP{Count: n, Payload: 50})
		reply := testnet.SendUDP(t, b, a, testnet.UDP{Count: n, Payload: 50})
		want, behind := flow.Counters{}, uint64(0)
		if c.counted {
			want, behind = sent.Counters, n
		}
		got := s.Records()
		if c := livetest.Sum(got, sent.Key); c != want {
			t.Errorf("counted %+v, want %+v", c, want)
		}
		if c := livetest.Sum(got, reply.Key); c != reply.Counters {
			t.Errorf("the other direction: counted %+v, sent %+v", c, reply.Counters)
		}
		if b4, behindUs := before.packets(t), after.packets(t); b4 != n || behindUs != behind {
			t.Errorf("the others saw %d and %d packets, want %d and %d", b4, behindUs, n, behind)
		}
		note := b.Name + " ingress: another tc program comes first, and what it takes is not counted"
		if notes := s.Attachment().Notes; !slices.Equal(notes, []string{note}) {
			t.Errorf("notes %q", notes)
		}
	}
}

// TestClsactLast: the same of filters.
func TestClsactLast(t *testing.T) {
	testenv.Privileged(t)
	a, b := testnet.Pair(t, testnet.Link{})
	inside(t, b.Host, func() {
		addForeign(t, b, flow.Ingress, 1)
		addForeign(t, b, flow.Ingress, 7)
	})
	before := []string{"clsact", "ingress 1 foreign", "ingress 7 foreign"}
	s := livetest.Open(t, "tc", append(args(methodClsact), "-position=last"), b)
	want(t, b, append(slices.Clone(before), "ingress 8 pktstat", "egress 1 pktstat"))
	second := livetest.Open(t, "tc", append(args(methodClsact), "-position=last"), b)
	want(t, b, append(slices.Clone(before), "ingress 8 pktstat", "ingress 8 pktstat", "egress 1 pktstat", "egress 1 pktstat"))
	sent := testnet.SendUDP(t, a, b, testnet.UDP{Count: 20, Payload: 50})
	reply := testnet.SendUDP(t, b, a, testnet.UDP{Count: 10, Payload: 50})
	for _, s := range []*livetest.Source{s, second} {
		got := s.Records()
		if c := livetest.Sum(got, sent.Key); !c.IsZero() {
			t.Errorf("counted %+v behind a filter that takes all", c)
		}
		if c := livetest.Sum(got, reply.Key); c != reply.Counters {
			t.Errorf("the other direction: counted %+v, sent %+v", c, reply.Counters)
		}
		note := b.Name + " ingress: another tc filter comes first, and what it takes is not counted"
		if notes := s.Attachment().Notes; !slices.Equal(notes, []string{note}) {
			t.Errorf("notes %q", notes)
		}
		s.Close()
	}
	want(t, b, before)
}

// other is another program at tc ingress: it counts and gives its verdict.
type other struct{ count *ebpf.Map }

func newOther(t *testing.T, on *testnet.Iface, anchor link.Anchor, verdict netlink.TcAct) other {
	t.Helper()
	o := other{}
	var err error
	o.count, err = ebpf.NewMap(&ebpf.MapSpec{Type: ebpf.Array, KeySize: 4, ValueSize: 8, MaxEntries: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = o.count.Close() })
	prog, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Type: ebpf.SchedCLS, License: "MIT",
		Instructions: asm.Instructions{
			asm.LoadMapValue(asm.R1, o.count.FD(), 0),
			asm.Mov.Imm(asm.R2, 1),
			asm.StoreXAdd(asm.R1, asm.R2, asm.DWord),
			asm.Mov.Imm(asm.R0, int32(verdict)),
			asm.Return(),
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = prog.Close() })
	inside(t, on.Host, func() {
		l, err := link.AttachTCX(link.TCXOptions{Interface: on.Index, Program: prog, Attach: ebpf.AttachTCXIngress, Anchor: anchor})
		if err != nil {
			t.Error(err)
			return
		}
		t.Cleanup(func() { _ = l.Close() })
	})
	return o
}

func (o other) packets(t *testing.T) (n uint64) {
	t.Helper()
	if err := o.count.Lookup(uint32(0), &n); err != nil {
		t.Fatal(err)
	}
	return n
}
