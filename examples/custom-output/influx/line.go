package influx

import (
	"math"
	"strconv"
	"unicode"

	"github.com/pktstat/pktstat/flow"
)

// appendRow appends one point: dimensions and labels as tags, measures and marks as
// fields. A mark may change in a run, and a tag that changes would begin another series.
// What a row does not have, or is not grouped by (--by), becomes no tag.
func (s *sink) appendRow(b []byte, r *flow.Report, row *flow.Row) []byte {
	b = appendStart(b, s.measurement, r)
	start := len(b)
	for _, f := range flow.Fields.Written(r.Dims) {
		if f.Role != flow.Dimension && f.Role != flow.Label || !f.Has(row) {
			continue
		}
		s.value = f.AppendValue(s.value[:0], r, row)
		b = appendTag(b, f.Name, string(s.value))
	}
	// Two rows may look alike: a second process may get the id of one that has ended.
	// One series would keep only the last row.
	series := string(b[start:])
	s.series[series]++
	if n := s.series[series]; n > 1 {
		b = appendTag(b, "row", strconv.Itoa(n))
	}
	b = appendMeasures(b, &row.Totals)
	for _, f := range flow.Fields.Written(r.Dims) {
		if f.Role == flow.Mark && f.Has(row) {
			s.value = f.AppendValue(s.value[:0], r, row)
			b = appendText(append(append(append(b, ','), f.Name...), '='), string(s.value))
		}
	}
	return appendEnd(b, r)
}

// appendSum appends one of the sums below the rows.
func (s *sink) appendSum(b []byte, r *flow.Report, sum *flow.Sum) []byte {
	b = appendTag(appendStart(b, s.measurement+"_sum", r), "sum", sum.Name)
	return appendEnd(appendMeasures(b, &sum.Totals), r)
}

// appendStart appends what all points of a report share. An interval's points are
// deltas and the run's are totals: a tag keeps them apart.
func appendStart(b []byte, measurement string, r *flow.Report) []byte {
	b = appendEscaped(b, measurement)
	span := "interval"
	if r.Final {
		span = "run"
	}
	return appendTag(appendTag(b, "span", span), "backend", r.Backend)
}

func appendTag(b []byte, key, value string) []byte {
	b = append(append(append(b, ','), key...), '=')
	return appendEscaped(b, value)
}

func appendMeasures(b []byte, t *flow.Totals) []byte {
	lead := byte(' ')
	for _, f := range flow.Fields.All() {
		if f.Sum == nil {
			continue
		}
		v := f.Sum(t)
		if v == 0 && f.Sparse {
			continue
		}
		b = appendUint(append(append(append(b, lead), f.Name...), '='), v)
		lead = ','
	}
	return b
}

// appendEnd appends the time of the point.
func appendEnd(b []byte, r *flow.Report) []byte {
	b = strconv.AppendInt(append(b, ' '), r.End.UnixNano(), 10)
	return append(b, '\n')
}

// appendUint appends an integer field. Unsigned fields need InfluxDB 2; signed
// ones are understood everywhere, and enough for a few exabytes.
func appendUint(b []byte, v uint64) []byte {
	suffix := byte('i')
	if v > math.MaxInt64 {
		suffix = 'u'
	}
	return append(strconv.AppendUint(b, v, 10), suffix)
}

// appendText appends a field of text.
func appendText(b []byte, s string) []byte {
	b = append(b, '"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b = append(b, '\\', byte(r))
		case !unicode.IsPrint(r):
			b = append(b, '_')
		default:
			b = append(b, string(r)...)
		}
	}
	return append(b, '"')
}

// appendEscaped escapes what ends a measurement or a tag. A line break ends the
// point whatever is before it, and a backslash at the end escapes what follows:
// neither can be written, and nothing invisible should be.
func appendEscaped(b []byte, s string) []byte {
	for _, r := range s {
		switch {
		case r == ',' || r == '=' || r == ' ':
			b = append(b, '\\', byte(r))
		case r == '\\' || !unicode.IsPrint(r):
			b = append(b, '_')
		default:
			b = append(b, string(r)...)
		}
	}
	return b
}
