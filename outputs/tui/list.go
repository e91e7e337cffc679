package tui

import (
	"cmp"
	"time"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/render/runrows"
)

// row is a row of a view.
type row struct {
	key                        flow.Packed
	owner                      *flow.Owner // of key.OwnerID; never changes
	marks                      flow.Marks  // the weakest match, and all flags
	now, total                 flow.Totals
	in, out, inTotal, outTotal uint64 // bytes of the rate layer: received and sent
	first, last                int64
}

// add adds a part of a row of the store.
func (r *row) add(b *runrows.Row, p *projected, h *heading) {
	now, layer := b.In(h.intervals), h.rateLayer
	r.now.Add(now)
	r.total.Add(b.Total)
	switch {
	case h.dims.TwoSided():
		in, out, inTotal, outTotal := &now.In, &now.Out, &b.Total.In, &b.Total.Out
		if p.far { // what came in at the local end left the remote one
			in, out, inTotal, outTotal = out, in, outTotal, inTotal
		}
		r.in += in.At(layer)
		r.out += out.At(layer)
		r.inTotal += inTotal.At(layer)
		r.outTotal += outTotal.At(layer)
	case p.dir == flow.Ingress:
		r.in += now.At(layer)
		r.inTotal += b.Total.At(layer)
	case p.dir == flow.Egress:
		r.out += now.At(layer)
		r.outTotal += b.Total.At(layer)
	}
	r.marks.Merge(b.Marks)
	r.first, r.last = min(r.first, b.First), max(r.last, b.Last)
}

// lingers is how long a row without traffic stays in the current rows. So a row with short pauses
// does not vanish and return.
const lingers = 5 * time.Second

// list holds the rows of a view in their order. It reuses its memory, so that a refresh of a
// hundred thousand rows allocates nothing.
type list struct {
	heading
	had        fields    // that any row had
	words      []*column // text columns in which any row has a value
	view       *view
	cumulative bool
	column     *column // by which rows are sorted
	descending bool
	filter     filter

	rows   []row
	order  []int32 // rows that the filter accepts; [sorted[0]:sorted[1]] is in order
	sorted [2]int
	ranks  ranks
	index  map[flow.Packed]int32
	text   texts
}

// fill groups the store's rows. The row with key keep stays even without traffic.
func (l *list) fill(s *store, keep *flow.Packed) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l.heading, l.had = s.heading, s.seen.names
	l.words = l.words[:0]
	for _, c := range l.view.columns {
		if !c.numeric() && !c.asked && c.there(l.had) {
			l.words = append(l.words, c)
		}
	}
	l.rows, l.ranks.column = l.rows[:0], nil
	if l.index == nil {
		l.index = map[flow.Packed]int32{}
	}
	clear(l.index)
	flows := l.view.whole // the rows are unique, so skip the index
	var buf [2]projected
	rows := s.rows.All()
	for i := range rows {
		b := &rows[i]
		for _, p := range s.project(l.view, b, &buf) {
			r := l.at(p.key, flows)
			r.owner = s.rows.Owner(l.view.groups, p.key.OwnerID)
			r.add(b, &p, &s.heading)
		}
	}
	if !l.cumulative {
		l.dropIdle(keep)
	}
}

func (l *list) at(key flow.Packed, unique bool) *row {
	if !unique {
		if i, ok := l.index[key]; ok {
			return &l.rows[i]
		}
		l.index[key] = int32(len(l.rows))
	}
	l.rows = append(l.rows, row{key: key, first: 1<<63 - 1, last: -1 << 63})
	return &l.rows[len(l.rows)-1]
}

func (l *list) dropIdle(keep *flow.Packed) {
	since, end := l.end.Add(-lingers).UnixNano(), l.end.UnixNano() // if the clock was set back, a row's last may be later than end
	kept := l.rows[:0]
	for i := range l.rows {
		r := &l.rows[i]
		if r.last >= since && r.last <= end || !r.now.IsZero() || keep != nil && r.key == *keep {
			kept = append(kept, *r)
		}
	}
	l.rows = kept
}

// choose applies the filter.
func (l *list) choose() {
	l.order = l.order[:0]
	l.sorted = [2]int{}
	if l.ranks.column != l.column {
		l.ranks.fill(l)
	}
	for i := range l.rows {
		if l.filter.empty() || l.filter.passes(l.text.of(l, &l.rows[i])) {
			l.order = append(l.order, int32(i))
		}
	}
}

// less reports whether row i comes before row j: by the chosen column, then by the run's numbers,
// then by the key. So equal rows keep their places.
func (l *list) less(i, j int32) bool {
	c := l.ranks.compare(i, j)
	if l.descending {
		c = -c
	}
	if c == 0 {
		c = compareRest(&l.rows[i], &l.rows[j])
	}
	return c < 0
}

// compareRest makes the order total.
func compareRest(a, b *row) int {
	if c := cmp.Compare(b.total.Packets, a.total.Packets); c != 0 {
		return c
	}
	return a.key.Compare(&b.key)
}

// window puts the rows at places lo to hi in order.
func (l *list) window(lo, hi int) {
	hi = min(hi, len(l.order))
	if lo >= l.sorted[0] && hi <= l.sorted[1] {
		return
	}
	runrows.SelectWindow(l.order, lo, hi, l.less)
	l.sorted = [2]int{lo, hi}
}

// sortAll puts all rows in order.
func (l *list) sortAll() { l.window(0, len(l.order)) }

// find returns the row with a key, and its index; nil and -1 if the view has none.
func (l *list) find(key *flow.Packed) (*row, int32) {
	for i := range l.rows {
		if l.rows[i].key == *key {
			return &l.rows[i], int32(i)
		}
	}
	return nil, -1
}

// rank returns the place of a row, -1 if the filter hides it.
func (l *list) rank(of int32) int {
	place, shown := 0, false
	for _, i := range l.order {
		switch {
		case i == of:
			shown = true
		case l.less(i, of):
			place++
		}
	}
	if !shown {
		return -1
	}
	return place
}

// place returns the row at place n. Call window first.
func (l *list) place(n int) *row { return &l.rows[l.order[n]] }

// span returns the time that rates are over.
func (l *list) span() time.Duration {
	if l.cumulative {
		return l.end.Sub(l.start)
	}
	return l.length
}

// counters returns the counters of the shown span.
func (l *list) totals(r *row) *flow.Totals {
	if l.cumulative {
		return &r.total
	}
	return &r.now
}

// sums returns the sums of the shown span.
func (l *list) sums() *flow.Sums {
	if l.cumulative {
		return &l.run
	}
	return &l.now
}

func perSecond(v uint64, d time.Duration) float64 {
	if d <= 0 {
		return 0
	}
	return float64(v) / d.Seconds()
}
