package flow

import "iter"

// Totals is everything that adds up: of a row, or of all that a sum is of.
type Totals struct {
	Counters
	Retransmits uint64 // TCP segments that were sent again; they are in Counters as all others are
}

// Add adds o to t.
func (t *Totals) Add(o Totals) {
	t.Counters.Add(o.Counters)
	t.Retransmits += o.Retransmits
}

// Minus returns t less o.
func (t Totals) Minus(o Totals) Totals {
	return Totals{t.Counters.Minus(o.Counters), t.Retransmits - o.Retransmits}
}

// IsZero reports whether nothing was counted.
func (t Totals) IsZero() bool { return t == Totals{} }

// Sums breaks down what was seen. Total == (sum of the rows) + Rest + Overflow + Lost.
type Sums struct {
	Total    Totals // everything the hooks saw
	Rest     Totals // rows that --top cut off
	Overflow Totals // counted, but to no row: memory is bounded
	Lost     Totals // seen, but not counted to a flow

	OverflowBy Overflow // the counters of Overflow by reason
}

// Sum is one of the lines below the rows of a report.
type Sum struct {
	Name string // "rest", "overflow", "lost" or "total"
	Totals
	Rows         int  // that it adds up, where that is known: of rest and total
	BytesUnknown bool // only the packets are known
}

// Summary iterates over the lines below the rows: rest, overflow, lost, total. Outputs
// for people leave out those for which [Sum.IsEmpty] holds.
func (r *Report) Summary() iter.Seq[Sum] {
	return func(yield func(Sum) bool) {
		_ = yield(Sum{Name: "rest", Totals: r.Rest, Rows: max(r.FlowCount-len(r.Packed), 0)}) &&
			yield(Sum{Name: "overflow", Totals: r.Overflow}) &&
			yield(Sum{Name: "lost", Totals: r.Lost, BytesUnknown: r.LostBytesUnknown}) &&
			yield(Sum{Name: "total", Totals: r.Total, Rows: r.FlowCount})
	}
}

// IsEmpty reports whether the line has nothing to show. The total always has.
func (s *Sum) IsEmpty() bool {
	return s.Name != "total" && s.Rows == 0 && !s.BytesUnknown && s.Totals.IsZero()
}
