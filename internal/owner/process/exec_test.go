package process_test

import (
	"net/netip"
	"testing"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/test/testnet"
)

// TestExec: a process that calls execve(2) gets the new program's name.
func TestExec(t *testing.T) {
	onEvery(t, func(t *testing.T, backend string) {
		a, b := testnet.Pair(t, testnet.Link{})
		start(t, b.Host, role{Name: "udpserver.main", Local: at(b.IPv4, udpPort)})
		w := observe(t, backend, a)
		p := start(t, a.Host, role{Name: "udpexec.old", Local: at(netip.IPv4Unspecified(), 5500), Remote: at(b.IPv4, udpPort), Size: 40})
		inherited := conversation{flow.UDP, at(a.IPv4, 5500), at(b.IPv4, udpPort)}
		w.collect()
		w.expect(inherited, p.pid(), "udpexec.old", flow.MatchExact)

		w.records = nil
		own := conversation{flow.UDP, at(a.IPv4, number(t, p.order())), at(b.IPv4, udpPort)}
		p.end()
		w.collect()
		w.expect(own, p.pid(), "udpafter.new", flow.MatchExact)
		w.expect(inherited, p.pid(), "udpafter.new", flow.MatchExact)
	})
}
