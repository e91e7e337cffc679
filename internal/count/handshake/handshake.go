// Package handshake measures how long TCP handshakes take: from SYN to the ACK that ends the
// handshake. Between these two segments, one packet went to the other end and back, wherever on
// the way they are seen.
package handshake

import "github.com/pktstat/pktstat/flow"

// MaxPending is how many handshakes a Tracker knows at a time. A flood of SYN takes no more
// memory.
const MaxPending = 1 << 14

// expires is how long a handshake may take, in nanoseconds: Linux gives up after 127 s
// (net.ipv4.tcp_syn_retries).
const expires = 127e9

// Tracker follows handshakes. It is not safe for concurrent use. The zero value is ready.
type Tracker struct {
	pending map[flow.Packed]*pending
	spare   []*pending
}

// pending is a handshake that has begun. Times are nanoseconds of any clock.
type pending struct {
	syn, synAck int64 // when the last one was seen; 0: not
	firstSends  bool  // the first end of the key sent the SYN
}

// Result is a handshake that has ended.
type Result struct {
	RTT int64      // nanoseconds, at least 1
	By  flow.RTTBy // which segments it is between
}

// Wants reports whether a Tracker must see a segment: one with SYN, and the first one with
// ACK of a flow. seen are the flags of earlier segments of the flow.
func Wants(flags, seen flow.TCPFlags) bool {
	return flags&flow.TCPSyn != 0 || flags&^seen&flow.TCPAck != 0
}

var ends = flow.DimsConversation.Projection()

// Segment takes a TCP segment at a time in nanoseconds, and reports whether it ends a
// handshake. A segment that is retransmitted counts when it was sent last.
func (t *Tracker) Segment(k *flow.Packed, flags flow.TCPFlags, at int64) (Result, bool) {
	syn := flags&flow.TCPSyn != 0
	if !syn && len(t.pending) == 0 {
		return Result{}, false
	}
	key := *k
	key.Dir = flow.DirUnknown
	second := ends.Apply(&key)
	p := t.pending[key]
	switch {
	case flags&flow.TCPRst != 0 && p != nil && p.syn != 0 && p.synAck == 0 && p.firstSends == second:
		return t.end(key, p, flow.RTTRefused, at-p.syn)
	case flags&flow.TCPRst != 0:
		t.drop(key, p)
	case syn && flags&flow.TCPAck == 0:
		p = t.begin(key, p, at)
		p.syn, p.synAck, p.firstSends = at, 0, !second
	case syn:
		if p == nil {
			p = t.begin(key, nil, at)
			p.firstSends = second
		}
		if p.firstSends == second { // the other end answers
			p.synAck = at
		}
	case p != nil && p.firstSends != second && flags&flow.TCPAck != 0:
		if p.syn == 0 {
			return t.end(key, p, flow.RTTSynAck, at-p.synAck)
		}
		return t.end(key, p, flow.RTTHandshake, at-p.syn)
	}
	return Result{}, false
}

// end forgets a handshake and returns how long it took. A time that makes no sense is none: the
// clock was set, or the addresses and ports were used again.
func (t *Tracker) end(key flow.Packed, p *pending, by flow.RTTBy, rtt int64) (Result, bool) {
	t.drop(key, p)
	if rtt < 0 || rtt > expires {
		return Result{}, false
	}
	return Result{RTT: max(rtt, 1), By: by}, true
}

// Pending is how many handshakes have begun and not ended.
func (t *Tracker) Pending() int { return len(t.pending) }

// begin returns a handshake to follow. It forgets an old one if there are too many.
func (t *Tracker) begin(key flow.Packed, p *pending, at int64) *pending {
	if p != nil {
		return p
	}
	if t.pending == nil {
		t.pending = map[flow.Packed]*pending{}
	}
	if len(t.pending) >= MaxPending {
		t.forget(at)
	}
	if n := len(t.spare); n > 0 {
		p = t.spare[n-1]
		t.spare = t.spare[:n-1]
		*p = pending{}
	} else {
		p = &pending{}
	}
	t.pending[key] = p
	return p
}

// forget drops expired handshakes, and else any one.
func (t *Tracker) forget(at int64) {
	const looked = 64
	n := 0
	for key, p := range t.pending {
		if n++; n == 1 || at-max(p.syn, p.synAck) > expires {
			t.drop(key, p)
		}
		if n == looked {
			break
		}
	}
}

func (t *Tracker) drop(key flow.Packed, p *pending) {
	if p != nil {
		delete(t.pending, key)
		t.spare = append(t.spare, p)
	}
}
