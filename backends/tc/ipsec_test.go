package tc

import (
	"testing"

	"github.com/pktstat/pktstat/internal/test/livetest"
	"github.com/pktstat/pktstat/internal/test/testenv"
)

// TestIPsec: the kernel hands decrypted packets to ingress a second time.
func TestIPsec(t *testing.T) {
	testenv.Privileged(t)
	for _, method := range methods {
		t.Run(method, func(t *testing.T) {
			needsMethod(t, method)
			livetest.IPsec(t, "tc", args(method)...)
		})
	}
}
