package bpfflow

import (
	"math/bits"
	"sync/atomic"

	"github.com/pktstat/pktstat/flow"
)

// Collect closes the window and adds to b what was counted since the previous Collect, or since
// Load. It clears these counters. A flow that several CPUs saw has several records. Their First
// and Last are b's window.
func (t *Table) Collect(b *flow.Batch) error {
	epoch, end, err := t.seq.flip(t.opts.Now)
	if err != nil {
		return err
	}
	b.WindowClosed(end)
	if b.Start.IsZero() {
		b.Start = b.End
	}
	w := window{noFrames: t.opts.NoFrames}
	w.first, w.last = b.Window()
	for cpu := range t.size.cpus() {
		p := t.size.part(cpu, epoch)
		if t.size.sockets {
			w.readSocket(b, p.touched(t.maps.touchedSocket), slotsOf(p, t.maps.flowsSocket))
		} else {
			w.read4(b, p.touched(t.maps.touched4), slotsOf(p, t.maps.flows4))
			w.readWide(b, p.touched(t.maps.touchedWide), slotsOf(p, t.maps.flowsWide))
			readIfaces(b, t.maps.ifaces[(2*cpu+epoch)*maxIfaces:][:maxIfaces])
		}

		s := &t.maps.sides[2*cpu+epoch]
		lost := flow.Counters{Packets: s.Lost.Packets, Bytes: s.Lost.Bytes, FrameBytes: s.Lost.Bytes}
		full, interrupted, noShard := s.TableFull, s.Interrupted, s.NoShard
		if t.opts.NoFrames {
			full.FrameBytes, interrupted.FrameBytes, noShard.FrameBytes, lost.FrameBytes = 0, 0, 0, 0
		}
		if !noShard.IsZero() {
			b.Links = append(b.Links, flow.LinkPart{Overflow: noShard})
		}
		b.Overflow.Add(flow.OverflowTableFull, full)
		b.Overflow.Add(flow.OverflowInterrupted, interrupted)
		b.Overflow.Add(flow.OverflowNewCPU, noShard)
		b.Lost.Add(lost)
		b.LostBytesUnknown = b.LostBytesUnknown || !lost.IsZero()
		first := (2*cpu + epoch) * maxSegments
		t.segments = append(t.segments, t.maps.handshakes[first:][:min(s.Handshakes, maxSegments)]...)
		t.skipped += uint64(s.Skipped)
		b.OverflowHealth.Resets += s.Resets
		t.evictions += s.Evictions
		t.folds += s.Folds
		*s = side{}
	}
	t.measure(b, w)
	if n := t.maps.decrypted; n != nil {
		t.decrypted.Store(atomic.LoadUint64(n))
	}
	return nil
}

// part is a range of buckets of one kind: the buckets of a shard.
type part struct{ first, n int }

// touched returns the part's words of a touched map, which has a bit for each bucket.
func (p part) touched(all []uint64) []uint64 {
	return all[p.first/minBuckets : (p.first+p.n)/minBuckets]
}

func slotsOf[T any](p part, all []T) []T { return all[p.first*bucketSlots : (p.first+p.n)*bucketSlots] }

// window is the time of the packets in Unix nanoseconds.
type window struct {
	first, last int64
	noFrames    bool
}

// read4 adds the flows of a shard to b and frees their slots.
func (w window) read4(b *flow.Batch, touched []uint64, slots []slot4) {
	for i, word := range touched {
		if word == 0 {
			continue
		}
		touched[i] = 0
		for ; word != 0; word &= word - 1 {
			bucket := 64*i + bits.TrailingZeros64(word)
			for j := range slots[bucket*bucketSlots:][:bucketSlots] {
				s := &slots[bucket*bucketSlots+j]
				if s.Meta == 0 {
					continue
				}
				r := b.Next()
				s.decode(r)
				r.First, r.Last = w.first, w.last
				*s = slot4{}
			}
		}
	}
}

// readWide is read4 for wide slots.
func (w window) readWide(b *flow.Batch, touched []uint64, slots []slotWide) {
	for i, word := range touched {
		if word == 0 {
			continue
		}
		touched[i] = 0
		for ; word != 0; word &= word - 1 {
			bucket := 64*i + bits.TrailingZeros64(word)
			for j := range slots[bucket*bucketSlots:][:bucketSlots] {
				s := &slots[bucket*bucketSlots+j]
				if s.Meta == 0 {
					continue
				}
				r := b.Next()
				s.decode(r)
				r.First, r.Last = w.first, w.last
				*s = slotWide{}
			}
		}
	}
}

// readSocket is read4 for slots with a socket.
func (w window) readSocket(b *flow.Batch, touched []uint64, slots []slotSocket) {
	for i, word := range touched {
		if word == 0 {
			continue
		}
		touched[i] = 0
		for ; word != 0; word &= word - 1 {
			bucket := 64*i + bits.TrailingZeros64(word)
			for j := range slots[bucket*bucketSlots:][:bucketSlots] {
				s := &slots[bucket*bucketSlots+j]
				if s.Meta == 0 {
					continue
				}
				r := b.Next()
				s.decode(r)
				r.First, r.Last = w.first, w.last
				if w.noFrames {
					r.FrameBytes = 0
				}
				*s = slotSocket{}
			}
		}
	}
}
