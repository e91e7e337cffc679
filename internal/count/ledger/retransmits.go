package ledger

import "github.com/pktstat/pktstat/flow"

// retransmits are the TCP segments that were sent again, of the rows that have any: so
// few do that they are not in the rows.
type retransmits struct {
	rows map[flow.Packed]*[2]uint64 // by Span
	sums [2]flow.RetransmitSums     // by Span; Rest stays 0
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
		t.sums[s].Total += r.Retransmits
	}
}

// fold moves those of a row that is folded into other, too.
func (t *retransmits) fold(key flow.Packed) {
	n := t.rows[key]
	if n == nil {
		return
	}
	for s := range n {
		t.sums[s].Overflow += n[s]
	}
	delete(t.rows, key)
}

func (t *retransmits) endInterval() {
	t.sums[Interval] = flow.RetransmitSums{}
	for _, n := range t.rows {
		n[Interval] = 0
	}
}

// Retransmits returns the segments that were sent again over a span, by the rows' keys.
func (l *Ledger) Retransmits(s Span) map[flow.Packed]uint64 {
	var m map[flow.Packed]uint64
	for key, n := range l.retransmits.rows {
		if n[s] == 0 {
			continue
		}
		if m == nil {
			m = make(map[flow.Packed]uint64, len(l.retransmits.rows))
		}
		m[key] = n[s]
	}
	return m
}

// RetransmitTotal is how many were sent again over a span, in rows or not.
func (l *Ledger) RetransmitTotal(s Span) uint64 { return l.retransmits.sums[s].Total }

// RetransmitsOf returns what tells a row's over a span: a key of an [Order].
func (l *Ledger) RetransmitsOf(s Span) func(*flow.PackedRow) uint64 {
	return func(row *flow.PackedRow) uint64 {
		if n := l.retransmits.rows[row.Key]; n != nil {
			return n[s]
		}
		return 0
	}
}
