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
				if r, ok := tr.Segment(&Sender{Key: flow.Pack(k)}, s.flags, s.at); ok {
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
	}{{syn, 0, true}, {syn, syn, true}, {synAck, synAck, true}, {ack, syn, true}, {ack, 0, true}, {ack, synAck, false}, {ack | flow.TCPFin, ack, false}, {rst, syn, true}, {rst, synAck, true}} {
		if got := Wants(tc.flags, tc.seen); got != tc.want {
			t.Errorf("%s after %s: %t", tc.flags, tc.seen, got)
		}
	}
}

// TestFailed: which handshakes fail, and that each counts once, at the flow of its first SYN.
func TestFailed(t *testing.T) {
	const second = int64(1e9)
	for name, tc := range map[string]struct {
		segments    []segment
		live, ended int // failed after a while, and at the end of a capture
	}{
		"answered":                  {[]segment{{false, syn, 0}, {true, synAck, 40}}, 0, 0},
		"whole":                     {[]segment{{false, syn, 0}, {true, synAck, 40}, {false, ack, 50}}, 0, 0},
		"refused":                   {[]segment{{false, syn, 0}, {true, rst, 40}}, 1, 1},
		"refused again and again":   {[]segment{{false, syn, 0}, {true, rst, 40}, {false, syn, 50}, {true, rst, 90}}, 2, 2},
		"no answer":                 {[]segment{{false, syn, 0}}, 0, 0},
		"no answer for 3 s":         {[]segment{{false, syn, 0}, {false, syn, second}, {false, syn, 3*second + 1}}, 0, 1},
		"no answer for 10 s":        {[]segment{{false, syn, 0}, {false, syn, second}, {false, syn, 11 * second}}, 1, 1},
		"answered late":             {[]segment{{false, syn, 0}, {true, synAck, 11 * second}, {false, ack, 11*second + 1}}, 1, 1},
		"refused late":              {[]segment{{false, syn, 0}, {true, rst, 11 * second}}, 1, 1},
		"answer not seen":           {[]segment{{false, syn, 0}, {false, ack, second}, {true, ack, 12 * second}}, 0, 0},
		"sent again when answered":  {[]segment{{false, syn, 0}, {true, synAck, 10}, {false, syn, second}, {true, synAck, 11 * second}}, 0, 0},
		"given up by its own reset": {[]segment{{false, syn, 0}, {false, flow.TCPRst, 11}, {true, rst, 12 * second}}, 0, 0},
		"another one much later":    {[]segment{{false, syn, 0}, {false, syn, 100 * second}, {false, syn, 200 * second}, {true, rst, 201 * second}}, 2, 2},
		"reset when established":    {[]segment{{false, syn, 0}, {true, synAck, 40}, {false, ack, 50}, {true, rst, 60}}, 0, 0},
	} {
		for _, ended := range []bool{false, true} {
			var tr Tracker
			var failed []Sender
			client := flow.Key{Proto: flow.TCP, Src: netip.MustParseAddrPort("192.0.2.9:50000"), Dst: netip.MustParseAddrPort("192.0.2.1:443"), Dir: flow.Egress}
			server := flow.Key{Proto: flow.TCP, Src: client.Dst, Dst: client.Src, Dir: flow.Ingress}
			last := int64(0)
			for _, s := range tc.segments {
				from := Sender{Key: flow.Pack(client), Socket: 7}
				if s.back {
					from = Sender{Key: flow.Pack(server), Socket: 8}
				}
				tr.Segment(&from, s.flags, s.at+1)
				failed = append(failed, tr.Failed()...)
				last = s.at + 1
			}
			limit, want := int64(Unanswered), tc.live
			if ended {
				limit, want = UnansweredAtEnd, tc.ended
			}
			for range 2 {
				tr.Expire(last, limit)
				failed = append(failed, tr.Failed()...)
			}
			if len(failed) != want {
				t.Errorf("%s, ended %t: %d failed, want %d", name, ended, len(failed), want)
			}
			for _, f := range failed {
				if f != (Sender{Key: flow.Pack(client), Socket: 7}) {
					t.Errorf("%s: %+v failed", name, f.Key.Key())
				}
			}
			if tr.Expire(last+expires+1, limit); tr.Pending() != 0 {
				t.Errorf("%s: %d are pending for ever", name, tr.Pending())
			}
		}
	}
}

// TestBlind: if segments were not shown, no pending handshake fails for want of an answer. Those
// that begin later do.
func TestBlind(t *testing.T) {
	var tr Tracker
	key := func(port uint16) *Sender {
		return &Sender{Key: flow.Pack(flow.Key{Proto: flow.TCP, Src: netip.AddrPortFrom(netip.MustParseAddr("192.0.2.9"), port), Dst: netip.MustParseAddrPort("192.0.2.1:443")})}
	}
	tr.Segment(key(1), syn, 1)
	tr.Blind(3)
	tr.Segment(key(2), syn, 1)
	tr.Expire(20e9, Unanswered)
	if f := tr.Failed(); len(f) != 1 || f[0] != *key(2) {
		t.Errorf("failed: %+v", f)
	}
	if tr.Lost() != 3 || len(Note(3)) != 1 || Note(0) != nil {
		t.Errorf("%d lost", tr.Lost())
	}
}

// TestFlood: a flood of SYN takes no more than MaxPending, and a handshake in it is found.
func TestFlood(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	var tr Tracker
	found := 0
	for i := range int64(4 * MaxPending) {
		k := Sender{Key: flow.Pack(flow.Key{Proto: flow.TCP, Src: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(i), byte(i >> 8), byte(i >> 16)}), uint16(rnd.Uint32())), Dst: netip.MustParseAddrPort("192.0.2.1:443")})}
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
	if tr.Lost() == 0 {
		t.Error("no handshake was lost")
	}
}
