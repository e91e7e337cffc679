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

func (r *row) add(b *runrows.Row, dir flow.Direction, interval uint64, layer flow.Layer) {
	now := b.In(interval)
	r.now.Add(now)
	r.total.Add(b.Total)
	switch dir {
	case flow.Ingress:
		r.in += now.At(layer)
		r.inTotal += b.Total.At(layer)
	case flow.Egress:
		r.out += now.At(layer)
		r.outTotal += b.Total.At(layer)
	}
	r.marks.Merge(b.Marks)
	r.first, r.last = min(r.first, b.First), max(r.last, b.Last)
}

// lingers is how long a row without traffic stays among the current ones: what
// pauses for a second does not jump out of the table and back.
const lingers = 5 * time.Second

// list is the rows of a view in the order in which they are shown. Its memory is
// used again and again: a refresh of a hundred thousand rows allocates nothing.
type list struct {
	heading
	had        fields    // of some row
	words      []*column // of text, that some row has something in
	view       *view
	cumulative bool
	column     *column // sorted by
	descending bool
	filter     filter

	rows   []row
	order  []int32 // of the rows that the filter passes; [sorted[0]:sorted[1]] is in order
	sorted [2]int
	ranks  ranks
	index  map[flow.Packed]int32
	text   texts
}

// fill groups the store's rows. The row of key stays even without traffic.
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
	flows := l.view.key == "F" // rows as they are: nothing to look up
	var buf [2]projected
	rows := s.rows.All()
	for i := range rows {
		b := &rows[i]
		for _, p := range s.project(l.view, b, &buf) {
			r := l.at(p.key, flows)
			r.owner = s.rows.Owner(l.view.groups, p.key.OwnerID)
			r.add(b, p.dir, s.rows.Intervals(), s.rateLayer)
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
	since, end := l.end.Add(-lingers).UnixNano(), l.end.UnixNano() // a row's last may be later if the clock was set back
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

// less is the order of the rows: by the chosen column, then by the numbers of the
// run, then by the key. Equal traffic does not change places.
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

// compareRest makes any order a total one.
func compareRest(a, b *row) int {
	if c := cmp.Compare(b.total.Packets, a.total.Packets); c != 0 {
		return c
	}
	return a.key.Compare(&b.key)
}

// window puts the rows of places lo to hi in order.
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

// find returns the row of a key, nil if the view has none.
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

// at place n, after window.
func (l *list) place(n int) *row { return &l.rows[l.order[n]] }

// span is what rates are over.
func (l *list) span() time.Duration {
	if l.cumulative {
		return l.end.Sub(l.start)
	}
	return l.length
}

// counters are those that rates are made of.
func (l *list) counters(r *row) *flow.Counters {
	if l.cumulative {
		return &r.total.Counters
	}
	return &r.now.Counters
}

// sums are those of the shown span.
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
