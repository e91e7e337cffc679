package afpacket

import (
	"testing"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/test/livetest"
)

// TestCoverage: packet sockets get what the interface counts, in both directions.
func TestCoverage(t *testing.T) {
	livetest.Coverage(t, "afpacket", nil, flow.Ingress, flow.Egress)
}
