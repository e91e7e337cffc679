package tc

import (
	"strings"
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

// takings are what other programs do, the programs of ours that they take off, and what the run
// leaves.
var takings = []struct {
	name, method string
	take         func(t *testing.T, on *testnet.Iface)
	off          string
	left         []string
}{
	{"qdisc deleted", methodClsact, delQdisc, "ingress egress", nil},
	{"qdisc deleted and made anew", methodClsact, func(t *testing.T, on *testnet.Iface) {
		delQdisc(t, on)
		inside(t, on.Host, func() { must(t, netlink.QdiscAdd(clsactQdisc(uint32(on.Index)))) })
	}, "ingress egress", []string{"clsact"}},
	{"filters of ingress deleted", methodClsact, func(t *testing.T, on *testnet.Iface) {
		ownFilters(t, on, flow.Ingress, func(f *netlink.BpfFilter) error { return netlink.FilterDel(f) })
	}, "ingress", nil},
	{"filters deleted", methodClsact, func(t *testing.T, on *testnet.Iface) {
		for _, dir := range []flow.Direction{flow.Ingress, flow.Egress} {
			ownFilters(t, on, dir, func(f *netlink.BpfFilter) error { return netlink.FilterDel(f) })
		}
	}, "ingress egress", nil},
	{"filter replaced", methodClsact, func(t *testing.T, on *testnet.Iface) {
		ownFilters(t, on, flow.Egress, func(f *netlink.BpfFilter) error {
			f.Fd = newPass(t).FD()
			return netlink.FilterReplace(f)
		})
	}, "egress", nil},
	{"links detached", methodTCX, func(t *testing.T, on *testnet.Iface) {
		tcxLinks(t, on, func(l link.Link) error { return l.Detach() })
	}, "ingress egress", nil},
	{"links updated", methodTCX, func(t *testing.T, on *testnet.Iface) {
		pass := newPass(t)
		tcxLinks(t, on, func(l link.Link) error { return l.Update(pass) })
	}, "ingress egress", nil},
}

// TestTakenOff: pktstat attaches again what other programs take off, without a Collect. One line
// on stderr and a note for each direction report it.
func TestTakenOff(t *testing.T) {
	testenv.Privileged(t)
	for _, c := range takings {
		t.Run(c.method+" "+c.name, func(t *testing.T) {
			needsMethod(t, c.method)
			a, b := testnet.Pair(t, testnet.Link{})
			s := livetest.Open(t, "tc", args(c.method), b)
			exact(t, s, a, b, 50)
			c.take(t, b)
			dirs := strings.Fields(c.off)
			for _, dir := range dirs {
				s.WaitNote("another program detached pktstat from " + b.Name + " " + dir + ": attached again, up to ")
			}
			exact(t, s, a, b, 51)
			if notes := s.Attachment().Notes; len(notes) != len(dirs) {
				t.Errorf("notes %q of %s", notes, c.off)
			}
			// One Look or two have found both directions.
			if said := s.Said(); len(said) == 0 || len(said) > len(dirs) || !strings.Contains(said[0], ": attached again, up to ") {
				t.Errorf("said %q", said)
			}
			s.Close()
			want(t, b, c.left)
		})
	}
}

// TestTakenOffAtTheEnd: the last Collect finds what was taken off in its window.
func TestTakenOffAtTheEnd(t *testing.T) {
	testenv.Privileged(t)
	for _, c := range takings {
		t.Run(c.method+" "+c.name, func(t *testing.T) {
			needsMethod(t, c.method)
			_, b := testnet.Pair(t, testnet.Link{})
			s := livetest.Open(t, "tc", args(c.method), b)
			c.take(t, b)
			s.Records()
			if !s.HasNote("another program detached pktstat from " + b.Name) {
				t.Errorf("notes %q", s.Attachment().Notes)
			}
		})
	}
}

// TestTakenOffRepeatedly: pktstat attaches again each time, and one line reports it.
func TestTakenOffRepeatedly(t *testing.T) {
	testenv.Privileged(t)
	a, b := testnet.Pair(t, testnet.Link{})
	s := livetest.Open(t, "tc", args(methodClsact), b)
	for _, often := range []string{"", " 2 times", " 3 times"} {
		delQdisc(t, b)
		for _, dir := range []string{"ingress", "egress"} {
			s.WaitNote(b.Name + " " + dir + often + ": attached again")
		}
	}
	exact(t, s, a, b, 50)
	if said := s.Said(); len(said) > 2 { // as above
		t.Errorf("said %q", said)
	}
}

// TestTakenOffForGood: a line and a note report what pktstat cannot attach again. Counting goes
// on as soon as it can.
func TestTakenOffForGood(t *testing.T) {
	testenv.Privileged(t)
	a, b := testnet.Pair(t, testnet.Link{})
	s := livetest.Open(t, "tc", args(methodClsact), b)
	exact(t, s, a, b, 50)
	ingress := &netlink.Ingress{QdiscAttrs: netlink.QdiscAttrs{
		LinkIndex: b.Index, Handle: netlink.MakeHandle(0xffff, 0), Parent: netlink.HANDLE_INGRESS,
	}}
	inside(t, b.Host, func() {
		must(t, netlink.QdiscDel(clsactQdisc(uint32(b.Index))))
		must(t, netlink.QdiscAdd(ingress))
	})
	s.WaitSaid(": counted up to now: cannot attach again: there is an ingress qdisc")
	s.WaitNote(b.Name + " ingress: counted up to ")
	inside(t, b.Host, func() { must(t, netlink.QdiscDel(ingress)) })
	for _, dir := range []string{"ingress", "egress"} {
		s.WaitNote(b.Name + " " + dir + ": attached again")
	}
	exact(t, s, a, b, 51)
}

// exact sends in both directions and compares.
func exact(t *testing.T, s *livetest.Source, a, b *testnet.Iface, payload int) {
	t.Helper()
	sent := testnet.SendUDP(t, a, b, testnet.UDP{Count: 20, Payload: payload})
	replied := testnet.SendUDP(t, b, a, testnet.UDP{Count: 10, Payload: payload})
	got := s.Records()
	for _, f := range []testnet.Flow{sent, replied} {
		if c := livetest.Sum(got, f.Key); c != f.Counters {
			t.Errorf("%v: counted %+v, sent %+v", f.Key, c, f.Counters)
		}
	}
}

func delQdisc(t *testing.T, on *testnet.Iface) {
	t.Helper()
	inside(t, on.Host, func() { must(t, netlink.QdiscDel(clsactQdisc(uint32(on.Index)))) })
}

func ownFilters(t *testing.T, on *testnet.Iface, dir flow.Direction, f func(*netlink.BpfFilter) error) {
	t.Helper()
	inside(t, on.Host, func() {
		all, err := filters(uint32(on.Index))
		must(t, err)
		for _, own := range all {
			if own.Attrs().Parent == parent(dir) {
				must(t, f(own.(*netlink.BpfFilter)))
			}
		}
	})
}

func tcxLinks(t *testing.T, on *testnet.Iface, f func(link.Link) error) {
	t.Helper()
	livetest.Links(t, func(l link.Link, info *link.Info) error {
		if tcx := info.TCX(); tcx == nil || tcx.Ifindex != uint32(on.Index) {
			return nil
		}
		return f(l)
	})
}

// newPass is a program of others that passes every packet on.
func newPass(t *testing.T) *ebpf.Program {
	t.Helper()
	prog, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Type: ebpf.SchedCLS, License: "MIT",
		Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, int32(netlink.TC_ACT_UNSPEC)), asm.Return()},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = prog.Close() })
	return prog
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Error(err)
	}
}
