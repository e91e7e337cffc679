package tui

import (
	"cmp"
	"encoding/binary"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/pktstat/pktstat/flow"
)

// ranks are the numbers by which a column sorts the rows of a list. They are computed once, not for
// each comparison. A text's number is its place among all texts.
type ranks struct {
	column  *column // nil: not filled
	per     int     // numbers of a row
	numbers []uint64
	cell    cell

	texts  []string
	ids    map[string]int32 // index in texts
	sorted []int32          // indexes of texts, in order
	places []uint64         // place of each text
}

// fill computes the numbers of all rows.
func (k *ranks) fill(l *list) {
	c := l.column
	k.column, k.numbers, k.texts = c, k.numbers[:0], k.texts[:0]
	k.per = 1
	if c.numeric() {
		for i := range l.rows {
			k.numbers = append(k.numbers, c.amount(l, &l.rows[i]))
		}
		return
	}
	clear(k.ids)
	if k.per = 0; len(l.rows) == 0 {
		return
	}
	for i := range l.rows {
		k.cell.set(l, &l.rows[i])
		for _, f := range c.fields {
			k.add(f)
		}
	}
	k.per = len(k.numbers) / len(l.rows)
	k.placeTexts(c.fields)
}

// add appends the numbers of one field. For a text, it appends the index in texts.
func (k *ranks) add(f *flow.Field) {
	has := k.cell.has(f)
	var v uint64
	switch {
	case f.Kind == flow.Addr:
		var a netip.Addr
		if has {
			a = f.Addr(&k.cell.row)
		}
		b := a.As16()
		k.numbers = append(k.numbers, uint64(a.BitLen()), binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:]))
		return
	case f.Order != nil:
		for _, of := range f.Order {
			k.numbers = append(k.numbers, of(&k.cell.packed))
		}
		return
	case isText(f):
		v = uint64(k.id(f, has))
	case f.Kind == flow.Time && has:
		v = uint64(max(f.Time(&k.cell.row).Sub(time.Unix(0, 0)), 0))
	case has:
		v = f.Uint(&k.cell.row)
	}
	k.numbers = append(k.numbers, v)
}

// width returns how many numbers add appends.
func width(f *flow.Field) int {
	switch {
	case f.Kind == flow.Addr:
		return 3
	case f.Order != nil:
		return len(f.Order)
	}
	return 1
}

// isText reports whether the field sorts by its text.
func isText(f *flow.Field) bool { return f.Order == nil && f.Num == nil && f.Text != nil }

// id returns the index of a row's text in texts.
func (k *ranks) id(f *flow.Field, has bool) int32 {
	text := ""
	if has {
		text = f.Text(&k.cell.row)
	}
	id, ok := k.ids[text]
	if !ok {
		if k.ids == nil {
			k.ids = map[string]int32{}
		}
		id = int32(len(k.texts))
		k.ids[text] = id
		k.texts = append(k.texts, text)
	}
	return id
}

// placeTexts replaces the indexes of texts by their places.
func (k *ranks) placeTexts(fields []*flow.Field) {
	if len(k.texts) == 0 {
		return
	}
	k.sorted = k.sorted[:0]
	for i := range k.texts {
		k.sorted = append(k.sorted, int32(i))
	}
	slices.SortFunc(k.sorted, func(a, b int32) int { return compareFold(k.texts[a], k.texts[b]) })
	k.places = slices.Grow(k.places[:0], len(k.texts))[:len(k.texts)]
	for place, id := range k.sorted {
		k.places[id] = uint64(place)
	}
	at := 0
	for _, f := range fields {
		for i := at; isText(f) && i < len(k.numbers); i += k.per {
			k.numbers[i] = k.places[k.numbers[i]]
		}
		at += width(f)
	}
}

// compareFold is the reports' order of texts, without regard to case.
func compareFold(a, b string) int {
	return cmp.Or(cmp.Compare(strings.ToLower(a), strings.ToLower(b)), cmp.Compare(a, b))
}

// compare compares two rows by the column.
func (k *ranks) compare(i, j int32) int {
	a, b := k.numbers[int(i)*k.per:], k.numbers[int(j)*k.per:]
	for n := range k.per {
		if c := cmp.Compare(a[n], b[n]); c != 0 {
			return c
		}
	}
	return 0
}
