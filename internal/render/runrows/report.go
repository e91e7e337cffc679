package runrows

import (
	"cmp"
	"slices"

	"github.com/pktstat/pktstat/flow"
)

// Report returns the run as a report, with the top largest rows. last is the newest interval
// report. Rest has the traffic of all other rows, so the report adds up.
func (s *Rows) Report(last *flow.Report, top int) *flow.Report {
	r := *last
	r.Sums = flow.Sums{Total: last.Run.Total, Overflow: last.Run.Overflow, Lost: last.Run.Lost}
	r.Packed, r.Sides, r.Owners = nil, nil, map[uint32]flow.Owner{}
	left := last.Run.Total.Minus(last.Run.Overflow).Minus(last.Run.Lost)
	rows := s.largest(last.RateLayer)
	r.FlowCount = len(rows)
	for _, row := range rows {
		// The row may no longer exist: the ledger folds the smallest rows into Overflow. This loop
		// begins with the largest.
		if !within(row.Total, left) {
			r.FlowCount--
			continue
		}
		if len(r.Packed) == top {
			break
		}
		left = left.Minus(row.Total)
		shown := flow.PackedRow{
			Key: row.Key, Delta: row.Total.Counters, Total: row.Total.Counters,
			First: row.First, Last: row.Last, Marks: row.Marks,
		}
		if id := row.Key.OwnerID; id != 0 {
			r.Owners[id] = *s.Owner(0, id)
		}
		r.Packed = append(r.Packed, &shown)
		r.Sides = append(r.Sides, row.Side.Run())
	}
	r.Rest = left
	return &r
}

// largest returns the rows, the largest of the run first.
func (s *Rows) largest(layer flow.Layer) []*Row {
	rows := make([]*Row, len(s.rows))
	for i := range s.rows {
		rows[i] = &s.rows[i]
	}
	slices.SortFunc(rows, func(a, b *Row) int {
		if d := cmp.Compare(b.Total.At(layer), a.Total.At(layer)); d != 0 {
			return d
		}
		if d := cmp.Compare(b.Total.Packets, a.Total.Packets); d != 0 {
			return d
		}
		return a.Key.Compare(&b.Key)
	})
	return rows
}

func within(c, left flow.Totals) bool {
	fits := func(c, left flow.Counters) bool {
		return c.Packets <= left.Packets && c.Bytes <= left.Bytes && c.FrameBytes <= left.FrameBytes
	}
	return c.Health.Within(left.Health) && fits(c.Counters, left.Counters) && fits(c.Out, left.Out) && fits(c.In, left.In)
}
