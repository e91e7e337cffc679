// Package reportjson writes a report as a JSON object of the schema pktstat.report/v1.
// outputs/json/README.md describes the schema.
//
// The package does not use encoding/json, which takes several times as long and allocates for each
// row. A report may have a million rows.
package reportjson

import (
	"bufio"
	"strings"

	"github.com/pktstat/pktstat/flow"
)

// Schema is the value of the field "schema". A later version may add fields; a field never changes
// its meaning.
const Schema = "pktstat.report/v1"

// Write writes r and a newline, indented if pretty. It returns the first error of w.
func Write(w *bufio.Writer, r *flow.Report, pretty bool) error {
	e := encoder{pretty: pretty, buf: w.AvailableBuffer(), fields: fieldsOf(r.Dims, pretty)}
	e.open('{')
	e.head(r)
	e.key("flows")
	e.open('[')
	var row flow.Row // reused: the accessors take a pointer
	for row = range r.Rows() {
		e.row(r, &row)
		if _, err := w.Write(e.buf); err != nil {
			return err
		}
		if w.Available() < w.Size()/16 { // so that the next row fits into the buffer
			if err := w.Flush(); err != nil {
				return err
			}
		}
		e.buf = w.AvailableBuffer()
	}
	e.close(']')
	e.close('}')
	_, err := w.Write(append(e.buf, '\n'))
	return err
}

func (e *encoder) head(r *flow.Report) {
	e.key("schema").string(Schema)
	e.key("final").bool(r.Final)
	e.key("seq").uint(r.Seq)
	e.origin(r)
	e.key("backend").string(r.Backend)
	if r.Attach != "" {
		e.key("attach").string(r.Attach)
	}
	if r.Reason != "" {
		e.key("reason").string(r.Reason)
	}
	if len(r.Alternatives) > 0 {
		e.alternatives(r.Alternatives)
	}
	e.key("interfaces").open('[')
	for i := range r.Interfaces {
		e.element().string(r.Interfaces[i].Name)
	}
	e.close(']')
	if !r.Start.IsZero() {
		e.key("start").time(r.Start)
	}
	if !r.End.IsZero() {
		e.key("end").time(r.End)
	}
	e.key("duration_s").float(r.Duration().Seconds())
	if by := r.GroupedBy(); by != "" {
		e.strings("by", strings.Split(by, ","))
	}
	if sort := r.SortedBy(); sort != "" {
		e.key("sort").string(sort)
	}
	if layer := r.RateLayer.String(); layer != "" {
		e.key("rate_layer").string(layer)
	}
	if r.PacketsInexact {
		e.key("packets_exact").bool(false)
	}
	if len(r.Notes) > 0 {
		e.strings("notes", r.Notes)
	}
	e.sum("total", &r.Total, false)
	e.sum("overflow", &r.Overflow, false)
	if r.OverflowBy != (flow.Overflow{}) {
		e.overflowBy(&r.OverflowBy)
	}
	e.sum("lost", &r.Lost, r.LostBytesUnknown)
	e.sum("rest", &r.Rest, false)
	if r.Links != nil {
		e.links(r)
		e.sum("link_total", &flow.Totals{Counters: r.LinkTotal}, false)
	}
	if r.Coverage != nil {
		e.coverage(r.Coverage)
	}
	e.key("row_count").uint(uint64(r.FlowCount))
	e.key("flow_count").uint(uint64(r.FlowCount))
}

// origin writes the fields about the run and its source.
func (e *encoder) origin(r *flow.Report) {
	o := &r.Origin
	for _, f := range []struct{ name, value string }{
		{"host", o.Host}, {"kernel", o.Kernel}, {"version", o.Version}, {"note", o.Note},
	} {
		if f.value != "" {
			e.key(f.name).string(f.value)
		}
	}
	if o.Args != nil {
		e.strings("args", o.Args)
	}
	if kind, names := r.Source(); kind != flow.SourceAll {
		e.key("source").open('{')
		e.strings(string(kind), names)
		e.close('}')
	}
}

// overflowBy writes the reasons with traffic.
func (e *encoder) overflowBy(o *flow.Overflow) {
	e.key("overflow_by").open('{')
	for reason, c := range o {
		if !c.IsZero() {
			e.sum(flow.OverflowReason(reason).String(), &flow.Totals{Counters: c}, false)
		}
	}
	e.close('}')
}

func (e *encoder) alternatives(all []flow.Alternative) {
	e.key("alternatives").open('[')
	for _, u := range all {
		e.element().open('{')
		e.key("backend").string(u.Backend)
		e.key("reason").string(u.Why)
		e.close('}')
	}
	e.close(']')
}

func (e *encoder) links(r *flow.Report) {
	e.key("links").open('[')
	for i := range r.Links {
		l := &r.Links[i]
		e.element().open('{')
		if l.Index != 0 {
			e.key("iface").string(l.Name)
		}
		e.totals(&flow.Totals{Counters: l.Counters})
		for _, f := range e.fields {
			if f.Role == flow.Rate && f.Object == "" {
				e.key(f.Name).float(f.PerSecond(r, &flow.Totals{Counters: l.Counters}))
			}
		}
		if len(l.StackedOn) > 0 {
			e.strings("stacked_on", l.StackedOn)
		}
		e.close('}')
	}
	e.close(']')
}

func (e *encoder) coverage(all []flow.Coverage) {
	e.key("coverage").open('[')
	for i := range all {
		c := &all[i]
		e.element().open('{')
		e.key("iface").string(c.Name)
		e.key("direction").string(c.Dir.String())
		e.key("packets").uint(c.Packets)
		e.key("interface_packets").uint(c.LinkPackets)
		e.key("percent").float(c.Percent())
		e.key("frame_bytes").uint(c.FrameBytes)
		e.key("interface_bytes").uint(c.LinkBytes)
		e.key("bytes_percent").float(c.BytePercent())
		if c.Segments {
			e.key("segments").bool(true)
		}
		if len(c.Reasons) > 0 {
			e.strings("reasons", c.Reasons)
		}
		if len(c.ByteReasons) > 0 {
			e.strings("bytes_reasons", c.ByteReasons)
		}
		e.close('}')
	}
	e.close(']')
}

func (e *encoder) sum(name string, t *flow.Totals, bytesUnknown bool) {
	e.key(name).open('{')
	e.totals(t)
	if bytesUnknown {
		e.key("bytes_unknown").bool(true)
	}
	e.close('}')
}

// row writes the fields of a row.
func (e *encoder) row(r *flow.Report, row *flow.Row) {
	e.element().open('{')
	for i := range e.fields {
		f := &e.fields[i]
		if f.has != nil && !f.has(row) {
			continue
		}
		if f.open {
			e.key(f.Object).open('{')
		}
		e.element()
		e.buf = append(e.buf, f.key...)
		switch f.Kind {
		case flow.Text:
			e.string(f.Text(row))
		case flow.Word, flow.Flags:
			e.quote()
			e.buf = append(e.buf, f.Text(row)...)
			e.quote()
		case flow.Addr:
			e.addr(f.Addr(row))
		case flow.Hex16:
			e.hex16(uint16(f.Num(row)))
		case flow.BitRate, flow.PacketRate:
			e.float(f.PerSecond(r, &row.Totals))
		case flow.Time:
			e.time(f.Time(row))
		case flow.Duration:
			e.float(flow.Seconds(f.Num(row)))
		default:
			e.uint(f.Uint(row))
		}
		if f.close {
			e.close('}')
		}
	}
	e.close('}')
}

// totals writes the measures of a sum or of an interface.
func (e *encoder) totals(t *flow.Totals) {
	for i := range e.fields {
		f := &e.fields[i]
		if !f.InSum(t) {
			continue
		}
		if f.open {
			e.key(f.Object).open('{')
		}
		e.element()
		e.buf = append(e.buf, f.key...)
		e.uint(f.Sum(t))
		if f.close || f.Object != "" && e.fields[i+1].Role != flow.Measure { // sums have no rates
			e.close('}')
		}
	}
}
