package tui

import (
	"time"

	"github.com/pktstat/pktstat/flow"
)

// row is a row of a view.
type row struct {
	key                        flow.Packed
	owner                      *flow.Owner // of key.OwnerID; never changes
	match                      flow.Match  // the weakest
	again                      uint64      // retransmits of the run
	now, total                 flow.Counters
	in, out, inTotal, outTotal uint64 // bytes of the rate layer: received and sent
	first, last                int64
}

func (r *row) add(b *baseRow, dir flow.Direction, interval uint64, layer flow.Layer) {
	now := b.current(interval)
	r.now.Add(now)
	r.total.Add(b.total)
	switch dir {
	case flow.Ingress:
		r.in += now.At(layer)
		r.inTotal += b.total.At(layer)
	case flow.Egress:
		r.out += now.At(layer)
		r.outTotal += b.total.At(layer)
	}
	r.match = max(r.match, b.match)
	r.again += b.again
	r.first, r.last = min(r.first, b.first), max(r.last, b.last)
}

// lingers is how long a row without traffic stays among the current ones: what
// pauses for a second does not jump out of the table and back.
const lingers = 5 * time.Second

// list is the rows of a view in the order in which they are shown. Its memory is
// used again and again: a refresh of a hundred thousand rows allocates nothing.
type list struct {
	heading
	view       *view
	cumulative bool
	column     *column // sorted by
	descending bool
	filter     filter

	rows   []row
	order  []int32 // of the rows that the filter passes; [sorted[0]:sorted[1]] is in order
	sorted [2]int
	index  map[flow.Packed]int32
	text   texts
}

// fill groups the store's rows. The row of key stays even without traffic.
func (l *list) fill(s *store, keep *flow.Packed) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l.heading = s.heading
	l.rows = l.rows[:0]
	if l.index == nil {
		l.index = map[flow.Packed]int32{}
	}
	clear(l.index)
	flows := l.view.key == "F" // rows as they are: nothing to look up
	var buf [2]projected
	for i := range s.rows {
		b := &s.rows[i]
		for _, p := range s.project(l.view, b, &buf) {
			r := l.at(p.key, flows)
			r.owner = s.owners.get(l.view.groups, p.key.OwnerID)
			r.add(b, p.dir, s.intervals, s.rateLayer)
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
	for i := range l.rows {
		if l.filter.empty() || l.filter.passes(l.text.of(l, &l.rows[i])) {
			l.order = append(l.order, int32(i))
		}
	}
}

// less is the order of the rows: by the chosen column, then by the numbers of the
// run, then by the key. Equal traffic does not change places.
func (l *list) less(i, j int32) bool {
	a, b := &l.rows[i], &l.rows[j]
	c := l.column.compare(l, a, b)
	if l.descending {
		c = -c
	}
	if c == 0 {
		c = compareRest(a, b)
	}
	return c < 0
}

// window puts the rows of places lo to hi in order.
func (l *list) window(lo, hi int) {
	hi = min(hi, len(l.order))
	if lo >= l.sorted[0] && hi <= l.sorted[1] {
		return
	}
	selectWindow(l.order, lo, hi, l.less)
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
func (l *list) counters(r *row) flow.Counters {
	if l.cumulative {
		return r.total
	}
	return r.now
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
