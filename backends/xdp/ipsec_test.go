package xdp

import (
	"slices"
	"testing"

	"github.com/pktstat/pktstat/internal/test/livetest"
	"github.com/pktstat/pktstat/internal/test/testenv"
	"github.com/pktstat/pktstat/internal/test/testnet"
)

// TestIPsec: in the driver, packets count once. Generic XDP sees them a second time, decrypted,
// and a note warns of it.
func TestIPsec(t *testing.T) {
	testenv.Privileged(t)
	const n = 20
	for _, c := range []struct {
		mode string
		how  testnet.IPsec
		want uint64
	}{
		{modeNative, testnet.IPsec{}, n},
		{modeGeneric, testnet.IPsec{}, 2 * n},
		{modeGeneric, testnet.IPsec{Transport: true}, n},
		{modeGeneric, testnet.IPsec{Interface: true}, n},
	} {
		a, b := testnet.Pair(t, testnet.Link{})
		testenv.Feature(t, "ESP", "5.10", func() error {
			_, err := testnet.Encrypt(t, a, b, c.how)
			return err
		})
		s := livetest.Open(t, "xdp", args(c.mode), b)
		testnet.SendUDP(t, a, b, testnet.UDP{Payload: 100, Count: n})
		var got uint64
		records := s.Records()
		for i := range records {
			got += records[i].Counters.Packets
		}
		if got != c.want {
			t.Errorf("%s, %+v: counted %d packets, want %d", c.mode, c.how, got, c.want)
		}
		if notes := s.Attachment().Notes; slices.Contains(notes, noteTwice) != (c.want > n) {
			t.Errorf("%s, %+v: notes %q", c.mode, c.how, notes)
		}
		s.Close()
	}
}
