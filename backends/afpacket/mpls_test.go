package afpacket

import (
	"testing"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/test/livetest"
	"github.com/pktstat/pktstat/internal/test/testenv"
	"github.com/pktstat/pktstat/internal/test/testnet"
)

// TestMPLS compares packets with two labels at both ends of a link, and with tc.
func TestMPLS(t *testing.T) {
	testenv.Machine(t) // other kernels may lack MPLS
	a, b := testnet.Pair(t, testnet.Link{})
	testnet.MPLS(t, a, b)
	out, in, tc := livetest.Open(t, "afpacket", nil, a), livetest.Open(t, "afpacket", nil, b), livetest.Open(t, "tc", nil, b)
	there, back := testnet.SendTCP(t, a, b, testnet.TCP{Request: 2 << 20, Reply: 100_000})
	b.Settle()
	sent, got, bpf := out.Records(), in.Records(), tc.Records()
	for _, k := range []flow.Key{there, back} {
		s, g, w := livetest.Sum(sent, k), livetest.Sum(got, k), livetest.Sum(bpf, k)
		if s != w || g != w || w.IsZero() {
			t.Errorf("%v: counted %+v and %+v, tc has %+v", k, s, g, w)
		}
	}
}
