package handshake

import (
	"math/rand/v2"
	"net/netip"
	"testing"

	"github.com/pktstat/pktstat/flow"
)

const (
	syn    = flow.TCPSyn
	synAck = flow.TCPSyn | flow.TCPAck
	ack    = flow.TCPAck
	rst    = flow.TCPRst | flow.TCPAck
)

type segment struct {
	back  bool // from the server
	flags flow.TCPFlags
	at    int64
}

// TestSegments: which handshakes end, when, and how that is known.
func TestSegments(t *testing.T) {
	for name, tc := range map[string]struct {
		segments []segment
		rtt      int64
		by       flow.RTTBy
	}{
		"whole":                  {[]segment{{false, syn, 10}, {true, synAck, 40}, {false, ack, 50}}, 40, flow.RTTHandshake},
		"with data":              {[]segment{{false, syn, 10}, {true, synAck, 40}, {false, ack | flow.TCPPsh, 50}}, 40, flow.RTTHandshake},
		"SYN sent again":         {[]segment{{false, syn, 10}, {false, syn, 1000}, {true, synAck, 1040}, {false, ack, 1050}}, 50, flow.RTTHandshake},
		"answer sent again":      {[]segment{{false, syn, 10}, {true, synAck, 40}, {true, synAck, 1040}, {false, ack, 1050}}, 1040, flow.RTTHandshake},
		"received only":          {[]segment{{false, syn, 10}, {false, ack, 50}}, 40, flow.RTTHandshake},
		"SYN not seen":           {[]segment{{true, synAck, 40}, {false, ack, 50}}, 10, flow.RTTSynAck},
		"refused":                {[]segment{{false, syn, 10}, {true, rst, 31}}, 21, flow.RTTRefused},
		"given up":               {[]segment{{false, syn, 10}, {false, flow.TCPRst, 31}}, 0, 0},
		"reset later":            {[]segment{{false, syn, 10}, {true, synAck, 40}, {true, rst, 41}, {false, ack, 50}}, 0, 0},
		"unanswered":             {[]segment{{false, syn, 10}, {false, syn, 1000}}, 0, 0},
		"sent only":              {[]segment{{true, synAck, 40}}, 0, 0},
		"no handshake":           {[]segment{{false, ack, 10}, {true, ack, 40}}, 0, 0},
		"at the same time":       {[]segment{{false, syn, 10}, {true, synAck, 10}, {false, ack, 10}}, 1, flow.RTTHandshake},
		"clock set back":         {[]segment{{false, syn, 10}, {true, synAck, 10}, {false, ack, 9}}, 0, 0},
		"too late":               {[]segment{{false, syn, 10}, {false, ack, 11 + expires}}, 0, 0},
		"the server's ACK first": {[]segment{{false, syn, 10}, {true, synAck, 40}, {true, ack, 45}, {false, ack, 50}}, 40, flow.RTTHandshake},
	} {
		for _, low := range []bool{true, false} {
			client, server := netip.MustParseAddrPort("192.0.2.9:50000"), netip.MustParseAddrPort("192.0.2.1:443")
			if low {
				client, server = netip.MustParseAddrPort("192.0.2.1:50000"), netip.MustParseAddrPort("192.0.2.9:443")
			}
			var tr Tracker
			var got Result
			ends := 0
			for _, s := range tc.segments {
				k := flow.Key{Proto: flow.TCP, Src: client, Dst: server, Dir: flow.Egress}
				if s.back {
					k.Src, k.Dst, k.Dir = server, client, flow.Ingress
				}
				p := flow.Pack(k)
				if r, ok := tr.Segment(&p, s.flags, s.at); ok {
					got = r
					ends++
				}
			}
			if want := (Result{tc.rtt, tc.by}); got != want || ends > 1 {
				t.Errorf("%s, low %t: %+v, %d ends; want %+v", name, low, got, ends, want)
			}
		}
	}
}

// TestWants: only segments with SYN, and the first one with ACK of a flow.
func TestWants(t *testing.T) {
	for _, tc := range []struct {
		flags, seen flow.TCPFlags
		want        bool
	}{{syn, 0, true}, {syn, syn, true}, {synAck, synAck, true}, {ack, syn, true}, {ack, 0, true}, {ack, synAck, false}, {ack | flow.TCPFin, ack, false}, {rst, syn, true}} {
		if got := Wants(tc.flags, tc.seen); got != tc.want {
			t.Errorf("%s after %s: %t", tc.flags, tc.seen, got)
		}
	}
}

// TestFlood: a flood of SYN takes no more than MaxPending, and a handshake in it is found.
func TestFlood(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	var tr Tracker
	found := 0
	for i := range int64(4 * MaxPending) {
		k := flow.Pack(flow.Key{Proto: flow.TCP, Src: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(i), byte(i >> 8), byte(i >> 16)}), uint16(rnd.Uint32())), Dst: netip.MustParseAddrPort("192.0.2.1:443")})
		tr.Segment(&k, syn, i)
		if _, ok := tr.Segment(&k, ack, i+1); ok && i%100 == 0 {
			found++
		} else if i%100 != 0 { // unanswered
			tr.Segment(&k, syn, i)
		}
		if len(tr.pending) > MaxPending {
			t.Fatalf("%d handshakes are pending", len(tr.pending))
		}
	}
	if found < 4*MaxPending/100 {
		t.Errorf("%d handshakes found", found)
	}
}
