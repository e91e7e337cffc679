package kprobe

import (
	"context"
	"testing"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/test/livetest"
	"github.com/pktstat/pktstat/internal/test/testnet"
)

// TestRetransmits: the rows of sent packets have the retransmits of TCP_INFO, for both families.
func TestRetransmits(t *testing.T) {
	eachHook(t, func(t *testing.T, s *source) {
		a, b := testnet.Pair(t, testnet.Link{Offloads: true})
		livetest.Lossy(t, a, 8)
		livetest.Lossy(t, b, 8)
		r := livetest.Retransmits{
			A: a, B: b,
			Collect: func(f func([]flow.Record)) {
				b := flow.NewBatch(flow.BatchHooks{Records: func(rs []flow.Record) error { f(rs); return nil }})
				if err := s.Collect(context.Background(), b); err != nil {
					t.Fatal(err)
				}
				if err := b.Flush(); err != nil {
					t.Fatal(err)
				}
			},
			Places: func(end *testnet.Iface) []flow.Key {
				return []flow.Key{{NetNS: inode(t, end.Host), Dir: flow.Egress}}
			},
			Notes: s.resends.Notes,
		}
		r.Check(t)
	})
}
