// Package handshake measures how long TCP handshakes take: from SYN to the ACK that ends the
// handshake. Between these two segments, one packet went to the other end and back, wherever on
// the way they are seen. It also finds the handshakes that fail.
package handshake

import (
	"fmt"

	"github.com/pktstat/pktstat/flow"
)

// MaxPending is how many handshakes a Tracker knows at a time. A flood of SYN takes no more
// memory.
const MaxPending = 1 << 14

// expires is how long a handshake may take, in nanoseconds: Linux gives up after 127 s
// (net.ipv4.tcp_syn_retries).
const expires = 127e9

// How long a SYN may have no answer, in nanoseconds. Linux sends it again after 1, 3 and 7 s
// (RFC 6298).
const (
	Unanswered      = 10e9
	UnansweredAtEnd = 3e9 // where nothing can follow
)

// Tracker follows handshakes. It is not safe for concurrent use. The zero value is ready.
type Tracker struct {
	pending map[flow.Packed]*pending
	spare   []*pending
	failed  []Sender
	lost    uint64
}

// Sender is the flow of a segment.
type Sender struct {
	Key              flow.Packed
	CgroupID, Socket uint64 // as in flow.Record
}

// pending is a handshake that has begun. Times are nanoseconds of any clock.
type pending struct {
	by          Sender // of the first SYN
	first       int64  // when the first SYN was seen
	syn, synAck int64  // when the last one was seen; 0: not
	firstSends  bool   // the first end of the key sent the SYN
	answered    bool   // a SYN with ACK was seen
	judged      bool   // it has failed, or an answer may be missing
}

// Result is a handshake that has ended.
type Result struct {
	RTT int64      // nanoseconds, at least 1
	By  flow.RTTBy // which segments it is between
}

// Wants reports whether a Tracker must see a segment: one with SYN or RST, and the first one
// with ACK of a flow. seen are the flags of earlier segments of the flow.
func Wants(flags, seen flow.TCPFlags) bool {
	return flags&(flow.TCPSyn|flow.TCPRst) != 0 || flags&^seen&flow.TCPAck != 0
}

var ends = flow.DimsConversation.Projection()

// Segment takes a TCP segment at a time in nanoseconds, and reports whether it ends a
// handshake. A segment that is retransmitted counts when it was sent last. The caller must call
// [Tracker.Failed] before the next call that may fail another handshake.
func (t *Tracker) Segment(from *Sender, flags flow.TCPFlags, at int64) (Result, bool) {
	syn := flags&flow.TCPSyn != 0
	if !syn && len(t.pending) == 0 {
		return Result{}, false
	}
	key := from.Key
	key.Dir = flow.DirUnknown
	second := ends.Apply(&key)
	p := t.pending[key]
	if p != nil {
		p.judge(t, at, Unanswered)
	}
	switch {
	case flags&flow.TCPRst != 0 && p != nil && p.syn != 0 && p.synAck == 0 && p.firstSends == second:
		p.fail(t)
		return t.end(key, p, flow.RTTRefused, at-p.syn)
	case flags&flow.TCPRst != 0:
		t.drop(key, p)
	case syn && flags&flow.TCPAck == 0:
		p = t.begin(key, p, at)
		if p.syn == 0 || p.firstSends == second || at-p.first > expires {
			p.by, p.first, p.answered, p.judged = *from, at, false, false
		}
		p.syn, p.synAck, p.firstSends = at, 0, !second
	case syn:
		if p == nil {
			p = t.begin(key, nil, at)
			p.firstSends = second
		}
		if p.firstSends == second { // the other end answers
			p.synAck, p.answered = at, true
		}
	case p != nil && p.firstSends != second && flags&flow.TCPAck != 0:
		if p.syn == 0 {
			return t.end(key, p, flow.RTTSynAck, at-p.synAck)
		}
		return t.end(key, p, flow.RTTHandshake, at-p.syn)
	}
	return Result{}, false
}

// judge fails a handshake whose SYN has no answer for longer than the limit.
func (p *pending) judge(t *Tracker, at, limit int64) {
	if p.syn != 0 && p.synAck == 0 && at-p.first > limit {
		p.fail(t)
	}
}

// fail counts a handshake as failed, once.
func (p *pending) fail(t *Tracker) {
	if p.judged || p.answered {
		return
	}
	p.judged = true
	t.failed = append(t.failed, p.by)
}

// Expire fails the handshakes without an answer for longer than a limit in nanoseconds:
// [Unanswered] or [UnansweredAtEnd]. It forgets those that take too long.
func (t *Tracker) Expire(at, limit int64) {
	for key, p := range t.pending {
		p.judge(t, at, limit)
		if at-max(p.syn, p.synAck) > expires {
			t.drop(key, p)
		}
	}
}

// Failed returns the senders of the SYN of handshakes that have failed since the last call. It
// is valid until another one fails.
func (t *Tracker) Failed() []Sender {
	failed := t.failed
	t.failed = t.failed[:0]
	return failed
}

// Blind says that n segments were not shown to the tracker, so it cannot know which of the pending
// handshakes have no answer.
func (t *Tracker) Blind(n uint64) {
	t.lost += n
	for _, p := range t.pending {
		p.judged = true
	}
}

// Lost is how many handshakes were given up or segments not shown, for lack of room.
func (t *Tracker) Lost() uint64 { return t.lost }

// Note returns a note on n lost handshakes.
func Note(n uint64) []string {
	if n == 0 {
		return nil
	}
	return []string{fmt.Sprintf("%d segments of TCP handshakes were not followed for lack of room: connect_failed may be too low", n)}
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

// forget drops handshakes that have expired or failed, and else any one.
func (t *Tracker) forget(at int64) {
	const looked = 64
	n := 0
	for key, p := range t.pending {
		n++
		p.judge(t, at, Unanswered)
		if p.judged && !p.answered || at-max(p.syn, p.synAck) > expires {
			t.drop(key, p)
		}
		if n == looked {
			break
		}
	}
	if len(t.pending) < MaxPending {
		return
	}
	for key, p := range t.pending {
		if !p.answered {
			t.lost++
		}
		t.drop(key, p)
		break
	}
}

func (t *Tracker) drop(key flow.Packed, p *pending) {
	if p != nil {
		delete(t.pending, key)
		t.spare = append(t.spare, p)
	}
}
