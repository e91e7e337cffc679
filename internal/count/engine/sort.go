package engine

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/count/ledger"
	"github.com/pktstat/pktstat/registry"
)

// ParseSort reads a value of --sort: a field's name or alias. An unknown name is an error.
func ParseSort(s string) (*flow.Field, error) {
	if f := flow.Fields.Find(s); f != nil && !f.Derived {
		return f, nil
	}
	return nil, fmt.Errorf("unknown sort field %q: there are %s", s, strings.Join(SortNames(), ", "))
}

// SortNames returns the names of the fields that --sort takes.
func SortNames() []string { return flow.Fields.Names(func(f *flow.Field) bool { return !f.Derived }) }

// order returns the order of a report's rows: by the field of --sort (default bps), then by
// packets, then by key.
func (r *run) order(v *view, span ledger.Span) ledger.Order {
	f := r.c.sort()
	keys := r.sortKeys(v, f, span)
	if !f.Descending() {
		for i, key := range keys {
			keys[i] = func(p *flow.PackedRow) uint64 { return ^key(p) }
		}
	}
	return slices.Concat(keys, ledger.Order{packetsOf(span)}, byKey)
}

// packetsOf returns the packets of a row in a span.
func packetsOf(span ledger.Span) func(*flow.PackedRow) uint64 {
	if span == ledger.Run {
		return func(p *flow.PackedRow) uint64 { return p.Total.Packets }
	}
	return func(p *flow.PackedRow) uint64 { return p.Delta.Packets }
}

// sort returns the field that rows are ordered by.
func (c *Config) sort() *flow.Field {
	if c.Sort == nil {
		return flow.Fields.Find(flow.DefaultSort)
	}
	return c.Sort
}

// sortKeys returns the numbers that order rows by a field, ascending.
func (r *run) sortKeys(v *view, f *flow.Field, span ledger.Span) ledger.Order {
	late := r.labels.lateBy(f)
	switch {
	case late != nil && f.Order == nil:
		return r.lateKeys(v, f, span, late)
	case f.Order != nil && v.dims.Paired(): // the ledger may have the ends in another order
		var shown flow.PackedRow
		keys := make(ledger.Order, len(f.Order))
		for i, key := range f.Order {
			keys[i] = func(p *flow.PackedRow) uint64 {
				shown, _ = v.ledger.Shown(p)
				return key(&shown)
			}
		}
		return keys
	case f.Order != nil:
		return slices.Clone(f.Order)
	case f.Sum != nil || f.Rate != nil:
		var t flow.Totals // shared by all calls: a new one would be allocated on the heap
		totals := v.ledger.TotalsOf(span)
		return ledger.Order{func(p *flow.PackedRow) uint64 {
			t = totals(p)
			if f.Rate != nil {
				return f.Rate(r.rate, &t)
			}
			return f.Sum(&t)
		}}
	case f.Num != nil:
		var row flow.Row
		return ledger.Order{func(p *flow.PackedRow) uint64 {
			row = r.readable(v, p)
			if !f.Has(&row) {
				return 0
			}
			return f.Num(&row)
		}}
	}
	return r.textKeys(v, f)
}

// textKeys orders rows by a text. Each text's key is its rank among all texts.
func (r *run) textKeys(v *view, f *flow.Field) ledger.Order {
	var row flow.Row
	text := func(p *flow.PackedRow) string {
		row = r.readable(v, p)
		if !f.Has(&row) {
			return ""
		}
		return f.Text(&row)
	}
	place := map[string]uint64{}
	for p := range v.ledger.Rows() {
		place[text(p)] = 0
	}
	number(place)
	return ledger.Order{func(p *flow.PackedRow) uint64 { return place[text(p)] }}
}

// number gives each text its rank among all texts.
func number(place map[string]uint64) {
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
}

// lateKeys orders rows by a field of a label that gets rows instead of records. The label gets all
// rows that may be shown.
func (r *run) lateKeys(v *view, f *flow.Field, span ledger.Span, label registry.Labeler) ledger.Order {
	const atATime = 64
	rows, of := make([]flow.Row, 0, atATime), make([]*flow.PackedRow, 0, atATime)
	numbers, texts, place := map[*flow.PackedRow]uint64{}, map[*flow.PackedRow]string{}, map[string]uint64{"": 0}
	flush := func() {
		to := make([]*flow.Row, len(rows))
		for i := range rows {
			to[i] = &rows[i]
		}
		label.Rows(to)
		for i, row := range to {
			switch {
			case !f.Has(row):
			case f.Num != nil:
				numbers[of[i]] = f.Num(row)
			default:
				texts[of[i]] = f.Text(row)
				place[f.Text(row)] = 0
			}
		}
		rows, of = rows[:0], of[:0]
	}
	for p := range v.ledger.Counted(span) {
		rows, of = append(rows, r.readable(v, p)), append(of, p)
		if len(rows) == atATime {
			flush()
		}
	}
	flush()
	if f.Num != nil {
		return ledger.Order{func(p *flow.PackedRow) uint64 { return numbers[p] }}
	}
	number(place)
	return ledger.Order{func(p *flow.PackedRow) uint64 { return place[texts[p]] }}
}

// byKey makes every order total, so that equal traffic prints in the same order.
var byKey = func() ledger.Order {
	o := make(ledger.Order, flow.SortKeys)
	for i := range o {
		o[i] = func(p *flow.PackedRow) uint64 { return ^p.Key.SortKey(i) }
	}
	return o
}()
