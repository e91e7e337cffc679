package pcap

import (
	"slices"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/count/handshake"
	"github.com/pktstat/pktstat/internal/count/packet"
	"github.com/pktstat/pktstat/internal/count/sequence"
)

// lineage has the TCP streams of a capture, or of several that follow one another. Two captures
// of one time may have the same packets, which are not sent again.
type lineage struct {
	*sequence.Tracker
	last int64 // time of the last packet
}

func newLineage() *lineage { return &lineage{Tracker: sequence.New()} }

// segment takes a TCP segment. It begins a slot's stream, or brings it up to date; slot may be
// nil.
func (l *lineage) segment(k *flow.Packed, seg packet.Segment, flags flow.TCPFlags, slot *recentSlot, at int64) (h flow.Health) {
	if flags&flow.TCPRst != 0 || !sequence.Consumes(seg.Payload, flags) {
		return l.Tracker.Segment(l.ID(k), seg, flags, 1, at)
	}
	l.last = max(l.last, at)
	stream := l.Find(l.ID(k), at)
	if slot != nil && slot.ahead {
		stream.Resume(slot.next)
	}
	h = stream.Segment(seg.Seq, seg.Payload, flags).Health(1, seg.Payload)
	if slot != nil {
		slot.follows, slot.ahead, slot.next = true, false, stream.Next
	}
	return h
}

// resume brings the stream of a slot up to date.
func (l *lineage) resume(k *flow.Packed, slot *recentSlot) {
	l.last = max(l.last, slot.last)
	l.Find(l.ID(k), slot.last).Resume(slot.next)
}

// unwell hands to the batch what went wrong in a flow.
func (s *shared) unwell(k *flow.Packed, h flow.Health, at int64, b *flow.Batch) {
	if h.IsZero() {
		return
	}
	r := b.Next()
	r.Key, r.Counters, r.First, r.Last = *k, flow.Counters{}, at, at
	r.Health, r.RetransmitsBy = h, flow.RetransmitsSequence
}

// segment hands the round-trip time to the batch, if a segment ends a handshake.
func (s *shared) segment(k *flow.Packed, flags flow.TCPFlags, at int64, b *flow.Batch) {
	key := *k
	if done, ok := s.handshakes.Segment(&handshake.Sender{Key: key}, flags, at); ok {
		r := b.Next()
		r.Key, r.Counters, r.First, r.Last = key, flow.Counters{}, at, at
		r.RTT, r.RTTBy = done.RTT, done.By
	}
	s.failed(at, b)
}

// expire fails the handshakes without an answer. ended: no packet follows.
func (s *shared) expire(b *flow.Batch, ended bool) {
	if !s.window.started {
		return
	}
	at := s.window.newest
	limit := int64(handshake.Unanswered)
	if ended {
		limit = handshake.UnansweredAtEnd
	}
	s.handshakes.Expire(at, limit)
	s.failed(at, b)
}

func (s *shared) failed(at int64, b *flow.Batch) {
	for _, from := range s.handshakes.Failed() {
		s.unwell(&from.Key, flow.Health{ConnectFailed: 1}, at, b)
	}
}

// lost are notes on what there was no room for.
func (s *shared) lost(all ...*lineage) []string {
	var streams uint64
	for _, l := range all {
		streams += l.Lost()
	}
	return slices.Concat(handshake.Note(s.handshakes.Lost()), sequence.Note(streams))
}

// lineages are all of several captures.
type lineages struct {
	all  []*lineage
	free []*lineage // of captures that have ended
}

// begin returns the lineage of a capture whose first packet has a time: of a capture that ended
// before, or a new one.
func (l *lineages) begin(at int64) *lineage {
	for i, old := range l.free {
		if old.last <= at {
			l.free = slices.Delete(l.free, i, i+1)
			return old
		}
	}
	l.all = append(l.all, newLineage())
	return l.all[len(l.all)-1]
}

func (l *lineages) end(old *lineage) { l.free = append(l.free, old) }
