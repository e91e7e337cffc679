package afpacket

import (
	"testing"

	"github.com/pktstat/pktstat/internal/test/livetest"
)

// TestIPsec: packet sockets see decrypted packets a second time.
func TestIPsec(t *testing.T) { livetest.IPsec(t, "afpacket") }
