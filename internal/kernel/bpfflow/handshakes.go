package bpfflow

import (
	"cmp"
	"slices"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/count/handshake"
)

// measure adds the round-trip times of handshakes that have ended to b, and the handshakes that
// failed. Segments of one handshake may come from several CPUs, so it puts them into the order of
// time.
func (t *Table) measure(b *flow.Batch, w window) {
	slices.SortStableFunc(t.segments, func(a, b segment) int { return cmp.Compare(a.Time, b.Time) })
	add := func(from *handshake.Sender) *flow.Record {
		r := b.Next()
		r.Key, r.Counters, r.First, r.Last = from.Key, flow.Counters{}, w.first, w.last
		if t.size.sockets {
			r.CgroupID, r.Socket = from.CgroupID, from.Socket
		}
		return r
	}
	var r flow.Record
	for i := range t.segments {
		s := &t.segments[i]
		s.decode(&r)
		from := handshake.Sender{Key: r.Key, CgroupID: r.CgroupID, Socket: r.Socket}
		if done, ok := t.handshakes.Segment(&from, flow.TCPFlags(s.TCPFlags), int64(s.Time)); ok {
			next := add(&from)
			next.RTT, next.RTTBy = done.RTT, done.By
		}
	}
	t.segments = t.segments[:0]
	if t.skipped > 0 {
		t.handshakes.Blind(t.skipped)
		t.skipped = 0
	}
	t.handshakes.Expire(sinceBoot(), handshake.Unanswered)
	failed := t.handshakes.Failed()
	for i := range failed {
		add(&failed[i]).ConnectFailed = 1
	}
	t.lost.Store(t.handshakes.Lost())
	if t.handshakes.Pending() == 0 && atomic.LoadUint32(t.maps.awaited) != 0 {
		// A handshake may begin now. Then its first segment is in the other epoch, and the
		// programs do not set the variable again before they see another SYN.
		atomic.StoreUint32(t.maps.awaited, 0)
	}
}

// sinceBoot is the time of bpf_ktime_get_ns.
func sinceBoot() int64 {
	var now unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &now) // never fails
	return now.Nano()
}
