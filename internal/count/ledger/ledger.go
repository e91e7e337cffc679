// Package ledger adds up the records of a source by row, for the interval and for the run. Its
// memory is bounded. For every interval and for the run,
//
//	total == sum(rows) + overflow + lost
//
// holds to the byte.
package ledger

import (
	"iter"

	"github.com/pktstat/pktstat/flow"
)

// Ledger holds one row per distinct key, after projection to the fields that rows are grouped by.
// It is not safe for concurrent use.
//
// Rows lie densely in chunks that never move. An open-addressing index of 64-bit words (upper
// half of the hash, row number) finds them. With a million rows, a record costs two cache misses
// and no garbage.
type Ledger struct {
	seed  flow.Seed
	dims  flow.Dims
	proj  flow.Projection
	max   int
	index []uint64 // 0: free; else upper half of the hash << 32 | row number + 1
	rows  store[flow.PackedRow]
	sides sides
	sums  [2]flow.Sums // by span; Rest stays 0

	apply   bool     // proj does something
	sided   bool     // every row has a side
	scratch []uint64 // sizes of rows, for fold
	touched uint64   // keeps the compiler from removing touch's loads
}

// Span is the time that sums and rows cover.
type Span uint8

// Spans.
const (
	Interval Span = iota
	Run
)

const minIndex = 1 << 10

// New returns a ledger with at most maxRows rows, at least one. The seed should be random, so
// that an attacker cannot force hash collisions.
func New(dims flow.Dims, maxRows int, seed flow.Seed) *Ledger {
	l := &Ledger{
		seed: seed, dims: dims, max: max(maxRows, 1),
		index: make([]uint64, minIndex), sided: dims.TwoSided(),
	}
	l.proj = dims.Projection()
	l.apply = !l.proj.IsIdentity()
	return l
}

// Len returns the number of rows.
func (l *Ledger) Len() int { return l.rows.n }

// Sums returns the sums of a span.
func (l *Ledger) Sums(s Span) flow.Sums { return l.sums[s] }

// Owners iterates over the owners of the rows. It may repeat an owner.
func (l *Ledger) Owners() iter.Seq[uint32] {
	return func(yield func(uint32) bool) {
		for row := range l.rows.all() {
			if row.Key.OwnerID != 0 && !yield(row.Key.OwnerID) {
				return
			}
			for _, e := range l.sides.of(row).ends {
				if e.owner != 0 && !yield(e.owner) {
					return
				}
			}
		}
	}
}

// Rows iterates over all rows.
func (l *Ledger) Rows() iter.Seq[*flow.PackedRow] { return l.rows.all() }

// Counted iterates over the rows in which something was counted in a span.
func (l *Ledger) Counted(s Span) iter.Seq[*flow.PackedRow] {
	return func(yield func(*flow.PackedRow) bool) {
		for row := range l.rows.all() {
			if !l.silent(row, s) && !yield(row) {
				return
			}
		}
	}
}

// AddOverflow adds packets that a source counted without a flow, and what went wrong in flows
// without a record.
func (l *Ledger) AddOverflow(o *flow.Overflow, h flow.Health) {
	for i := range l.sums {
		l.sums[i].Total.Health.Add(h)
		l.sums[i].Overflow.Health.Add(h)
		for reason, c := range o {
			l.sums[i].Total.Counters.Add(c)
			l.sums[i].AddOverflow(flow.OverflowReason(reason), flow.Totals{Counters: c})
		}
	}
}

// AddLost adds packets that a source saw but could not count.
func (l *Ledger) AddLost(c flow.Counters) {
	for i := range l.sums {
		l.sums[i].Total.Counters.Add(c)
		l.sums[i].Lost.Counters.Add(c)
	}
}

// block is the number of records that Merge looks up together. A first pass touches their index
// words and rows, so that the cache misses overlap.
const block = 64

// Merge adds records. It projects their keys in place.
func (l *Ledger) Merge(recs []flow.Record) {
	var total flow.Totals
	var hashes [block]uint64
	var froms [block]from
	for len(recs) > 0 {
		n := min(block, len(recs))
		for i := range recs[:n] {
			total.Counters.Add(recs[i].Counters)
			total.Health.Add(recs[i].Health)
		}
		if l.dims.Has(flow.DimHost) {
			l.mergeHosts(recs[:n], &hashes, &froms)
		} else {
			l.mergeBlock(recs[:n], &hashes, &froms)
		}
		recs = recs[n:]
	}
	for i := range l.sums {
		l.sums[i].Total.Add(total)
	}
}

func (l *Ledger) mergeBlock(recs []flow.Record, hashes *[block]uint64, froms *[block]from) {
	l.touch(recs, hashes, froms)
	for i := range recs {
		row := l.add(&recs[i], hashes[i])
		if l.sided || !recs[i].Health.IsZero() || recs[i].RTT != 0 {
			l.sides.make(row).add(&recs[i], froms[i])
		}
	}
}

// mergeHosts counts each record at its source, which sent it, and at its destination.
func (l *Ledger) mergeHosts(recs []flow.Record, hashes *[block]uint64, froms *[block]from) {
	var ends [2][block]flow.Record
	for i := range recs {
		ends[0][i], ends[1][i] = recs[i], recs[i]
		ends[1][i].Key.Src = recs[i].Key.Dst
		ends[1][i].Health, ends[1][i].RetransmitsBy = flow.Health{}, flow.RetransmitsUnset // it is the sender's
	}
	for e := range ends {
		l.touch(ends[e][:len(recs)], hashes, froms)
		for i := range recs {
			r := &ends[e][i]
			froms[i].second = e == 1
			l.sides.make(l.add(r, hashes[i])).add(r, froms[i])
		}
	}
}

// touch computes the hashes and loads the memory that add needs.
func (l *Ledger) touch(recs []flow.Record, hashes *[block]uint64, froms *[block]from) {
	mask := uint64(len(l.index) - 1)
	var found [block]uint64
	for i := range recs {
		if l.apply {
			k := &recs[i].Key
			froms[i&(block-1)] = from{dir: k.Dir, owner: k.OwnerID}
			froms[i&(block-1)].second = l.proj.Apply(k)
		}
		h := recs[i].Key.Hash(l.seed)
		hashes[i&(block-1)] = h
		found[i&(block-1)] = l.index[h&mask]
	}
	var sink uint64
	for i := range recs {
		if v := uint32(found[i&(block-1)]); v != 0 && int(v) <= l.rows.n {
			row := l.rows.at(v - 1)
			sink |= row.Delta.Packets ^ uint64(row.Key.L4)
		}
	}
	l.touched = sink
}

// add adds a record to its row, and returns the row.
func (l *Ledger) add(r *flow.Record, h uint64) *flow.PackedRow {
	mask := uint64(len(l.index) - 1)
	tag := h &^ 0xffffffff
	for j := h & mask; ; j = (j + 1) & mask {
		v := l.index[j]
		if v == 0 {
			return l.insert(r, h, j)
		}
		if v&^0xffffffff != tag {
			continue
		}
		row := l.rows.at(uint32(v) - 1)
		if row.Key != r.Key {
			continue
		}
		row.Merge(r)
		return row
	}
}

func (l *Ledger) insert(r *flow.Record, h, free uint64) *flow.PackedRow {
	if l.rows.n >= l.max {
		l.fold()
		free = l.probe(h)
	} else if 2*(l.rows.n+1) > len(l.index) {
		l.reindex(2 * len(l.index))
		free = l.probe(h)
	}
	row := l.rows.push()
	*row = flow.NewRow(r)
	l.index[free] = h&^0xffffffff | uint64(l.rows.n)
	return row
}

// probe returns the first free slot for h.
func (l *Ledger) probe(h uint64) uint64 {
	mask := uint64(len(l.index) - 1)
	j := h & mask
	for l.index[j] != 0 {
		j = (j + 1) & mask
	}
	return j
}

// reindex rebuilds the index with n words; n is a power of two.
func (l *Ledger) reindex(n int) {
	if n == len(l.index) {
		clear(l.index)
	} else {
		l.index = make([]uint64, n)
	}
	for i := range l.rows.n {
		h := l.rows.at(uint32(i)).Key.Hash(l.seed)
		l.index[l.probe(h)] = h&^0xffffffff | uint64(i+1)
	}
}

// EndInterval adds the interval's counters to the totals and clears them.
func (l *Ledger) EndInterval() {
	l.sums[Interval] = flow.Sums{}
	l.sides.endInterval()
	for row := range l.rows.all() {
		row.EndInterval()
	}
}
