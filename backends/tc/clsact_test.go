package tc

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/test/livetest"
	"github.com/pktstat/pktstat/internal/test/testenv"
	"github.com/pktstat/pktstat/internal/test/testnet"
)

// TestClsactLeavesNothing: the last of two sources removes what they created.
func TestClsactLeavesNothing(t *testing.T) {
	testenv.Privileged(t)
	_, b := testnet.Pair(t, testnet.Link{})
	want(t, b, nil)
	first := livetest.Open(t, "tc", args(methodClsact), b)
	want(t, b, []string{"clsact", "ingress 1 pktstat", "egress 1 pktstat"})
	second := livetest.Open(t, "tc", args(methodClsact), b)
	livetest.Open(t, "tc", args(methodAuto), b).Close()
	want(t, b, []string{"clsact", "ingress 1 pktstat", "ingress 1 pktstat", "egress 1 pktstat", "egress 1 pktstat"})
	first.Close()
	want(t, b, []string{"clsact", "ingress 1 pktstat", "egress 1 pktstat"})
	second.Close()
	want(t, b, nil)
}

// TestIngressQdisc: the older qdisc keeps clsact out. The message names the interface, and names
// TCX only if the kernel has it.
func TestIngressQdisc(t *testing.T) {
	testenv.Privileged(t)
	_, b := testnet.Pair(t, testnet.Link{})
	on := flow.Interface{Index: uint32(b.Index), Name: b.Name}
	c := &config{method: methodClsact}
	inside(t, b.Host, func() {
		err := netlink.QdiscAdd(&netlink.Ingress{QdiscAttrs: netlink.QdiscAttrs{
			LinkIndex: b.Index, Handle: netlink.MakeHandle(0xffff, 0), Parent: netlink.HANDLE_INGRESS,
		}})
		if err != nil {
			t.Fatal(err)
		}
		advice := "remove it (tc qdisc del dev " + b.Name + " ingress)"
		if haveTCX() == nil {
			advice += ", or use --tc-attach tcx"
		}
		_, err = addQdisc(on)
		if err == nil || !strings.HasSuffix(err.Error(), advice) {
			t.Errorf("adding clsact: %v, want %q at the end", err, advice)
		}
		if r := c.ProbeInterface(t.Context(), on); r.Err == nil || !strings.HasSuffix(r.Err.Error(), advice) {
			t.Errorf("the probe: %v, want %q at the end", r.Err, advice)
		}
	})
	for _, tcx := range []bool{false, true} {
		if text := ingressError("eth7", tcx).Error(); strings.Contains(text, "tcx") != tcx || !strings.Contains(text, "dev eth7 ingress") {
			t.Errorf("TCX %t: %s", tcx, text)
		}
	}
}

// TestClsactLeavesOthers: filters and qdiscs of others stay, and pktstat counts beside them.
func TestClsactLeavesOthers(t *testing.T) {
	testenv.Privileged(t)
	a, b := testnet.Pair(t, testnet.Link{})
	inside(t, b.Host, func() {
		addForeign(t, b, flow.Ingress, 1)
		addForeign(t, b, flow.Egress, 7)
	})
	before := []string{"clsact", "ingress 1 foreign", "egress 7 foreign"}
	want(t, b, before)
	s := livetest.Open(t, "tc", args(methodClsact), b)
	want(t, b, append(before, "ingress 1 pktstat", "egress 1 pktstat"))
	// The foreign filters take all packets: nothing behind them sees any.
	sent := testnet.SendUDP(t, a, b, testnet.UDP{Count: 20, Payload: 50})
	replied := testnet.SendUDP(t, b, a, testnet.UDP{Count: 10, Payload: 50})
	got := s.Records()
	for _, f := range []testnet.Flow{sent, replied} {
		if c := livetest.Sum(got, f.Key); c != f.Counters {
			t.Errorf("%v: counted %+v, sent %+v", f.Key, c, f.Counters)
		}
	}
	if n := s.Attachment().Notes; len(n) != 0 {
		t.Errorf("notes %q", n)
	}
	s.Close()
	want(t, b, before)
}

// TestClsactAfterOthers: if a filter of another kind has the first priority, ours comes later,
// and a note reports that.
func TestClsactAfterOthers(t *testing.T) {
	testenv.Privileged(t)
	a, b := testnet.Pair(t, testnet.Link{})
	inside(t, b.Host, func() {
		err := netlink.QdiscAdd(clsactQdisc(uint32(b.Index)))
		if err == nil {
			err = netlink.FilterAdd(&netlink.U32{ // matches no packet here
				FilterAttrs: netlink.FilterAttrs{
					LinkIndex: b.Index, Parent: parent(flow.Ingress), Priority: 1, Protocol: unix.ETH_P_ALL,
				},
				ClassId: netlink.MakeHandle(1, 1),
				Sel: &netlink.TcU32Sel{
					Flags: netlink.TC_U32_TERMINAL,
					Keys:  []netlink.TcU32Key{{Mask: 0xffffffff, Val: 0xffffffff}},
					Nkeys: 1,
				},
			})
		}
		if err != nil {
			t.Error(err)
		}
	})
	s := livetest.Open(t, "tc", args(methodClsact), b)
	if n := s.Attachment().Notes; len(n) != 1 || !strings.Contains(n[0], b.Name+" ingress") {
		t.Errorf("notes %q: want one about ingress", n)
	}
	sent := testnet.SendUDP(t, a, b, testnet.UDP{Count: 20, Payload: 50})
	if c := livetest.Sum(s.Records(), sent.Key); c != sent.Counters {
		t.Errorf("counted %+v, sent %+v", c, sent.Counters)
	}
}

// TestClsactAfterKill: the next start removes the filters of a killed process, also if it
// attaches in another way. It leaves the filters of a living one.
func TestClsactAfterKill(t *testing.T) {
	testenv.Privileged(t)
	for _, next := range methods {
		t.Run(next, func(t *testing.T) {
			needsMethod(t, next)
			_, b := testnet.Pair(t, testnet.Link{})
			kill := hold(t, b, methodClsact)
			alive := []string{"clsact", "ingress 1 pktstat", "egress 1 pktstat"}
			want(t, b, alive)
			livetest.Open(t, "tc", args(next), b).Close()
			want(t, b, alive)
			kill()
			want(t, b, alive) // a kill leaves these
			s := livetest.Open(t, "tc", args(next), b)
			if next == methodTCX {
				want(t, b, []string{"tcx ingress", "tcx egress"})
			} else {
				want(t, b, alive)
			}
			s.Close()
			want(t, b, nil)
		})
	}
}

// TestTCXAfterKill: links go with their process.
func TestTCXAfterKill(t *testing.T) {
	testenv.Privileged(t)
	needsMethod(t, methodTCX)
	_, b := testnet.Pair(t, testnet.Link{})
	kill := hold(t, b, methodTCX)
	want(t, b, []string{"tcx ingress", "tcx egress"})
	kill()
	want(t, b, nil)
}

// hold opens the backend in a process of its own, and returns a function that kills it.
func hold(t *testing.T, on *testnet.Iface, method string) (kill func()) {
	t.Helper()
	cmd := on.Command(os.Args[0])
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s %d %s", holdEnv, method, on.Index, on.Name))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := on.Start(cmd); err != nil {
		t.Fatal(err)
	}
	kill = func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
	t.Cleanup(kill)
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "attached\n" {
		t.Fatalf("the process said %q: %v", line, err)
	}
	return kill
}

const holdEnv = "PKTSTAT_TEST_HOLD"

func TestMain(m *testing.M) {
	if arg, ok := os.LookupEnv(holdEnv); ok {
		fmt.Println(holder(arg))
		select {}
	}
	os.Exit(m.Run())
}

// holder is the process that hold starts.
func holder(arg string) any {
	var method, name string
	var index int
	if _, err := fmt.Sscan(arg, &method, &index, &name); err != nil {
		return err
	}
	env := livetest.Setup(nil, &testnet.Iface{Name: name, Index: index}).Env
	if _, err := (&config{method: method}).Open(context.Background(), env); err != nil {
		return err
	}
	return "attached"
}

// want fails unless exactly these programs are attached to an interface, in any order.
func want(t *testing.T, on *testnet.Iface, what []string) {
	t.Helper()
	var got []string
	inside(t, on.Host, func() {
		qdiscs, err := netlink.QdiscList(&netlink.Dummy{LinkAttrs: netlink.LinkAttrs{Index: on.Index}})
		if err != nil {
			t.Error(err)
		}
		for _, q := range qdiscs {
			if q.Type() == "clsact" {
				got = append(got, q.Type())
			}
		}
		fs, err := filters(uint32(on.Index))
		if err != nil {
			t.Error(err)
		}
		for _, f := range fs {
			dir := "ingress"
			if f.Attrs().Parent == parent(flow.Egress) {
				dir = "egress"
			}
			name, _, _ := strings.Cut(f.(*netlink.BpfFilter).Name, ":")
			got = append(got, fmt.Sprintf("%s %d %s", dir, f.Attrs().Priority, name))
		}
		for _, h := range []struct {
			name string
			at   ebpf.AttachType
		}{{"ingress", ebpf.AttachTCXIngress}, {"egress", ebpf.AttachTCXEgress}} {
			if haveTCX() != nil {
				break
			}
			r, err := link.QueryPrograms(link.QueryOptions{Target: on.Index, Attach: h.at})
			if err != nil {
				t.Error(err)
				continue
			}
			for range r.Programs {
				got = append(got, "tcx "+h.name)
			}
		}
	})
	w := slices.Clone(what)
	slices.Sort(got)
	slices.Sort(w)
	if !slices.Equal(got, w) {
		t.Errorf("attached are %q, want %q", got, w)
	}
}

// addForeign adds a filter that takes all packets for itself.
func addForeign(t *testing.T, on *testnet.Iface, dir flow.Direction, priority uint16) {
	prog, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Type: ebpf.SchedCLS, License: "MIT",
		Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, int32(netlink.TC_ACT_OK)), asm.Return()},
	})
	if err != nil {
		t.Error(err)
		return
	}
	defer prog.Close()
	if err := netlink.QdiscAdd(clsactQdisc(uint32(on.Index))); err != nil && err != unix.EEXIST {
		t.Error(err)
	}
	err = netlink.FilterAdd(&netlink.BpfFilter{
		FilterAttrs: netlink.FilterAttrs{
			LinkIndex: on.Index, Parent: parent(dir), Priority: priority, Protocol: unix.ETH_P_ALL, Handle: 1,
		},
		Fd: prog.FD(), Name: "foreign", DirectAction: true,
	})
	if err != nil {
		t.Error(err)
	}
}
