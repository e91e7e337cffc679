package ledger

import (
	"cmp"
	"slices"

	"github.com/pktstat/pktstat/flow"
)

// Order is an order of rows by descending keys. The second key orders rows with an equal first
// key, and so on. There is at least one key.
//
// Keys are numbers, so that sorting need not read the rows for each comparison. Rows are
// scattered in memory; sorting a million equal counters took seconds.
type Order []func(*flow.PackedRow) uint64

// keyed is a row with one of its keys.
type keyed struct {
	key uint64
	row *flow.PackedRow
}

// compare compares rows by all keys. Both hold the order's first key.
func (o Order) compare(a, b keyed) int {
	if a.key != b.key {
		return cmp.Compare(b.key, a.key)
	}
	for _, key := range o[1:] {
		if c := cmp.Compare(key(b.row), key(a.row)); c != 0 {
			return c
		}
	}
	return 0
}

const (
	fewRows  = 12   // up to this number, rows are compared by all keys at once
	manyRows = 4096 // from this number on, radix sort is faster
)

// sort sorts rows that hold the order's first key. It sorts rows with an equal key by the next
// key.
func (o Order) sort(rows []keyed) {
	var spare []keyed
	if len(rows) >= manyRows {
		spare = make([]keyed, len(rows))
	}
	o.sortWith(rows, spare)
}

func (o Order) sortWith(rows, spare []keyed) {
	switch {
	case len(rows) <= fewRows:
		slices.SortFunc(rows, o.compare)
		return
	case len(rows) < manyRows:
		slices.SortFunc(rows, func(a, b keyed) int { return cmp.Compare(b.key, a.key) })
	default:
		radix(rows, spare)
	}
	for len(rows) > 0 && len(o) > 1 {
		n := 1
		for n < len(rows) && rows[n].key == rows[0].key {
			n++
		}
		if same := rows[:n]; n > 1 {
			for i := range same {
				same[i].key = o[1](same[i].row)
			}
			o[1:].sortWith(same, spare)
		}
		rows = rows[n:]
	}
}

// radix sorts rows by descending keys, byte by byte from the lowest (LSD radix sort). Most keys
// differ in few bytes only.
func radix(rows, spare []keyed) {
	const digits, values = 8, 256
	digit := func(k *keyed, d int) uint8 { return uint8(^k.key >> (8 * d)) }
	var place [digits][values]int
	for i := range rows {
		for d := range digits {
			place[d][digit(&rows[i], d)]++
		}
	}
	from, to := rows, spare[:len(rows)]
	for d := range digits {
		place := &place[d]
		if place[digit(&rows[0], d)] == len(rows) {
			continue
		}
		next := 0
		for v, n := range place {
			place[v], next = next, next+n
		}
		for i := range from {
			p := &place[digit(&from[i], d)]
			to[*p] = from[i]
			*p++
		}
		from, to = to, from
	}
	if &from[0] != &rows[0] {
		copy(rows, from)
	}
}
