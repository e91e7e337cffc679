package flow

import "iter"

// Totals are all numbers that add up, of a row or of a sum.
type Totals struct {
	Counters
	Health
	// Out counts what the local end or the host has sent, and In what it has received. Sums
	// have them as far as they are known.
	Out, In Counters
}

// Add adds o to t.
func (t *Totals) Add(o Totals) {
	t.Counters.Add(o.Counters)
	t.Health.Add(o.Health)
	t.Out.Add(o.Out)
	t.In.Add(o.In)
}

// AddEnds adds only what the local ends have sent and received.
func (t *Totals) AddEnds(of ...*Totals) {
	for _, o := range of {
		t.Out.Add(o.Out)
		t.In.Add(o.In)
	}
}

// Minus returns t - o. o must not exceed t.
func (t Totals) Minus(o Totals) Totals {
	return Totals{
		Counters: t.Counters.Minus(o.Counters), Health: t.Health.Minus(o.Health),
		Out: t.Out.Minus(o.Out), In: t.In.Minus(o.In),
	}
}

// IsZero reports whether all numbers are 0.
func (t Totals) IsZero() bool { return t == Totals{} }

// Sums are the sums of a report. Total == (sum of the rows) + Rest + Overflow + Lost.
//
// If rows are hosts, a packet counts in two rows ([Dims.Copies]). Rest and the overflow of
// max_flows count it twice then, too.
type Sums struct {
	Total    Totals // everything the hooks saw
	Rest     Totals // rows beyond --top
	Overflow Totals // counted without a row, as memory is bounded
	Lost     Totals // seen, but not parsed or not counted

	OverflowBy Overflow // Overflow.Counters by reason
}

// Sum is one of the lines below the rows of a report.
type Sum struct {
	Name string // "rest", "overflow", "lost" or "total"
	Totals
	Rows         int  // number of rows in the sum, for rest and total
	BytesUnknown bool // only the packet counter is known
}

// Summary iterates over the lines below the rows: rest, overflow, lost, total. Outputs for people
// leave out empty lines; see [Sum.IsEmpty].
func (r *Report) Summary() iter.Seq[Sum] {
	return func(yield func(Sum) bool) {
		_ = yield(Sum{Name: "rest", Totals: r.Rest, Rows: max(r.FlowCount-len(r.Packed), 0)}) &&
			yield(Sum{Name: "overflow", Totals: r.Overflow}) &&
			yield(Sum{Name: "lost", Totals: r.Lost, BytesUnknown: r.LostBytesUnknown}) &&
			yield(Sum{Name: "total", Totals: r.Total, Rows: r.FlowCount})
	}
}

// IsEmpty reports whether the line has nothing to show. A total always shows.
func (s *Sum) IsEmpty() bool {
	return s.Name != "total" && s.Rows == 0 && !s.BytesUnknown && s.Totals.IsZero()
}
