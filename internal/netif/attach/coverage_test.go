package attach_test

import (
	"testing"
	"time"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/test/livetest"
	"github.com/pktstat/pktstat/internal/test/testenv"
	"github.com/pktstat/pktstat/internal/test/testnet"
)

// TestCoverageFollows: an interface is compared from its attachment on, until it vanishes. One that
// returns is another one.
func TestCoverageFollows(t *testing.T) {
	testenv.Privileged(t)
	for _, backend := range []string{"tc", "afpacket"} {
		t.Run(backend, func(t *testing.T) {
			h := host{t, testnet.NewHost(t)}
			s := livetest.OpenMatching(t, backend, nil, h.Host, "f*", "!*-peer")
			s.Discard()
			wantCovered(t, s)
			h.veth("x0")
			h.send("x0", 7) // before pktstat is attached
			h.rename("x0", "f0")
			s.WaitSaid("interface f0 has appeared: counting on it")
			h.send("f0", 5)
			s.Discard()
			wantCovered(t, s, 5)
			h.send("f0", 2)
			s.Discard()
			wantCovered(t, s, 7)
			h.send("f0", 4)
			h.del("f0")
			s.WaitSaid("interface f0 has gone")
			s.Discard()
			wantCovered(t, s, 11)
			h.veth("f0")
			for end := time.Now().Add(time.Minute); len(s.Attachment().Interfaces) < 2; time.Sleep(time.Millisecond) {
				if time.Now().After(end) {
					t.Fatal("f0 has not returned")
				}
			}
			h.send("f0", 3)
			s.Discard()
			wantCovered(t, s, 11, 3)
		})
	}
}

// wantCovered fails unless the coverage of ingress is 100 %, of interfaces with so many packets. The
// kernel may add a few of IPv6.
func wantCovered(t *testing.T, s *livetest.Source, packets ...uint64) {
	t.Helper()
	const few = 5
	var ingress []flow.Coverage
	for _, c := range s.Coverage() {
		if c.Dir == flow.Ingress {
			ingress = append(ingress, c)
		}
	}
	if len(ingress) != len(packets) {
		t.Fatalf("%+v, want packets of %d interfaces", ingress, len(packets))
	}
	for i, c := range ingress {
		if c.Packets != c.LinkPackets || c.Packets < packets[i] || c.Packets > packets[i]+few || c.Name != "f0" {
			t.Errorf("%+v, want %d packets of f0", c, packets[i])
		}
	}
}
