// Package sequence finds TCP segments that were sent again, by their sequence numbers. A segment
// whose bytes were seen before was sent again. One that fills a hole was overtaken by others.
package sequence

import (
	"fmt"
	"math/rand/v2"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/count/packet"
)

// Tracker has the streams of the packets of one place. It is not safe for concurrent use. See
// [New].
//
// A stream is found by a hash of its key with a secret seed: 64 bits distinguish streams. Streams
// are in sets of eight, one to a cache line. In its set, a stream is in the first place that was
// free, from one on that the hash chooses. A tracker grows with its streams. At its largest, a
// new stream replaces one of its set.
type Tracker struct {
	Seed    flow.Seed
	streams []Stream
	max     int
	lost    uint64
}

const (
	ways     = 8
	minSize  = 64 * ways
	maxSize  = 1 << 17 // 8 MB
	tickBits = 30      // a tick is about a second
	idle     = 60      // ticks: the connection may have ended
)

// New returns a tracker.
func New() *Tracker {
	return &Tracker{Seed: flow.Seed{rand.Uint64(), rand.Uint64()}, streams: make([]Stream, minSize), max: maxSize}
}

// Lost is how many streams were replaced, though they may have gone on.
func (t *Tracker) Lost() uint64 { return t.lost }

// Note returns a note on n lost streams.
func Note(n uint64) []string {
	if n == 0 {
		return nil
	}
	return []string{fmt.Sprintf("pktstat had no room to follow %d directions of TCP connections: retransmits may be too low", n)}
}

// Segment takes a TCP segment, seen at a time in nanoseconds. It returns what the segment
// repeats, and counts RST. packets is more than 1 for a super-frame.
func (t *Tracker) Segment(id uint64, s packet.Segment, flags flow.TCPFlags, packets uint64, at int64) flow.Health {
	switch {
	case flags&flow.TCPRst != 0: // its payload is a text for people (RFC 9293, section 3.5.3)
		id = max(id, 1)
		if s := t.find(id); s != nil && s.id == id {
			s.ended = true
		}
		return flow.Health{Resets: 1}
	case Consumes(s.Payload, flags):
		return t.Find(id, at).Segment(s.Seq, s.Payload, flags).Health(packets, s.Payload)
	}
	return flow.Health{}
}

// ID returns the hash of a stream's key. The owner is not part of it, as one may get another
// number.
func (t *Tracker) ID(k *flow.Packed) uint64 {
	owner := k.OwnerID
	k.OwnerID = 0
	h := k.Hash(t.Seed)
	k.OwnerID = owner
	return h
}

// Find returns the stream of an [Tracker.ID], a new one if there is none. It is valid until the
// next call. at is the time in nanoseconds.
func (t *Tracker) Find(id uint64, at int64) *Stream {
	id = max(id, 1)
	s := t.find(id)
	if s == nil || s.id != id {
		s = t.insert(s, id, uint32(at>>tickBits))
	}
	s.at = uint32(at >> tickBits)
	return s
}

// find returns the place of a stream, a free place for it, or nil.
func (t *Tracker) find(id uint64) *Stream {
	set := t.set(id)
	for i := range uint64(ways) {
		if s := &set[(id+i)%ways]; s.id == id || s.id == 0 {
			return s
		}
	}
	return nil
}

func (t *Tracker) set(id uint64) []Stream {
	first := int(id>>32) & (len(t.streams) - 1) &^ (ways - 1)
	return t.streams[first:][:ways:ways]
}

// insert adds a stream in a place that find has returned.
func (t *Tracker) insert(s *Stream, id uint64, now uint32) *Stream {
	for s == nil && len(t.streams) < t.max {
		t.grow()
		s = t.find(id)
	}
	if s == nil {
		s = t.replaceable(id, now)
	}
	*s = Stream{id: id}
	return s
}

// grow doubles the tracker. Each set becomes two.
func (t *Tracker) grow() {
	old := t.streams
	t.streams = make([]Stream, 2*len(old))
	for i := range old {
		if id := old[i].id; id != 0 {
			*t.find(id) = old[i]
		}
	}
}

// replaceable returns the stream that makes room: one that has ended or sent nothing but SYN. If
// there is none, it returns the one that was silent for the longest time.
func (t *Tracker) replaceable(id uint64, now uint32) (s *Stream) {
	set, rank := t.set(id), int64(-1)
	for i := range set {
		r := max(int64(int32(now-set[i].at)), 0) // a capture may be of an earlier time
		if !set[i].matters() {
			r += 1 << 32
		}
		if r > rank {
			s, rank = &set[i], r
		}
	}
	if rank < idle {
		t.lost++
	}
	return s
}

// matters reports whether the stream has data, and may have more.
func (s *Stream) matters() bool { return !s.ended && (!s.syn || s.Next != s.isn+1) }

// Resume continues a stream that was followed elsewhere up to next.
func (s *Stream) Resume(next uint32) { s.Next, s.known = next, true }
