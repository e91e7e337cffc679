package csv

import (
	"bytes"
	"strconv"
	"time"

	"github.com/pktstat/pktstat/flow"
)

// line is a line of the file: a flow, one of the report's sums, or an interface.
type line struct {
	report *flow.Report
	kind   string // "flow", "rest", "overflow", "lost", "total", "link", "link_total"
	row    flow.Row
	iface  *flow.Field  // in a line "link": its only field besides the sums
	totals *flow.Totals // of a sum or an interface; nil for a flow

	bytesUnknown bool
}

// column is a column, with a function that appends its cell. The cell is empty if it does not
// apply.
type column struct {
	name   string
	append func([]byte, *line) []byte
}

// columns returns the columns of the file. They do not depend on --by, so that files can be
// concatenated. chosen replaces the columns of fields.
func columns(intervals bool, chosen []*flow.Field) []column {
	cols := []column{{"row", func(b []byte, l *line) []byte { return append(b, l.kind...) }}}
	if intervals {
		cols = append(cols, reportColumns...)
	}
	if chosen != nil {
		for _, f := range chosen {
			cols = append(cols, fieldColumn(f))
		}
		return cols
	}
	unknown := false
	for _, f := range flow.Fields.All() {
		if f.Derived {
			continue
		}
		if !unknown && f.Role > flow.Measure {
			cols, unknown = append(cols, unknownColumn), true
		}
		cols = append(cols, fieldColumn(f))
	}
	return cols
}

var reportColumns = []column{
	{"seq", func(b []byte, l *line) []byte { return strconv.AppendUint(b, l.report.Seq, 10) }},
	{"final", func(b []byte, l *line) []byte { return strconv.AppendBool(b, l.report.Final) }},
	{"start", func(b []byte, l *line) []byte { return timeCell(b, l.report.Start) }},
	{"end", func(b []byte, l *line) []byte { return timeCell(b, l.report.End) }},
}

var unknownColumn = column{"bytes_unknown", func(b []byte, l *line) []byte {
	if l.bytesUnknown {
		return append(b, "true"...)
	}
	return b
}}

// fieldColumn returns the column of a field. Flows that have the field fill it, and sums if they
// have it.
func fieldColumn(f *flow.Field) column {
	return column{f.Name, func(b []byte, l *line) []byte {
		switch {
		case l.totals == nil && (!f.In(l.report.Dims) || !f.Has(&l.row)):
			return b
		case l.totals == nil && f.Kind == flow.Text, f == l.iface:
			return appendText(b, f.Text(&l.row))
		case l.totals == nil && f.Rate != nil:
			return rateCell(b, f.PerSecond(l.report, &l.row.Totals))
		case l.totals == nil:
			return f.AppendValue(b, l.report, &l.row)
		case f.InSum(l.totals):
			b = strconv.AppendUint(b, f.Sum(l.totals), 10)
		case f.Rate != nil && f.In(l.report.Dims):
			return rateCell(b, f.PerSecond(l.report, l.totals))
		}
		return b
	}}
}

// rateCell has at most three decimals, and never an exponent, which spreadsheets would round.
func rateCell(b []byte, perSecond float64) []byte {
	const decimals = 3
	text := strconv.AppendFloat(nil, perSecond, 'f', decimals, 64)
	return append(b, bytes.TrimRight(bytes.TrimRight(text, "0"), ".")...)
}

func timeCell(b []byte, t time.Time) []byte {
	if t.IsZero() {
		return b
	}
	return t.UTC().AppendFormat(b, time.RFC3339Nano)
}
