package tui

import (
	"slices"
	"strconv"
	"time"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/render/termsafe"
	"github.com/pktstat/pktstat/internal/render/units"
)

// column is a column of a field, or of a number that the screen computes.
type column struct {
	layout
	field  *flow.Field // nil: the screen computes it
	port   *flow.Field
	fields []*flow.Field // all fields that the column may show: its field, the port, the alternatives
	number bool
}

// numeric reports whether the column is aligned to the right. Columns of ids are not.
func (c *column) numeric() bool { return c.number || c.own != nil }

// descending reports whether the largest values come first.
func (c *column) descending() bool { return c.own != nil || c.field.Descending() }

// in reports whether rows that are grouped by dims may have a value in the column.
func (c *column) in(dims flow.Dims) bool {
	return c.own != nil || slices.ContainsFunc(c.fields, func(f *flow.Field) bool { return f.In(dims) })
}

// there reports whether any row had a value in the column.
func (c *column) there(had fields) bool {
	return c.always || c.own != nil || c.number && !c.field.Sparse || had.any(c.fields)
}

// amount returns the number of a row. A rate is over the shown span.
func (c *column) amount(l *list, r *row) uint64 {
	switch {
	case c.own != nil:
		return c.own(l, r)
	case c.field.Rate != nil:
		return c.field.Rate(l.rateLayer, l.totals(r))
	}
	return c.field.Sum(&r.total)
}

// appendNumber appends the number of a row.
func (c *column) appendNumber(b []byte, l *list, r *row, f *format) []byte {
	if c.write != nil {
		return c.write(b, l, r, f)
	}
	v := c.amount(l, r)
	switch c.field.Kind {
	case flow.BitRate:
		return append(b, f.rate(v, l.span())...)
	case flow.PacketRate:
		return append(b, plainRate(perSecond(v, l.span()))...)
	case flow.Bytes:
		if v == 0 && c.field.Sparse {
			return b
		}
		return append(b, f.bytes(v)...)
	}
	if v == 0 && c.field.Sparse {
		return b
	}
	return appendCount(b, v)
}

// cell is a readable row, for columns of text.
type cell struct {
	row    flow.Row
	packed flow.PackedRow
	owner  *flow.Owner  // copied to row; never changes
	one    [1]*flow.Row // row, for labels
	dims   flow.Dims
	on     []string // the interfaces below the row's interface
}

func (c *cell) set(l *list, r *row) {
	c.dims = l.view.shown(l.dims)
	c.packed = flow.PackedRow{Key: r.key, Total: r.total.Counters, First: r.first, Last: r.last, Marks: r.marks}
	// Like PackedRow.Readable, without copies, because a filter reads every row.
	row := &c.row
	row.Key, row.Marks, row.HasSubtype = r.key.Key(), r.marks, r.key.L4Kind == flow.L4Subtype
	row.First, row.Last = time.Unix(0, r.first), time.Unix(0, r.last)
	row.Totals, row.Run, row.Iface = r.total, r.total.Counters, ""
	if c.owner != r.owner || l.label != nil {
		c.owner, row.Owner = r.owner, *r.owner
	}
	if l.label != nil {
		row.ClearNumbers()
		c.one[0] = row
		l.label(c.one[:])
	}
	c.on = l.stackedOn[c.row.Ifindex]
	if c.row.Ifindex != 0 {
		for i := range l.interfaces {
			if l.interfaces[i].Index == c.row.Ifindex {
				c.row.Iface = l.interfaces[i].Name
			}
		}
	}
}

// has reports whether the row has a field.
func (c *cell) has(f *flow.Field) bool { return f.In(c.dims) && f.Has(&c.row) }

// appendText appends the text of a row.
func (c *column) appendText(b []byte, cl *cell) []byte {
	if c.port != nil && cl.has(c.port) {
		return c.endpoint(b, cl)
	}
	for i, f := range c.fields {
		if !cl.has(f) {
			continue
		}
		if i > 0 {
			b = append(b, c.instead[i-1].word...)
		}
		if b = c.appendField(b, f, &cl.row); c.more != nil {
			b = c.more(b, cl)
		}
		return b
	}
	return append(b, c.none...)
}

func (c *column) appendField(b []byte, f *flow.Field, row *flow.Row) []byte {
	switch f.Kind {
	case flow.Text:
		return termsafe.Append(b, f.Text(row))
	case flow.Word:
		word := f.Text(row)
		if short, ok := c.words[word]; ok {
			word = short
		}
		return append(b, word...)
	case flow.Duration:
		return append(b, units.Duration(f.Num(row))...)
	case flow.Time:
		return f.Time(row).UTC().AppendFormat(b, time.TimeOnly)
	}
	return f.AppendValue(b, nil, row) // not a rate, so it needs no report
}

// endpoint appends "192.0.2.1:443", or "*:443" if rows are not grouped by address.
func (c *column) endpoint(b []byte, cl *cell) []byte {
	switch {
	case !cl.has(c.field):
		b = append(b, '*')
	case c.field.Addr(&cl.row).Is6():
		b = append(c.field.Addr(&cl.row).AppendTo(append(b, '[')), ']')
	default:
		b = c.field.Addr(&cl.row).AppendTo(b)
	}
	return strconv.AppendUint(append(b, ':'), c.port.Num(&cl.row), 10)
}

// stackedOn appends the interfaces below the row's interface.
func stackedOn(b []byte, c *cell) []byte {
	for i, name := range c.on {
		lead := " on "
		if i > 0 {
			lead = ", "
		}
		b = termsafe.Append(append(b, lead...), name)
	}
	return b
}
