// Package flowtable adds up packets by flow for backends that count in user space.
package flowtable

import (
	"math/rand/v2"
	"sync/atomic"

	"github.com/pktstat/pktstat/flow"
)

// Table adds up packets by flow. It is one goroutine's at a time. Rows lie densely; an open-addressing index of 64-bit
// words (upper half of the hash, row number) finds them. A flow for which there is no
// budget takes the place of a small one, which is summed up in other: nothing is lost, and
// a large flow that begins late is found.
type Table struct {
	budget *Budget
	seed   flow.Seed
	index  []uint64 // 0: free; else the hash's upper half << 32 | row number + 1
	rows   []row
	hand   int // where to look for a small flow next
	other  flow.Counters
}

type row struct {
	key  flow.Packed
	hash uint64
	flow.Counters
	flow.Marks
}

const minIndex = 1 << 10

// New returns an empty table.
func New(r *Budget) *Table {
	return &Table{budget: r, seed: flow.Seed{rand.Uint64(), rand.Uint64()}, index: make([]uint64, minIndex)}
}

// Add counts a packet, or several.
func (f *Table) Add(r *flow.Record) {
	h := r.Key.Hash(f.seed)
	mask := uint64(len(f.index) - 1)
	tag := h &^ 0xffffffff
	for j := h & mask; ; j = (j + 1) & mask {
		v := f.index[j]
		if v == 0 {
			f.insert(r, h, j)
			return
		}
		if v&^0xffffffff != tag {
			continue
		}
		if row := &f.rows[uint32(v)-1]; row.key == r.Key {
			row.Counters.Add(r.Counters)
			row.Marks.Merge(r.Marks)
			return
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
	case n == 0: // others have it all
		f.other.Add(r.Counters)
		return
	default:
		n = f.evict()
		free = f.find(h, 0)
	}
	f.rows[n] = row{r.Key, h, r.Counters, r.Marks}
	f.index[free] = h&^0xffffffff | uint64(n+1)
}

// find returns the place in the index of what is there for a hash.
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

// evict moves the smallest of a few flows into other, and returns its row.
func (f *Table) evict() int {
	const sample = 8
	small := f.hand % len(f.rows)
	for range sample {
		f.hand = (f.hand + 1) % len(f.rows)
		if f.rows[f.hand].FrameBytes < f.rows[small].FrameBytes {
			small = f.hand
		}
	}
	old := &f.rows[small]
	f.other.Add(old.Counters)
	f.remove(f.find(old.hash, old.hash&^0xffffffff|uint64(small+1)))
	return small
}

// remove frees a place of the index, and moves up what could not be found any more.
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

// Drain hands everything to the batch, with these for First and Last of the records (Unix
// nanoseconds), and forgets it. The batch's window is closed before.
func (f *Table) Drain(b *flow.Batch, first, last int64) {
	f.budget.release(len(f.rows))
	for i := range f.rows {
		r := b.Next()
		r.Key, r.Counters, r.Marks = f.rows[i].key, f.rows[i].Counters, f.rows[i].Marks
		r.First, r.Last = first, last
	}
	b.Overflow.Add(flow.OverflowTableFull, f.other)
	f.other = flow.Counters{}
	switch n := len(f.rows); {
	case cap(f.rows) > minIndex && n < cap(f.rows)/8: // the ring next to it may need the memory now
		f.index, f.rows = make([]uint64, minIndex), nil
	case n > 0:
		clear(f.index)
		f.rows = f.rows[:0]
	}
	f.hand = 0
}

// Budget is how many flows there may be, over several tables that may be used concurrently.
type Budget struct {
	left atomic.Int64
	half int64
	wake chan struct{} // gets a value when half of it is taken
}

// NewBudget returns budget for n flows.
func NewBudget(n int) *Budget {
	r := &Budget{half: int64(n / 2), wake: make(chan struct{}, 1)}
	r.left.Store(int64(max(n, 1)))
	return r
}

// Wake has a value when half of the budget is taken.
func (r *Budget) Wake() <-chan struct{} { return r.wake }

func (r *Budget) acquire() bool {
	left := r.left.Add(-1)
	if left < 0 {
		r.left.Add(1)
	}
	if left <= r.half {
		select {
		case r.wake <- struct{}{}:
		default:
		}
	}
	return left >= 0
}

func (r *Budget) release(n int) { r.left.Add(int64(n)) }
