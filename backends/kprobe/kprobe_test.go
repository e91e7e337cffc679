package kprobe

import (
	"testing"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/test/livetest"
	"github.com/pktstat/pktstat/internal/test/testenv"
	"github.com/pktstat/pktstat/internal/test/testnet"
	"github.com/pktstat/pktstat/plugintest/sourcetest"
	"github.com/pktstat/pktstat/registry"
)

// TestConformance tests the hook that auto takes.
func TestConformance(t *testing.T) {
	testenv.Privileged(t)
	a, b := testnet.Pair(t, testnet.Link{})
	mine := map[uint32]bool{inode(t, a.Host): true, inode(t, b.Host): true}
	var sent flow.Counters
	traffic := func(tb testing.TB) {
		sent = flow.Counters{}
		for _, v6 := range []bool{false, true} {
			for _, f := range []testnet.Flow{
				testnet.SendUDP(tb, a, b, testnet.UDP{V6: v6, Payload: 100, Count: 500}),
				testnet.SendUDP(tb, b, a, testnet.UDP{V6: v6, Payload: 1, Count: 100, SrcPort: 5}),
			} {
				f.FrameBytes = 0
				sent.Add(f.Counters) // where it leaves
				sent.Add(f.Counters) // where it arrives
			}
		}
	}
	traffic(t) // what it comes to
	setup := func(maxFlows int) sourcetest.Setup {
		return sourcetest.Setup{Env: registry.BackendEnv{MaxFlows: maxFlows}}
	}
	sourcetest.Run(t, sourcetest.Options{
		Backend:  "kprobe",
		Setup:    func(testing.TB) sourcetest.Setup { return setup(maxFlows) },
		Traffic:  traffic,
		Want:     sent,
		Match:    func(k flow.Key) bool { return mine[k.NetNS] },
		Failures: []sourcetest.Failure{{Name: "no room for flows", Setup: setup(-1)}},
	})
}

// TestNamespaces: the two ends of a link have rows of their own, and so do the same addresses in
// another namespace.
func TestNamespaces(t *testing.T) {
	eachHook(t, func(t *testing.T, s *source) {
		a, b := testnet.Pair(t, testnet.Link{})
		sent := testnet.SendUDP(t, a, b, testnet.UDP{Payload: 30, Count: 20})
		want := flow.Counters{Packets: sent.Packets, Bytes: sent.Bytes}
		got := map[flow.Key]flow.Counters{}
		s.collect(t, func(k flow.Key, c flow.Counters) {
			if k.Src == sent.Key.Src && k.Dst == sent.Key.Dst {
				c.Add(got[k])
				got[k] = c
			}
		}, a.Host, b.Host)
		for _, end := range []struct {
			dir flow.Direction
			on  *testnet.Iface
		}{{flow.Egress, a}, {flow.Ingress, b}} {
			k := sent.Key
			k.Ifindex, k.VLAN, k.Dir, k.NetNS = 0, 0, end.dir, inode(t, end.on.Host)
			if got[k] != want {
				t.Errorf("%s on %s: %+v, want %+v; there are %+v", end.dir, end.on, got[k], want, got)
			}
		}
		if len(got) != 2 {
			t.Errorf("%d rows, want 2: %+v", len(got), got)
		}
	})
}

// TestOptions: the error for an unknown hook lists the hooks.
func TestOptions(t *testing.T) {
	b, err := registry.Backends.Lookup("kprobe")
	if err != nil {
		t.Fatal(err)
	}
	fs := newFlagSet(b)
	if err := fs.Parse([]string{"-hook=perf"}); err == nil {
		t.Error("no error")
	}
	for _, name := range []string{hookAuto, "fentry", "kprobe", "tracepoint"} {
		if err := newFlagSet(b).Parse([]string{"-hook=" + name}); err != nil {
			t.Error(err)
		}
	}
}

func TestCPUComesOnline(t *testing.T) {
	livetest.CPUComesOnline(t, func(on *testnet.Iface) *livetest.Source {
		return livetest.Open(t, "kprobe", nil, on)
	})
}
