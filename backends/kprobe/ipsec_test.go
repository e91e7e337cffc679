package kprobe

import (
	"testing"

	"github.com/pktstat/pktstat/internal/test/livetest"
)

// TestIPsec: decrypted packets enter the IP layer once more.
func TestIPsec(t *testing.T) { livetest.IPsec(t, "kprobe") }
