package ledger

import "github.com/pktstat/pktstat/flow"

// fold makes room: it moves the smallest eighth of the rows into the overflow. New flows always
// get a row, and the largest rows always stay. So a flow that starts late and grows keeps its
// row. Averaged over many folds, an insert costs a few steps.
func (l *Ledger) fold() {
	n := l.rows.n
	k := max(1, n/8)
	l.scratch = l.scratch[:0]
	for row := range l.rows.all() {
		l.scratch = append(l.scratch, size(row))
	}
	limit, ties := kthSmallest(l.scratch, k)

	kept := 0
	var folded [2]flow.Totals // by span
	for i := range n {
		row := l.rows.at(uint32(i))
		s := size(row)
		if s < limit || s == limit && ties > 0 {
			if s == limit {
				ties--
			}
			for span := range folded {
				folded[span].Add(l.totals(row, Span(span)))
			}
			l.sides.drop(row)
			continue
		}
		if kept != i {
			*l.rows.at(uint32(kept)) = *row
		}
		kept++
	}
	l.rows.n = kept
	for s := range folded {
		l.sums[s].AddOverflow(flow.OverflowMaxFlows, folded[s])
	}
	l.reindex(len(l.index))
}

// size is the measure for folding: bytes over the whole run.
func size(r *flow.PackedRow) uint64 {
	return max(r.Total.FrameBytes+r.Delta.FrameBytes, r.Total.Bytes+r.Delta.Bytes)
}

// kthSmallest returns the value v of the k-th smallest element, k >= 1. ties is the number of
// elements equal to v among the k smallest. It reorders s.
func kthSmallest(s []uint64, k int) (v uint64, ties int) {
	lo, hi := 0, len(s)
	for want := k - 1; ; {
		p := median3(s[lo], s[lo+(hi-lo)/2], s[hi-1])
		// Three-way partition, because a flood has many equal sizes.
		lt, i, gt := lo, lo, hi
		for i < gt {
			switch {
			case s[i] < p:
				s[i], s[lt] = s[lt], s[i]
				lt++
				i++
			case s[i] > p:
				gt--
				s[i], s[gt] = s[gt], s[i]
			default:
				i++
			}
		}
		switch {
		case want < lt:
			hi = lt
		case want >= gt:
			lo = gt
		default:
			return p, k - lt
		}
	}
}

func median3(a, b, c uint64) uint64 { return max(min(a, b), min(max(a, b), c)) }
