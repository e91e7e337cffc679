package engine

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/count/ledger"
)

// ParseSort reads the value of --sort: a field's name or alias.
func ParseSort(s string) (*flow.Field, error) {
	if f := flow.Fields.Find(s); f != nil && !f.Derived {
		return f, nil
	}
	return nil, fmt.Errorf("unknown sort field %q: there are %s", s, strings.Join(SortNames(), ", "))
}

// SortNames returns the names of the fields that rows can be ordered by.
func SortNames() []string { return flow.Fields.Names(func(f *flow.Field) bool { return !f.Derived }) }

// order returns the order of the rows of a report: by the field of --sort, the rate if
// there is none, then by packets, then by the key.
func (r *run) order(span ledger.Span) ledger.Order {
	counters := func(p *flow.PackedRow) *flow.Counters {
		if span == ledger.Run {
			return &p.Total
		}
		return &p.Delta
	}
	packets := func(p *flow.PackedRow) uint64 { return counters(p).Packets }
	f := r.c.sort()
	keys := r.sortKeys(f, counters, r.ledger.RetransmitsOf(span))
	if !f.Descending() {
		for i, key := range keys {
			keys[i] = func(p *flow.PackedRow) uint64 { return ^key(p) }
		}
	}
	return slices.Concat(keys, ledger.Order{packets}, byKey)
}

// sort is the field that rows are ordered by.
func (c *Config) sort() *flow.Field {
	if c.Sort == nil {
		return flow.Fields.Find("bps")
	}
	return c.Sort
}

// sortKeys are the numbers that order rows by a field, the smallest first.
func (r *run) sortKeys(f *flow.Field, counters func(*flow.PackedRow) *flow.Counters, retransmits func(*flow.PackedRow) uint64) ledger.Order {
	switch {
	case f.Order != nil:
		return slices.Clone(f.Order)
	case f.Sum != nil:
		var t flow.Totals // one for all calls: the accessor would move it to the heap
		return ledger.Order{func(p *flow.PackedRow) uint64 {
			t = flow.Totals{Counters: *counters(p), Retransmits: retransmits(p)}
			return f.Sum(&t)
		}}
	case f.Rate != nil:
		return ledger.Order{func(p *flow.PackedRow) uint64 { return f.Rate(r.rate, counters(p)) }}
	case f.Num != nil:
		var row flow.Row
		return ledger.Order{func(p *flow.PackedRow) uint64 {
			row = r.readable(p)
			if !f.Has(&row) {
				return 0
			}
			return f.Num(&row)
		}}
	}
	return r.textKeys(f)
}

// textKeys order rows by a text: each gets its place among all texts.
func (r *run) textKeys(f *flow.Field) ledger.Order {
	var row flow.Row
	text := func(p *flow.PackedRow) string {
		row = r.readable(p)
		if !f.Has(&row) {
			return ""
		}
		return f.Text(&row)
	}
	place := map[string]uint64{}
	for p := range r.ledger.Rows() {
		place[text(p)] = 0
	}
	texts := make([]string, 0, len(place))
	for s := range place {
		texts = append(texts, s)
	}
	slices.SortFunc(texts, func(a, b string) int {
		return cmp.Or(cmp.Compare(strings.ToLower(a), strings.ToLower(b)), cmp.Compare(a, b))
	})
	for i, s := range texts {
		place[s] = uint64(i)
	}
	return ledger.Order{func(p *flow.PackedRow) uint64 { return place[text(p)] }}
}

// byKey makes any order a total one, so that equal traffic prints equally.
var byKey = func() ledger.Order {
	o := make(ledger.Order, flow.SortKeys)
	for i := range o {
		o[i] = func(p *flow.PackedRow) uint64 { return ^p.Key.SortKey(i) }
	}
	return o
}()
