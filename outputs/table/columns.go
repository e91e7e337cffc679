package table

import (
	"cmp"
	"strconv"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/render/termsafe"
	"github.com/pktstat/pktstat/internal/render/units"
)

// column is a column of a field, or a column of the table itself without a field.
type column struct {
	layout
	field         *flow.Field
	port, instead *flow.Field // of the layout
	number        bool        // aligned right; sums have it
}

func newColumn(f *flow.Field, l layout) *column {
	c := &column{layout: l, field: f, port: flow.Fields.Find(l.port), instead: flow.Fields.Find(l.instead), number: isAmount(f)}
	c.title = cmp.Or(l.title, f.Title)
	return c
}

// labelColumn holds "rest" and "total" if no other column of text is free for them.
var labelColumn = &column{}

// cell returns the text of a flow.
func (c *column) cell(r *flow.Report, row *flow.Row, u units.System) string {
	has := func(f *flow.Field) bool { return f.In(r.Dims) && f.Has(row) }
	switch {
	case c.number:
		return c.amount(r, &row.Totals, u)
	case c.port != nil:
		return endpoint(c, row, has(c.field), has(c.port))
	case has(c.field):
		return value(c.field, r, row, u)
	case c.instead != nil && has(c.instead):
		return c.word + value(c.instead, r, row, u)
	}
	return ""
}

// amount returns the text of a number, for flows and sums.
func (c *column) amount(r *flow.Report, t *flow.Totals, u units.System) string {
	switch {
	case c.field.Undirected() && t.Out.IsZero() && t.In.IsZero() && !t.Counters.IsZero():
		return "-" // a sum of packets whose direction is not known
	case c.field.Rate != nil && c.field.Kind == flow.PacketRate:
		return units.PacketRate(c.field.PerSecond(r, t))
	case c.field.Rate != nil:
		return units.BitRate(c.field.PerSecond(r, t))
	}
	v := c.field.Sum(t)
	switch {
	case v == 0 && c.field.Sparse:
		return ""
	case c.field.Kind == flow.Bytes:
		return u.Bytes(v)
	}
	return strconv.FormatUint(v, 10)
}

// ofBytes reports whether the column needs known byte counts.
func (c *column) ofBytes() bool { return c.field.Kind == flow.Bytes || c.field.Kind == flow.BitRate }

// value returns the text of a field that the row has.
func value(f *flow.Field, r *flow.Report, row *flow.Row, u units.System) string {
	switch f.Kind {
	case flow.Uint:
		return strconv.FormatUint(f.Uint(row), 10)
	case flow.Bytes:
		return u.Bytes(f.Uint(row))
	case flow.Text:
		return termsafe.String(f.Text(row))
	case flow.Word, flow.Flags:
		return f.Text(row)
	case flow.Duration:
		return units.Duration(f.Num(row))
	case flow.Time:
		return f.Time(row).UTC().Format("2006-01-02 15:04:05.000")
	}
	return string(f.AppendValue(nil, r, row))
}

// endpoint returns "192.0.2.1:443" or "[2001:db8::1]:443". Without a port, it returns the address.
// If rows are not grouped by address, it returns "*:443".
func endpoint(c *column, row *flow.Row, hasAddr, hasPort bool) string {
	if !hasPort {
		if hasAddr {
			return c.field.Addr(row).String()
		}
		return ""
	}
	b := []byte{'*'}
	if hasAddr {
		b = c.field.Addr(row).AppendTo(b[:0])
		if c.field.Addr(row).Is6() {
			b = append(append([]byte{'['}, b...), ']')
		}
	}
	return string(strconv.AppendUint(append(b, ':'), c.port.Num(row), 10))
}
