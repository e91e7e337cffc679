package ledger

import "github.com/pktstat/pktstat/flow"

// Selection holds the rows of a span in order, and the sum of the others.
type Selection struct {
	Rows  []*flow.PackedRow
	Count int         // rows with traffic or retransmits in the span, before the cut
	Rest  flow.Totals // sum of the rows beyond the cut
}

// Select returns the first top rows (0: all) of a span, in order. Rows of an interval are copies.
// Rows of the run belong to the ledger and are valid until it changes, so the caller must have
// stopped counting.
func (l *Ledger) Select(s Span, top int, order Order) Selection {
	var sel Selection
	retransmits := l.RetransmitsOf(s)
	if top <= 0 {
		top = l.rows.n
	}
	h := heap{order: order, rows: make([]keyed, 0, min(top, l.rows.n)), cuts: top < l.rows.n}
	for row := range l.rows.all() {
		c := &row.Delta
		if s == Run {
			c = &row.Total
		}
		if c.IsZero() && retransmits(row) == 0 {
			continue
		}
		sel.Count++
		if cut := h.offer(keyed{order[0](row), row}, top); cut != nil {
			sel.Rest.Add(flow.Totals{Counters: counters(cut, s), Retransmits: retransmits(cut)})
		}
	}
	order.sort(h.rows)
	sel.Rows = make([]*flow.PackedRow, len(h.rows))
	if s == Run {
		for i := range h.rows {
			sel.Rows[i] = h.rows[i].row
		}
		return sel
	}
	kept := make([]flow.PackedRow, len(h.rows))
	for i := range h.rows {
		kept[i] = *h.rows[i].row
		// EndInterval will add Delta to Total; the report shows the result.
		kept[i].Total.Add(kept[i].Delta)
		sel.Rows[i] = &kept[i]
	}
	return sel
}

func counters(r *flow.PackedRow, s Span) flow.Counters {
	if s == Run {
		return r.Total
	}
	return r.Delta
}

// heap keeps the first rows of an order, with the last of them at the root.
type heap struct {
	order Order
	rows  []keyed
	cuts  bool // there may be more rows than fit
}

// offer adds a row if it is among the first top rows so far. It returns the row that falls out:
// another row, the same row, or nil.
func (h *heap) offer(k keyed, top int) *flow.PackedRow {
	if len(h.rows) < top {
		h.rows = append(h.rows, k)
		if len(h.rows) == top && h.cuts {
			for i := top/2 - 1; i >= 0; i-- {
				h.down(i)
			}
		}
		return nil
	}
	root := h.rows[0]
	if h.order.compare(k, root) >= 0 {
		return k.row
	}
	h.rows[0] = k
	h.down(0)
	return root.row
}

func (h *heap) down(i int) {
	for {
		c := 2*i + 1
		if c >= len(h.rows) {
			return
		}
		if c+1 < len(h.rows) && h.order.compare(h.rows[c+1], h.rows[c]) > 0 {
			c++
		}
		if h.order.compare(h.rows[c], h.rows[i]) <= 0 {
			return
		}
		h.rows[i], h.rows[c] = h.rows[c], h.rows[i]
		i = c
	}
}
