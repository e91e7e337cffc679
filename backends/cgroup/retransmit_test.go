package cgroup

import (
	"testing"

	"golang.org/x/sys/unix"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/test/livetest"
	"github.com/pktstat/pktstat/internal/test/testenv"
	"github.com/pktstat/pktstat/internal/test/testnet"
)

// TestRetransmits: the rows of sent packets have the retransmits of TCP_INFO, for both families. A
// group without the sockets has none.
func TestRetransmits(t *testing.T) {
	testenv.Privileged(t)
	a, b := testnet.Pair(t, testnet.Link{Offloads: true})
	livetest.Lossy(t, a, 8)
	livetest.Lossy(t, b, 8)
	here := openHere(t, a)
	other := livetest.Open(t, "cgroup", []string{"-path=" + subgroup(t, "other")}, a)
	r := livetest.Retransmits{
		A: a, B: b,
		Collect: func(f func([]flow.Record)) {
			here.Collect(f)
			other.Collect(func(rs []flow.Record) {
				for i := range rs {
					t.Errorf("in a group without sockets: %+v", rs[i])
				}
			})
		},
		Places: func(end *testnet.Iface) []flow.Key {
			var st unix.Stat_t
			if err := unix.Stat("/run/netns/"+end.NetNS(), &st); err != nil {
				t.Fatal(err)
			}
			return []flow.Key{{NetNS: uint32(st.Ino), Dir: flow.Egress}}
		},
		Notes: func() []string { return here.Attachment().Notes },
	}
	r.Check(t)
}
