package xdp

import (
	"testing"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/test/livetest"
)

// TestCoverage: XDP sees each packet that the interface receives.
func TestCoverage(t *testing.T) {
	for _, mode := range []string{modeNative, modeGeneric} {
		t.Run(mode, func(t *testing.T) {
			livetest.Coverage(t, "xdp", []string{"-mode", mode}, flow.Ingress)
		})
	}
}
