package web

import (
	"bytes"
	"cmp"
	"slices"

	"github.com/pktstat/pktstat/flow"
)

// keptRows bounds the run so far, whatever --top says.
const keptRows = 10_000

// soFar is the report of the run up to now: interval reports only have the rows
// that were busy in their interval, each with its total.
type soFar struct {
	rows map[flow.Packed]*keptRow
}

// keptRow has its owner with it: the numbers of owners that have no row in the
// ledger any more are given to others.
type keptRow struct {
	flow.PackedRow
	owner       flow.Owner
	retransmits uint64 // of the run
}

// add takes over the rows of an interval report, and copies what it keeps.
func (s *soFar) add(r *flow.Report) {
	if s.rows == nil {
		s.rows = map[flow.Packed]*keptRow{}
	}
	for _, p := range r.Packed {
		row, ok := s.rows[p.Key]
		if !ok {
			row = new(keptRow)
			s.rows[p.Key] = row
		}
		first := p.First
		if ok {
			first = min(first, row.First)
		}
		row.PackedRow, row.owner = *p, r.Owners[p.Key.OwnerID]
		row.First = first
		row.retransmits += r.Retransmits[p.Key]
	}
	// A quarter more than what is kept, so that sorting is rare.
	if len(s.rows) > keptRows+keptRows/4 {
		for _, row := range s.sorted(r.RateLayer)[keptRows:] {
			delete(s.rows, row.Key)
		}
	}
}

func (s *soFar) sorted(layer flow.Layer) []*keptRow {
	rows := make([]*keptRow, 0, len(s.rows))
	for _, row := range s.rows {
		rows = append(rows, row)
	}
	slices.SortFunc(rows, func(a, b *keptRow) int {
		if d := cmp.Compare(b.Total.At(layer), a.Total.At(layer)); d != 0 {
			return d
		}
		if d := cmp.Compare(b.Total.Packets, a.Total.Packets); d != 0 {
			return d
		}
		return comparePacked(&a.Key, &b.Key)
	})
	return rows
}

// comparePacked gives rows of the same size a fixed order.
func comparePacked(a, b *flow.Packed) int {
	return cmp.Or(bytes.Compare(a.Src[:], b.Src[:]), bytes.Compare(a.Dst[:], b.Dst[:]), cmp.Compare(a.L4, b.L4),
		cmp.Compare(a.Proto, b.Proto), cmp.Compare(a.Dir, b.Dir), cmp.Compare(a.Ifindex, b.Ifindex))
}

// report is last's run as a report of at most top rows. What is in no row is in
// Rest, so that it adds up like any other.
func (s *soFar) report(last *flow.Report, top int) *flow.Report {
	r := *last
	r.Sums = flow.Sums{Total: last.Run.Total, Overflow: last.Run.Overflow, Lost: last.Run.Lost, OverflowBy: last.Run.OverflowBy}
	r.Packed, r.Owners, r.Retransmits = nil, map[uint32]flow.Owner{}, map[flow.Packed]uint64{}
	r.RetransmitSums = flow.RetransmitSums{Total: last.RunRetransmits, Rest: last.RunRetransmits}
	left := last.Run.Total.Minus(last.Run.Overflow).Minus(last.Run.Lost)
	rows := s.sorted(last.RateLayer)
	r.FlowCount = len(rows)
	for _, row := range rows {
		// What the ledger has folded into Other since is no row any more. It
		// folds the smallest, and this goes from the largest.
		if !within(row.Total, left) {
			r.FlowCount--
			continue
		}
		if len(r.Packed) == top {
			break
		}
		left = left.Minus(row.Total)
		shown := row.PackedRow
		shown.Delta = row.Total
		if row.owner != (flow.Owner{}) {
			shown.Key.OwnerID = uint32(len(r.Owners) + 1)
			r.Owners[shown.Key.OwnerID] = row.owner
		}
		if row.retransmits > 0 {
			r.Retransmits[shown.Key] = row.retransmits
			r.RetransmitSums.Rest -= row.retransmits
		}
		r.Packed = append(r.Packed, &shown)
	}
	r.Rest = left
	return &r
}

func within(c, left flow.Counters) bool {
	return c.Packets <= left.Packets && c.Bytes <= left.Bytes && c.FrameBytes <= left.FrameBytes
}
