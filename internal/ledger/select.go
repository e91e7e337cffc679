package ledger

import (
	"slices"

	"github.com/pktstat/pktstat/flow"
)

// Selection is the ordered rows of a span and what they leave out.
type Selection struct {
	Rows  []*flow.PackedRow
	Count int           // rows with traffic in the span, before the cut
	Rest  flow.Counters // of the rows that were cut off
}

// Select returns the first top rows (0: all) of a span in the order of compare.
// Rows of an interval are copies; rows of the run are the ledger's own, valid
// until it changes: the caller asks for them when counting is over.
func (l *Ledger) Select(s Span, top int, compare func(a, b *flow.PackedRow) int) Selection {
	var sel Selection
	if top <= 0 {
		top = l.rows.n
	}
	h := heap{compare: compare, rows: make([]*flow.PackedRow, 0, min(top, l.rows.n))}
	for row := range l.rows.all() {
		c := row.Delta
		if s == Run {
			c = row.Total
		}
		if c.IsZero() {
			continue
		}
		sel.Count++
		if cut := h.offer(row, top); cut != nil {
			sel.Rest.Add(counters(cut, s))
		}
	}
	slices.SortFunc(h.rows, compare)
	sel.Rows = h.rows
	if s == Interval {
		kept := make([]flow.PackedRow, len(sel.Rows))
		for i, r := range sel.Rows {
			kept[i] = *r
			// Total is moved forward by EndInterval; a report shows it moved.
			kept[i].Total.Add(r.Delta)
			sel.Rows[i] = &kept[i]
		}
	}
	return sel
}

func counters(r *flow.PackedRow, s Span) flow.Counters {
	if s == Run {
		return r.Total
	}
	return r.Delta
}

// heap keeps the first rows of an order, the last of them at the root.
type heap struct {
	compare func(a, b *flow.PackedRow) int
	rows    []*flow.PackedRow
}

// offer adds row if it is among the first top so far, and returns the row that
// is then out: another one, row itself, or nil.
func (h *heap) offer(row *flow.PackedRow, top int) *flow.PackedRow {
	if len(h.rows) < top {
		h.rows = append(h.rows, row)
		if len(h.rows) == top {
			for i := top/2 - 1; i >= 0; i-- {
				h.down(i)
			}
		}
		return nil
	}
	root := h.rows[0]
	if h.compare(row, root) >= 0 {
		return row
	}
	h.rows[0] = row
	h.down(0)
	return root
}

func (h *heap) down(i int) {
	for {
		c := 2*i + 1
		if c >= len(h.rows) {
			return
		}
		if c+1 < len(h.rows) && h.compare(h.rows[c+1], h.rows[c]) > 0 {
			c++
		}
		if h.compare(h.rows[c], h.rows[i]) <= 0 {
			return
		}
		h.rows[i], h.rows[c] = h.rows[c], h.rows[i]
		i = c
	}
}
