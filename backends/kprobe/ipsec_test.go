package kprobe

import (
	"testing"

	"github.com/pktstat/pktstat/internal/test/livetest"
)

// TestIPsec: decrypted packets enter the IP layer a second time.
func TestIPsec(t *testing.T) { livetest.IPsec(t, "kprobe") }
