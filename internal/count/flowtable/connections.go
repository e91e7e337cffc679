package flowtable

import (
	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/count/handshake"
	"github.com/pktstat/pktstat/internal/count/packet"
	"github.com/pktstat/pktstat/internal/count/sequence"
)

// Connections is what is known of the TCP connections of one place, longer than for an interval.
// It is not safe for concurrent use.
type Connections struct {
	handshakes handshake.Tracker
	streams    *sequence.Tracker
	lost       struct{ handshakes, streams uint64 } // that the budget knows of
}

// NewConnections returns a Connections that knows none.
func NewConnections() *Connections { return &Connections{streams: sequence.New()} }

// maxHealth is the number of flows of an interval for which something may go wrong. The health of
// others is in the overflow.
const maxHealth = 1 << 16

// ended is a handshake that has ended.
type ended struct {
	key flow.Packed
	handshake.Result
}

// follow looks at what a TCP segment says of its connection. h is the hash of its key, and seen
// are the flags of earlier packets.
func (f *Table) follow(r *flow.Record, s packet.Segment, h uint64, seen flow.TCPFlags, at int64) {
	flags := r.TCPFlags
	health := f.conns.streams.Segment(h, s, flags, r.Packets, at)
	if !health.IsZero() {
		f.addHealth(&r.Key, health)
	}
	if !handshake.Wants(flags, seen) {
		return
	}
	done, ok := f.conns.handshakes.Segment(&handshake.Sender{Key: r.Key}, flags, at)
	if ok && len(f.ended) < handshake.MaxPending {
		f.ended = append(f.ended, ended{r.Key, done})
	}
	f.addFailed()
}

// Expire fails the handshakes that have no answer at a time in nanoseconds. A reader calls it
// before it takes another table.
func (f *Table) Expire(at int64) {
	f.conns.handshakes.Expire(at, handshake.Unanswered)
	f.addFailed()
	c := f.conns
	handshakes, streams := c.handshakes.Lost(), c.streams.Lost()
	f.budget.handshakes.Add(handshakes - c.lost.handshakes)
	f.budget.streams.Add(streams - c.lost.streams)
	c.lost.handshakes, c.lost.streams = handshakes, streams
}

func (f *Table) addFailed() {
	failed := f.conns.handshakes.Failed()
	for i := range failed {
		f.addHealth(&failed[i].Key, flow.Health{ConnectFailed: 1})
	}
}

func (f *Table) addHealth(k *flow.Packed, more flow.Health) {
	h, known := f.health[*k]
	if !known && len(f.health) >= maxHealth {
		f.overflowHealth.Add(more)
		return
	}
	h.Add(more)
	f.health[*k] = h
}

// drainHealth adds what is known of connections to the batch, and forgets it.
func (f *Table) drainHealth(b *flow.Batch, first, last int64) {
	add := func(k *flow.Packed) *flow.Record {
		r := b.Next()
		r.Key, r.Counters, r.First, r.Last = *k, flow.Counters{}, first, last
		return r
	}
	for i := range f.ended {
		r := add(&f.ended[i].key)
		r.RTT, r.RTTBy = f.ended[i].RTT, f.ended[i].By
	}
	for k, h := range f.health {
		r := add(&k)
		r.Health, r.RetransmitsBy = h, flow.RetransmitsSequence
	}
	b.OverflowHealth.Add(f.overflowHealth)
	f.ended, f.overflowHealth = f.ended[:0], flow.Health{}
	clear(f.health)
}
