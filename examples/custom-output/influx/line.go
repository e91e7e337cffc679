package influx

import (
	"math"
	"strconv"
	"unicode"

	"github.com/pktstat/pktstat/flow"
)

// appendRow appends one point. Dimensions and labels become tags, measures and marks become fields.
// A mark may change during a run, and a changed tag would start another series. A field that the
// row does not have, or is not grouped by (--by), becomes no tag.
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
	// Two rows may have equal tags, such as two processes with the same PID, one after the other.
	// In one series, InfluxDB would keep only the last row.
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

// appendStart appends the start that all points of a report share. A tag separates interval points,
// which are deltas, from run points, which are totals.
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
		if !f.InSum(t) {
			continue
		}
		b = appendUint(append(append(append(b, lead), f.Name...), '='), f.Sum(t))
		lead = ','
	}
	return b
}

// appendEnd appends the time of the point.
func appendEnd(b []byte, r *flow.Report) []byte {
	b = strconv.AppendInt(append(b, ' '), r.End.UnixNano(), 10)
	return append(b, '\n')
}

// appendUint appends an integer field. It is signed, because only InfluxDB 2 accepts unsigned ones.
// A signed field suffices for a few exabytes.
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

// appendEscaped escapes the characters that end a measurement or a tag. It replaces line breaks and
// a final backslash, which the protocol cannot escape, and all invisible characters.
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
