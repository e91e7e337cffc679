package cgroup

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	_ "github.com/pktstat/pktstat/backends/tc"
	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/test/livetest"
	"github.com/pktstat/pktstat/internal/test/testenv"
	"github.com/pktstat/pktstat/internal/test/testnet"
	"github.com/pktstat/pktstat/plugintest/sourcetest"
	"github.com/pktstat/pktstat/registry"
)

// openHere opens the backend in the test's own group.
func openHere(t *testing.T, on *testnet.Iface) *livetest.Source {
	t.Helper()
	return livetest.Open(t, "cgroup", []string{"-path=" + testGroup}, on)
}

func TestConformance(t *testing.T) {
	testenv.Privileged(t)
	a, b := testnet.Pair(t, testnet.Link{})
	var sent flow.Counters
	traffic := func(tb testing.TB) {
		sent = flow.Counters{}
		for _, v6 := range []bool{false, true} {
			for _, f := range []testnet.Flow{
				testnet.SendUDP(tb, a, b, testnet.UDP{V6: v6, Payload: 100, Count: 500}),
				testnet.SendUDP(tb, b, a, testnet.UDP{V6: v6, Payload: 1, Count: 100, SrcPort: 5}),
			} {
				f.FrameBytes = 0
				sent.Add(f.Counters) // at the socket that sends
				sent.Add(f.Counters) // at the socket that receives
			}
		}
	}
	traffic(t) // what it comes to
	args := func(paths ...string) (s sourcetest.Setup) {
		for _, p := range paths {
			s.Args = append(s.Args, "-path="+p)
		}
		return s
	}
	sub := subgroup(t, "conformance")
	sourcetest.Run(t, sourcetest.Options{
		Backend: "cgroup",
		Setup:   func(testing.TB) sourcetest.Setup { return args(testGroup) },
		Traffic: traffic,
		Want:    sent,
		Failures: []sourcetest.Failure{
			{Name: "no such group", Setup: args("/no/such/group"), Is: registry.ErrUsage},
			{Name: "the second group is missing", Setup: args(testGroup, testGroup+"/missing"), Is: registry.ErrUsage},
			{Name: "one group in another", Setup: args(testGroup, sub), Is: registry.ErrUsage},
		},
	})
}

// TestRoot: without an option, all groups count, and every row has its group.
func TestRoot(t *testing.T) {
	testenv.Privileged(t)
	a, b := testnet.Pair(t, testnet.Link{})
	s := livetest.Open(t, "cgroup", nil, a)
	sub := subgroup(t, "sub")
	here := testnet.SendUDP(t, a, b, testnet.UDP{Payload: 30, Count: 20})
	if err := moveTo(sub); err != nil {
		t.Fatal(err)
	}
	there := testnet.SendUDP(t, a, b, testnet.UDP{Payload: 40, Count: 30, V6: true})
	if err := moveTo(testGroup); err != nil {
		t.Fatal(err)
	}
	want := map[string]flow.Counters{}
	for _, dir := range []flow.Direction{flow.Ingress, flow.Egress} {
		want[fmt.Sprint(dir, here.Key.Src, inode(t, testGroup))] = flow.Counters{Packets: here.Packets, Bytes: here.Bytes}
		want[fmt.Sprint(dir, there.Key.Src, inode(t, sub))] = flow.Counters{Packets: there.Packets, Bytes: there.Bytes}
	}
	s.Collect(func(rs []flow.Record) {
		for i := range rs {
			k := rs[i].Key.Key()
			if id := fmt.Sprint(k.Dir, k.Src, rs[i].CgroupID); k.Src == here.Key.Src || k.Src == there.Key.Src {
				want[id] = want[id].Minus(rs[i].Counters)
			}
		}
	})
	for id, c := range want {
		if !c.IsZero() {
			t.Errorf("%s: %+v is missing", id, c)
		}
	}
}

// TestNamespaces: the same addresses and ports in two namespaces are two flows.
func TestNamespaces(t *testing.T) {
	testenv.Privileged(t)
	hosts := []*testnet.Host{testnet.NewHost(t), testnet.NewHost(t)}
	s := openHere(t, &testnet.Iface{Host: hosts[0]})
	to := netip.MustParseAddrPort("127.0.0.1:4321")
	for i, h := range hosts {
		err := h.Do(func() error {
			in, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(to))
			if err != nil {
				return err
			}
			defer in.Close()
			out, err := net.DialUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1234}, net.UDPAddrFromAddrPort(to))
			if err != nil {
				return err
			}
			defer out.Close()
			for range 5 * (i + 1) {
				if _, err := out.Write(make([]byte, 12)); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	records := s.Records()
	if len(records) != 4 {
		t.Fatalf("%d flows, want two of each namespace: %+v", len(records), records)
	}
	for i, h := range hosts {
		for _, dir := range []flow.Direction{flow.Ingress, flow.Egress} {
			n := uint64(5 * (i + 1))
			want := flow.Record{Key: flow.Pack(flow.Key{
				Src: netip.MustParseAddrPort("127.0.0.1:1234"), Dst: to, Proto: flow.UDP, Dir: dir,
				NetNS: inode(t, "/run/netns/"+h.NetNS()),
			}), CgroupID: uint64(inode(t, testGroup)), Counters: flow.Counters{Packets: n, Bytes: n * 40}}
			found := false
			for _, r := range records {
				found = found || r.Key == want.Key && r.CgroupID == want.CgroupID && r.Counters == want.Counters
			}
			if !found {
				t.Errorf("host %d: no %+v %+v", i, want.Key.Key(), want.Counters)
			}
		}
	}
}

// TestFragments: a datagram counts as the sockets see it, in one piece.
func TestFragments(t *testing.T) {
	testenv.Privileged(t)
	h := testnet.NewHost(t)
	lo, err := h.Netlink().LinkByName("lo")
	if err == nil {
		err = h.Netlink().LinkSetMTU(lo, 1500)
	}
	if err != nil {
		t.Fatal(err)
	}
	s := openHere(t, &testnet.Iface{Host: h})
	err = h.Do(func() error {
		in, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			return err
		}
		defer in.Close()
		_, err = in.WriteTo(make([]byte, 4000), in.LocalAddr())
		if err == nil {
			_, err = in.Read(make([]byte, 5000))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range s.Records() {
		if want := (flow.Counters{Packets: 1, Bytes: 4028}); r.Counters != want {
			t.Errorf("%s: %+v, want %+v", r.Key.Dir, r.Counters, want)
		}
	}
}

// TestSharesGroup: an earlier program goes on, and stays after ours has gone. If it does not
// share the group, the error says that.
func TestSharesGroup(t *testing.T) {
	testenv.Privileged(t)
	dir := subgroup(t, "shared")
	a, _ := testnet.Pair(t, testnet.Link{})
	runs, err := ebpf.NewMap(&ebpf.MapSpec{Type: ebpf.Array, KeySize: 4, ValueSize: 8, MaxEntries: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer runs.Close()
	foreign, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Type: ebpf.CGroupSKB, AttachType: ebpf.AttachCGroupInetEgress, License: "MIT",
		Instructions: asm.Instructions{
			asm.LoadMapValue(asm.R1, runs.FD(), 0),
			asm.Mov.Imm(asm.R2, 1),
			asm.StoreXAdd(asm.R1, asm.R2, asm.DWord),
			asm.Mov.Imm(asm.R0, 1),
			asm.Return(),
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer foreign.Close()
	group, err := openDir(unix.AT_FDCWD, dir, dir)
	if err != nil {
		t.Fatal(err)
	}
	defer group.Close()
	attached := func() (n int) {
		r, err := link.QueryPrograms(link.QueryOptions{Target: int(group.Fd()), Attach: ebpf.AttachCGroupInetEgress})
		if err != nil {
			t.Fatal(err)
		}
		return len(r.Programs)
	}

	t.Run("with one that shares", func(t *testing.T) {
		l, err := link.AttachCgroup(link.CgroupOptions{Path: dir, Attach: ebpf.AttachCGroupInetEgress, Program: foreign})
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		s := livetest.Open(t, "cgroup", []string{"-path=" + dir}, a)
		if n := attached(); n != 2 {
			t.Errorf("%d programs are attached, want 2", n)
		}
		h := testnet.NewHost(t) // packets of its kernel belong to the test, not to the group
		if err := moveTo(dir); err != nil {
			t.Fatal(err)
		}
		to := netip.MustParseAddrPort("127.0.0.1:9")
		err = h.Do(func() error {
			c, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(to))
			if err != nil {
				return err
			}
			defer c.Close()
			_, err = c.Write(make([]byte, 10))
			return err
		})
		if back := moveTo(testGroup); err != nil || back != nil {
			t.Fatal(err, back)
		}
		var n uint64
		if err := runs.Lookup(uint32(0), &n); err != nil || n != 1 {
			t.Errorf("the other program has run %d times, want 1: %v", n, err)
		}
		if got := livetest.Sum(s.Records(), flow.Key{}); got != (flow.Counters{Packets: 1, Bytes: 38}) {
			t.Errorf("counted %+v", got)
		}
		s.Close()
		if n := attached(); n != 1 {
			t.Errorf("%d programs are attached after Close, want 1", n)
		}
	})

	t.Run("with one that does not", func(t *testing.T) {
		err := link.RawAttachProgram(link.RawAttachProgramOptions{
			Target: int(group.Fd()), Program: foreign, Attach: ebpf.AttachCGroupInetEgress,
		})
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			err := link.RawDetachProgram(link.RawDetachProgramOptions{
				Target: int(group.Fd()), Program: foreign, Attach: ebpf.AttachCGroupInetEgress,
			})
			if err != nil {
				t.Error(err)
			}
		}()
		_, err = livetest.TryOpen(t, "cgroup", []string{"-path=" + dir}, a)
		if err == nil || !strings.Contains(err.Error(), "does not share") || !strings.Contains(err.Error(), dir) {
			t.Errorf("open: %v", err)
		}
		if n := attached(); n != 1 {
			t.Errorf("%d programs are attached, want 1", n)
		}
	})
}

func TestCPUComesOnline(t *testing.T) {
	livetest.CPUComesOnline(t, func(on *testnet.Iface) *livetest.Source { return openHere(t, on) })
}
