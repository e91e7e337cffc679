package ledger

import "github.com/pktstat/pktstat/flow"

// Selection holds the rows of a span in order, and the sum of the others.
type Selection struct {
	Rows  []*flow.PackedRow
	Sides []flow.Side // of the rows; nil: they have none
	Count int         // rows with traffic or health in the span, before the cut
	Rest  flow.Totals // sum of the rows beyond the cut
	// Ends has, by span, what the local ends of all rows have sent and received.
	Ends [2]flow.Totals
}

// Select returns the first top rows (0: all) of a span, in order. Rows of an interval and
// conversations are copies. Other rows of the run belong to the ledger and are valid until it
// changes, so the caller must have stopped counting.
func (l *Ledger) Select(s Span, top int, order Order) Selection {
	var sel Selection
	if top <= 0 {
		top = l.rows.n
	}
	h := heap{order: order, rows: make([]keyed, 0, min(top, l.rows.n)), cuts: top < l.rows.n}
	for row := range l.rows.all() {
		if l.sided {
			for span := range sel.Ends {
				t := l.totals(row, Span(span))
				sel.Ends[span].Out.Add(t.Out)
				sel.Ends[span].In.Add(t.In)
			}
		}
		if l.silent(row, s) {
			continue
		}
		sel.Count++
		if cut := h.offer(keyed{order[0](row), row}, top); cut != nil {
			sel.Rest.Add(l.totals(cut, s))
		}
	}
	order.sort(h.rows)
	l.show(&sel, h.rows, s)
	return sel
}

// silent reports whether nothing was counted in a row.
func (l *Ledger) silent(row *flow.PackedRow, s Span) bool {
	c := &row.Delta
	if s == Run {
		c = &row.Total
	}
	return c.IsZero() && (row.Side == 0 || l.sides.of(row).Health.Of(s == Run).IsZero())
}

// show makes the rows of a report.
func (l *Ledger) show(sel *Selection, chosen []keyed, s Span) {
	sel.Rows = make([]*flow.PackedRow, len(chosen))
	if l.sides.store.n > 0 {
		sel.Sides = make([]flow.Side, len(chosen))
	}
	if s == Run && !l.dims.Paired() {
		for i := range chosen {
			sel.Rows[i] = chosen[i].row
			if sel.Sides != nil {
				sel.Sides[i] = l.sides.of(chosen[i].row).Side
			}
		}
		return
	}
	kept := make([]flow.PackedRow, len(chosen))
	for i := range chosen {
		var side flow.Side
		kept[i], side = l.Shown(chosen[i].row)
		if s == Interval { // EndInterval will add Delta to Total; the report shows the result
			kept[i].Total.Add(kept[i].Delta)
			side = side.Moved()
		}
		sel.Rows[i] = &kept[i]
		if sel.Sides != nil {
			sel.Sides[i] = side
		}
	}
}

// Shown returns a row as reports have it: the local end is the first one, and its owner is
// the row's.
func (l *Ledger) Shown(row *flow.PackedRow) (flow.PackedRow, flow.Side) {
	p, x := *row, l.sides.of(row)
	side := x.Side
	if !l.dims.Paired() {
		return p, side
	}
	local, by := x.local(row)
	side.EndsBy = by
	if local == 1 {
		l.proj.Exchange(&p.Key)
		side.Out.Delta = row.Delta.Minus(x.Out.Delta)
		side.Out.Total = row.Total.Minus(x.Out.Total)
	}
	if !l.dims.OwnerTellsApart() {
		p.Key.OwnerID, p.Match = x.ends[local].owner, x.ends[local].match
	}
	return p, side
}

// totals returns the sums of a row over a span.
func (l *Ledger) totals(row *flow.PackedRow, s Span) flow.Totals {
	t := flow.Totals{Counters: row.Delta}
	if s == Run {
		t.Counters.Add(row.Total)
	}
	if row.Side == 0 {
		return t
	}
	x := l.sides.of(row)
	t.Health = x.Health.Delta
	out := x.Out.Delta
	if s == Run {
		t.Health.Add(x.Health.Total)
		out.Add(x.Out.Total)
	}
	if !l.sided {
		return t
	}
	t.Out, t.In = out, t.Counters.Minus(out)
	if l.dims.Paired() {
		if local, _ := x.local(row); local == 1 {
			t.Out, t.In = t.In, t.Out
		}
	}
	return t
}

// TotalsOf returns the sums of a row over a span.
func (l *Ledger) TotalsOf(s Span) func(*flow.PackedRow) flow.Totals {
	return func(row *flow.PackedRow) flow.Totals { return l.totals(row, s) }
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
