// Package flowtable adds up packets by flow for backends that count in user space.
package flowtable

import (
	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/count/packet"
)

// Table adds up packets by flow. It is not safe for concurrent use. Rows lie densely. An
// open-addressing index of 64-bit words (upper half of the hash, row number) finds them. Without
// budget, a new flow replaces a small one, whose counters move into the overflow. So every packet
// counts, and a large flow that begins late gets a row.
type Table struct {
	budget    *Budget
	seed      flow.Seed
	index     []uint64 // 0: free; else upper half of the hash << 32 | row number + 1
	rows      []row
	clockHand int // row at which the next search for a small flow starts
	overflow  Sides

	conns  *Connections
	health map[flow.Packed]flow.Health // of few flows
	ended  []ended                     // handshakes

	overflowHealth flow.Health
}

// Sides are counters by direction.
type Sides [flow.Egress + 1]flow.Counters

type row struct {
	key  flow.Packed
	hash uint64
	flow.Counters
	flow.Marks
}

const minIndex = 1 << 10

// New returns an empty table. Several tables may share a budget. Tables that take turns with the
// packets of one place share what they know of connections.
func New(r *Budget, c *Connections) *Table {
	return &Table{
		budget: r, seed: c.streams.Seed, index: make([]uint64, minIndex), conns: c, health: map[flow.Packed]flow.Health{},
	}
}

// Add counts a packet and its segment, which was seen at a time in nanoseconds.
func (f *Table) Add(r *flow.Record, s packet.Segment, at int64) {
	h := r.Key.Hash(f.seed)
	seen := f.count(r, h)
	if r.TCPFlags != 0 {
		f.follow(r, s, h, seen, at)
	}
}

// count counts a packet, and returns the TCP flags of earlier packets of the flow.
func (f *Table) count(r *flow.Record, h uint64) (seen flow.TCPFlags) {
	mask := uint64(len(f.index) - 1)
	tag := h &^ 0xffffffff
	for j := h & mask; ; j = (j + 1) & mask {
		v := f.index[j]
		if v == 0 {
			f.insert(r, h, j)
			return 0
		}
		if v&^0xffffffff != tag {
			continue
		}
		if row := &f.rows[uint32(v)-1]; row.key == r.Key {
			seen = row.TCPFlags
			row.Counters.Add(r.Counters)
			row.Marks.Merge(r.Marks)
			return seen
		}
	}
}

func (f *Table) insert(r *flow.Record, h, free uint64) {
	n := len(f.rows)
	switch {
	case f.budget.acquire():
		f.rows = append(f.rows, row{})
		if 2*(n+1) > len(f.index) {
			f.grow()
			free = f.find(h, 0)
		}
	case n == 0: // other tables use the whole budget
		f.overflow[r.Key.Dir].Add(r.Counters)
		return
	default:
		n = f.evict()
		free = f.find(h, 0)
	}
	f.rows[n] = row{r.Key, h, r.Counters, r.Marks}
	f.index[free] = h&^0xffffffff | uint64(n+1)
}

// find returns the index slot of the entry with a hash and a word.
func (f *Table) find(h, word uint64) uint64 {
	mask := uint64(len(f.index) - 1)
	j := h & mask
	for f.index[j] != word {
		j = (j + 1) & mask
	}
	return j
}

func (f *Table) grow() {
	f.index = make([]uint64, 2*len(f.index))
	for i := range f.rows[:len(f.rows)-1] {
		h := f.rows[i].hash
		f.index[f.find(h, 0)] = h&^0xffffffff | uint64(i+1)
	}
}

// evict moves the smallest of a few flows into the overflow and returns its row.
func (f *Table) evict() int {
	const sample = 8
	small := f.clockHand % len(f.rows)
	for range sample {
		f.clockHand = (f.clockHand + 1) % len(f.rows)
		if f.rows[f.clockHand].FrameBytes < f.rows[small].FrameBytes {
			small = f.clockHand
		}
	}
	old := &f.rows[small]
	f.overflow[old.key.Dir].Add(old.Counters)
	f.remove(f.find(old.hash, old.hash&^0xffffffff|uint64(small+1)))
	return small
}

// remove frees an index slot, and moves entries that a search would no longer find.
func (f *Table) remove(hole uint64) {
	mask := uint64(len(f.index) - 1)
	for j := (hole + 1) & mask; f.index[j] != 0; j = (j + 1) & mask {
		home := f.rows[uint32(f.index[j])-1].hash & mask
		if (j-home)&mask >= (j-hole)&mask {
			f.index[hole] = f.index[j]
			hole = j
		}
	}
	f.index[hole] = 0
}

// Overflow returns what the next Drain adds to the overflow.
func (f *Table) Overflow() Sides { return f.overflow }

// Drain adds all flows to the batch and clears the table. first and last (Unix nanoseconds)
// become First and Last of the records. The batch's window must be closed.
func (f *Table) Drain(b *flow.Batch, first, last int64) {
	f.budget.release(len(f.rows))
	for i := range f.rows {
		r := b.Next()
		r.Key, r.Counters, r.Marks = f.rows[i].key, f.rows[i].Counters, f.rows[i].Marks
		r.First, r.Last = first, last
	}
	f.drainHealth(b, first, last)
	for dir := range f.overflow {
		b.Overflow.Add(flow.OverflowTableFull, f.overflow[dir])
	}
	f.overflow = Sides{}
	switch n := len(f.rows); {
	case cap(f.rows) > minIndex && n < cap(f.rows)/8: // another table may need the memory
		f.index, f.rows = make([]uint64, minIndex), nil
	case n > 0:
		clear(f.index)
		f.rows = f.rows[:0]
	}
	f.clockHand = 0
}
