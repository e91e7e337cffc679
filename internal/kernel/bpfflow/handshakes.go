package bpfflow

import (
	"cmp"
	"slices"
	"sync/atomic"

	"github.com/pktstat/pktstat/flow"
)

// measure adds the round-trip times of the handshakes that have ended to b. Segments of one
// handshake may come from several CPUs, so they are put into the order of time.
func (t *Table) measure(b *flow.Batch, w window) {
	slices.SortStableFunc(t.segments, func(a, b segment) int { return cmp.Compare(a.Time, b.Time) })
	var r flow.Record
	for i := range t.segments {
		s := &t.segments[i]
		s.decode(&r)
		done, ok := t.handshakes.Segment(&r.Key, flow.TCPFlags(s.TCPFlags), int64(s.Time))
		if !ok {
			continue
		}
		next := b.Next()
		next.Key, next.Counters, next.First, next.Last = r.Key, flow.Counters{}, w.first, w.last
		if t.size.sockets {
			next.CgroupID, next.Socket, next.Retransmits = r.CgroupID, r.Socket, 0
		}
		next.RTT, next.RTTBy = done.RTT, done.By
	}
	t.segments = t.segments[:0]
	if t.handshakes.Pending() == 0 && atomic.LoadUint32(t.maps.awaited) != 0 {
		// A handshake may begin now. Then its first segment is in the other epoch, and the
		// programs do not set the variable again before they see another SYN.
		atomic.StoreUint32(t.maps.awaited, 0)
	}
}
