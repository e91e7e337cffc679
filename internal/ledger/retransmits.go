package ledger

import "github.com/pktstat/pktstat/flow"

// retransmits are the TCP segments that were sent again, of the rows that have any: so
// few do that they are not in the rows.
type retransmits map[flow.Packed]*[2]uint64 // by Span

func (t *retransmits) add(r *flow.Record) {
	if *t == nil {
		*t = retransmits{}
	}
	n := (*t)[r.Key]
	if n == nil {
		n = new([2]uint64)
		(*t)[r.Key] = n
	}
	n[Interval] += r.Retransmits
	n[Run] += r.Retransmits
}

func (t retransmits) endInterval() {
	for _, n := range t {
		n[Interval] = 0
	}
}

// Retransmits returns the segments that were sent again over a span, by the rows' keys.
func (l *Ledger) Retransmits(s Span) map[flow.Packed]uint64 {
	var m map[flow.Packed]uint64
	for key, n := range l.retransmits {
		if n[s] == 0 {
			continue
		}
		if m == nil {
			m = make(map[flow.Packed]uint64, len(l.retransmits))
		}
		m[key] = n[s]
	}
	return m
}
