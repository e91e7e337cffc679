package livetest

import (
	"sync"
	"testing"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/test/testenv"
	"github.com/pktstat/pktstat/internal/test/testnet"
	"github.com/pktstat/pktstat/registry"
)

// Coverage checks that a backend counts what the interface counts, to the packet: small packets,
// super-frames, and while traffic does not stop. sees are the directions that the backend sees.
func Coverage(t *testing.T, backend string, args []string, sees ...flow.Direction) {
	testenv.Privileged(t)
	t.Run("packets of a wire", func(t *testing.T) {
		a, b := testnet.Pair(t, testnet.Link{})
		s := Open(t, backend, args, b)
		s.Discard()
		before := b.Settle()
		for _, v6 := range []bool{false, true} {
			testnet.SendUDP(t, a, b, testnet.UDP{V6: v6, Payload: 10, Count: 500})
			testnet.SendUDP(t, b, a, testnet.UDP{V6: v6, Payload: 1000, Count: 300})
			testnet.SendTCP(t, a, b, testnet.TCP{V6: v6, Request: 1 << 20, Reply: 1 << 18})
		}
		a.SendFrames(100, append(a.Ethernet(b.MAC, 0x8100, []byte{0, 7, 0x08, 0x00}), make([]byte, 46)...))
		stats := b.Settle().Minus(before)
		s.Discard()
		for _, c := range s.covered(sees...) {
			want := stats.RxPackets
			if c.Dir == flow.Egress {
				want = stats.TxPackets
			}
			if c.LinkPackets != want {
				t.Errorf("the interface counted %d packets, the coverage has %+v", want, c)
			}
		}
	})
	for _, v6 := range []bool{false, true} {
		t.Run(map[bool]string{false: "super-frames", true: "super-frames of IPv6"}[v6], func(t *testing.T) {
			a, b := testnet.Pair(t, testnet.Link{Offloads: true})
			s := Open(t, backend, args, b)
			s.Discard()
			testnet.SendTCP(t, a, b, testnet.TCP{V6: v6, Request: 20 << 20, Reply: 20 << 20})
			b.Settle()
			s.Discard()
			s.covered(sees...)
		})
	}
	t.Run("traffic that does not stop", func(t *testing.T) {
		a, b := testnet.Pair(t, testnet.Link{Offloads: true})
		s := Open(t, backend, args, b)
		s.Discard()
		const reports = 10
		var sender sync.WaitGroup
		stop := make(chan struct{})
		sender.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					testnet.SendTCP(t, a, b, testnet.TCP{Request: 10 << 20, Reply: 10 << 20})
				}
			}
		})
		for n := 0; n < reports && !t.Failed(); {
			s.Discard()
			if len(s.Coverage()) == len(sees) { // the sender has begun
				s.covered(sees...)
				n++
			}
		}
		close(stop)
		sender.Wait()
		b.Settle()
		s.Discard()
		s.covered(sees...)
	})
}

// covered returns the coverage. It fails unless it is 100 % in exactly the given directions.
func (s *Source) covered(sees ...flow.Direction) []flow.Coverage {
	s.tb.Helper()
	all := s.Coverage()
	if len(all) != len(sees) {
		s.tb.Errorf("coverage of %d directions, want %v: %+v", len(all), sees, all)
		return all
	}
	for i := range all {
		c := &all[i]
		if c.Dir != sees[i] || c.Packets == 0 || c.Packets != c.LinkPackets {
			s.tb.Errorf("want all packets of %v: %v", sees[i], c)
		}
		if c.FrameBytes != c.LinkBytes && len(c.ByteReasons) == 0 {
			s.tb.Errorf("%s: %d of %d bytes, not explained", c, c.FrameBytes, c.LinkBytes)
		}
	}
	return all
}

// Coverage returns the coverage since the first Collect.
func (s *Source) Coverage() []flow.Coverage { return s.src.(registry.Covered).Coverage() }

// Discard collects, and ignores the records.
func (s *Source) Discard() { s.Collect(func([]flow.Record) {}) }
