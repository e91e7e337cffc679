// Package runrows keeps the rows of the run so far, for outputs that show them. An interval report
// has only the rows with traffic in the interval, and its own owner numbers.
package runrows

import (
	"slices"

	"github.com/pktstat/pktstat/flow"
)

// Row is a row of the run.
type Row struct {
	Key         flow.Packed // OwnerID is a number of Owners
	Now, Total  flow.Totals // Now: in interval Seen; Total: in the run
	First, Last int64       // Unix nanoseconds
	flow.Marks
	Side flow.Side // of the report in which the row was busy last
	Seen uint64    // the last interval in which the row was busy: 1, 2, ...
}

// In returns the row's traffic in interval n.
func (r *Row) In(n uint64) flow.Totals {
	if r.Seen != n {
		return flow.Totals{}
	}
	return r.Now
}

// Rows holds the rows of a run, in a bounded number. It is not safe for concurrent use.
type Rows struct {
	Owners

	// KeepBusy prefers rows of the last two intervals over larger ones when rows must go.
	KeepBusy bool

	dims      flow.Dims
	proj      flow.Projection
	max       int
	layer     flow.Layer // of the size by which rows are kept
	intervals uint64
	rows      []Row
	index     map[flow.Packed]int32
	numbers   map[uint32]uint32 // owner numbers here, by those in the report
}

// New returns Rows of at most maxRows rows, for reports that are grouped by dims. Owners also get
// numbers in the groupings.
func New(maxRows int, dims flow.Dims, groupings ...Grouping) *Rows {
	return &Rows{
		Owners: newOwners(append([]Grouping{{By: dims}}, groupings...)),
		dims:   dims, proj: dims.Projection(), max: maxRows, index: map[flow.Packed]int32{}, numbers: map[uint32]uint32{},
	}
}

// Intervals returns how many interval reports were added.
func (s *Rows) Intervals() uint64 { return s.intervals }

// All returns the rows. The slice is valid until the next Add.
func (s *Rows) All() []Row { return s.rows }

// Add adds the rows of a report. It calls each, if not nil, with the index of every row that fits.
// If rows must go to make room, it first calls moved, if not nil. moved gets the new index of each
// old row, or a negative number if the row is gone.
func (s *Rows) Add(r *flow.Report, each func(place int32, fresh bool, p *flow.PackedRow), moved func([]int32)) {
	s.layer = r.RateLayer
	if !r.Final {
		s.intervals++
	}
	clear(s.numbers)
	for id, o := range r.Owners {
		s.numbers[id] = s.number(&o)
	}
	if to := s.makeRoom(r); to != nil && moved != nil {
		moved(to)
	}
	for j, p := range r.Packed {
		i, fresh := s.place(p)
		if i < 0 {
			continue // only the sums have it
		}
		row := &s.rows[i]
		row.Key = s.keyOf(p) // the report may have the other end first now, or another owner
		row.First, row.Last, row.Marks = min(row.First, p.First), max(row.Last, p.Last), p.Marks
		side := r.Side(j)
		row.Total, row.Side = p.Totals(side, r.Dims, true), *side
		if !r.Final {
			row.Now, row.Seen = p.Totals(side, r.Dims, false), s.intervals
		}
		if each != nil {
			each(i, fresh, p)
		}
	}
}

// place finds or adds the row of p. It returns a negative index if there is no room.
func (s *Rows) place(p *flow.PackedRow) (i int32, fresh bool) {
	key := s.keyOf(p)
	identity := s.identity(key)
	if i, ok := s.index[identity]; ok {
		return i, false
	}
	if len(s.rows) >= s.max {
		return -1, false
	}
	i = int32(len(s.rows))
	s.index[identity] = i
	s.rows = append(s.rows, Row{Key: key, First: p.First})
	return i, true
}

func (s *Rows) keyOf(p *flow.PackedRow) flow.Packed {
	key := p.Key
	key.OwnerID = s.numbers[key.OwnerID]
	return key
}

// identity is what tells rows apart: of a pair, not which end comes first.
func (s *Rows) identity(key flow.Packed) flow.Packed {
	if s.dims.Paired() {
		s.proj.Apply(&key)
	}
	return key
}

// makeRoom removes rows, as many as the new rows of a report need, and some more, so that it is
// needed less often. It returns the new index of each old row, or nil if no row was removed.
func (s *Rows) makeRoom(r *flow.Report) (moved []int32) {
	if len(s.rows)+len(r.Packed) <= s.max {
		return nil
	}
	fresh := 0
	for _, p := range r.Packed {
		if _, ok := s.index[s.identity(s.keyOf(p))]; !ok {
			fresh++
		}
	}
	if len(s.rows)+fresh <= s.max {
		return nil
	}
	keep := s.max - min(max(fresh, s.max/8), s.max/2)
	if keep >= len(s.rows) {
		return nil
	}
	order := make([]int32, len(s.rows))
	for i := range order {
		order[i] = int32(i)
	}
	SelectWindow(order, 0, keep, s.outlives)
	moved = s.move(order[:keep])
	s.sweep(func(yield func(uint32) bool) {
		for i := range s.rows {
			if !yield(s.rows[i].Key.OwnerID) {
				return
			}
		}
		for _, id := range s.numbers {
			if !yield(id) {
				return
			}
		}
	})
	return moved
}

// outlives reports whether row x is kept rather than row y.
func (s *Rows) outlives(x, y int32) bool {
	a, b := &s.rows[x], &s.rows[y]
	if a, b := a.Seen+1 >= s.intervals, b.Seen+1 >= s.intervals; s.KeepBusy && a != b {
		return a
	}
	if a, b := a.Total.At(s.layer), b.Total.At(s.layer); a != b {
		return a > b
	}
	if a, b := a.Total.Packets, b.Total.Packets; a != b {
		return a > b
	}
	return x < y
}

// move keeps only the given rows, in their order.
func (s *Rows) move(kept []int32) (moved []int32) {
	slices.Sort(kept)
	moved = make([]int32, len(s.rows))
	for i := range moved {
		moved[i] = -1
	}
	clear(s.index)
	for to, from := range kept {
		s.rows[to] = s.rows[from]
		s.index[s.identity(s.rows[to].Key)] = int32(to)
		moved[from] = int32(to)
	}
	s.rows = s.rows[:len(kept)]
	return moved
}

// Clone returns a read-only copy.
func (s *Rows) Clone() *Rows {
	return &Rows{Owners: s.Owners.clone(), layer: s.layer, intervals: s.intervals, rows: slices.Clone(s.rows)}
}
