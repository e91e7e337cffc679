package process_test

import (
	"net/netip"
	"testing"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/owner/process"
	"github.com/pktstat/pktstat/internal/test/testenv"
	"github.com/pktstat/pktstat/internal/test/testnet"
)

// TestPassed: two processes use a socket between two passes, and both end before the second.
func TestPassed(t *testing.T) {
	testenv.Privileged(t)
	for _, backend := range []string{"tc", "cgroup"} {
		for name, change := range map[string]func(*process.Options){"as it is": func(*process.Options) {}, "untracked": process.Untrack} {
			t.Run(backend+","+name, func(t *testing.T) {
				a, b := testnet.Pair(t, testnet.Link{})
				start(t, b.Host, role{Name: "udpsink.main", Local: at(b.IPv4, udpPort), N: 1})
				var givers []*helper
				const from = 5500
				for i, how := range []string{"fork", "exec", "rights", "left"} {
					givers = append(givers, start(t, a.Host, role{Name: "udpgive." + how, How: how, Size: 40, N: 90,
						Local: at(netip.IPv4Unspecified(), from+uint16(i)), Remote: at(b.IPv4, udpPort)}))
				}
				w := observe(t, backend, a, change)
				w.collect()
				for _, p := range givers {
					p.order()
				}
				w.collect()
				for i, p := range givers {
					if p.role.How == "rights" && !process.SeesReceivers(w.att) {
						continue
					}
					seen := uint64(0)
					for _, r := range w.of(conversation{flow.UDP, at(a.IPv4, from+uint16(i)), at(b.IPv4, udpPort)}) {
						seen += r.Packets
						if r.Match != flow.MatchShared {
							t.Errorf("%s: %d packets of two processes: %+v %v, want shared", p.role.How, r.Packets, w.owners.Get(r.Key.OwnerID), r.Match)
						}
					}
					if seen != 2 {
						t.Errorf("%s: %d packets, want 2", p.role.How, seen)
					}
				}
			})
		}
	}
}

// TestSpawn: a process stays exact if the programs that it starts inherit no socket.
func TestSpawn(t *testing.T) {
	testenv.Privileged(t)
	a, b := testnet.Pair(t, testnet.Link{})
	start(t, b.Host, role{Name: "udpserver.main", Local: at(b.IPv4, udpPort)})
	p := start(t, a.Host, role{Name: "udpspawn.main", Local: at(netip.IPv4Unspecified(), 5500), Remote: at(b.IPv4, udpPort), Size: 40})
	w := observe(t, "tc", a, process.Untrack)
	for range 3 {
		p.order()
		w.collect()
	}
	w.expect(conversation{flow.UDP, at(a.IPv4, 5500), at(b.IPv4, udpPort)}, p.pid(), "udpspawn.main", flow.MatchExact)
}
