package ledger

import "github.com/pktstat/pktstat/flow"

// retransmits holds the retransmitted TCP segments of each row. Few rows have any, so they live
// in a map beside the rows.
type retransmits struct {
	rows map[flow.Packed]*[2]uint64 // by Span
}

func (t *retransmits) add(r *flow.Record) {
	if t.rows == nil {
		t.rows = map[flow.Packed]*[2]uint64{}
	}
	n := t.rows[r.Key]
	if n == nil {
		n = new([2]uint64)
		t.rows[r.Key] = n
	}
	for s := range n {
		n[s] += r.Retransmits
	}
}

// fold moves the retransmits of a folded row into the sums.
func (t *retransmits) fold(key flow.Packed, to *[2]flow.Totals) {
	n := t.rows[key]
	if n == nil {
		return
	}
	for s := range n {
		to[s].Retransmits += n[s]
	}
	delete(t.rows, key)
}

func (t *retransmits) endInterval() {
	for _, n := range t.rows {
		n[Interval] = 0
	}
}

// Retransmits returns the retransmits by key, for rows that have any in the span.
func (l *Ledger) Retransmits(s Span) map[flow.Packed]flow.Spans {
	var m map[flow.Packed]flow.Spans
	for key, n := range l.retransmits.rows {
		if n[s] == 0 {
			continue
		}
		if m == nil {
			m = make(map[flow.Packed]flow.Spans, len(l.retransmits.rows))
		}
		m[key] = flow.Spans{Delta: n[Interval], Total: n[Run]}
	}
	return m
}

// RetransmitsOf returns a function that returns a row's retransmits in a span.
func (l *Ledger) RetransmitsOf(s Span) func(*flow.PackedRow) uint64 {
	if len(l.retransmits.rows) == 0 {
		return func(*flow.PackedRow) uint64 { return 0 }
	}
	return func(row *flow.PackedRow) uint64 {
		if n := l.retransmits.rows[row.Key]; n != nil {
			return n[s]
		}
		return 0
	}
}
