package tc

import (
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"

	"github.com/pktstat/pktstat/internal/livetest"
	"github.com/pktstat/pktstat/internal/testenv"
	"github.com/pktstat/pktstat/internal/testnet"
)

// TestTCXBesideOthers: other TCX programs, as Cilium has them, were there before or come
// later, end the chain, and see and count what they would see without us.
func TestTCXBesideOthers(t *testing.T) {
	testenv.Privileged(t)
	needsMethod(t, methodTCX)
	a, b := testnet.Pair(t, testnet.Link{})
	before := newOther(t, b, link.Head())
	s := livetest.Open(t, "tc", args(methodTCX), b)
	const n = 40
	sent := testnet.SendUDP(t, a, b, testnet.UDP{Count: n, Payload: 50})
	if c := livetest.Sum(s.Records(), sent.Key); c != sent.Counters {
		t.Errorf("before one that was there: counted %+v, sent %+v", c, sent.Counters)
	}
	if got := before.packets(t); got != n {
		t.Errorf("the program that was there saw %d packets of %d", got, n)
	}

	last := newOther(t, b, link.Tail())
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

// other is somebody else's program at tc ingress: it counts and ends the chain.
type other struct{ count *ebpf.Map }

func newOther(t *testing.T, on *testnet.Iface, anchor link.Anchor) other {
	t.Helper()
	o := other{}
	var err error
	o.count, err = ebpf.NewMap(&ebpf.MapSpec{Type: ebpf.Array, KeySize: 4, ValueSize: 8, MaxEntries: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = o.count.Close() })
	const ok = 0 // TC_ACT_OK
	prog, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Type: ebpf.SchedCLS, License: "MIT",
		Instructions: asm.Instructions{
			asm.LoadMapValue(asm.R1, o.count.FD(), 0),
			asm.Mov.Imm(asm.R2, 1),
			asm.StoreXAdd(asm.R1, asm.R2, asm.DWord),
			asm.Mov.Imm(asm.R0, ok),
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
