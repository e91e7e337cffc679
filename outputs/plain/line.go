package plain

import (
	"net/netip"
	"slices"
	"strconv"
	"time"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/render/termsafe"
)

// Each row's line begins with six words, so that awk can select them by number: direction,
// interface, protocol, source, ">", destination. A row with two ends has local end, "<>", remote end.
const (
	unknown  = "-" // the flow has no value
	anyValue = "*" // rows are not grouped by the field
)

// wordFields are the fields of the six words. The line does not repeat them as NAME=VALUE.
var wordFields = []string{
	"direction", "iface", "proto", "src", "src_port", "dst", "dst_port",
	"local", "local_port", "remote", "remote_port", "host", "port",
}

// writer writes the lines of a report.
type writer struct {
	report *flow.Report
	named  []*flow.Field // written as NAME=VALUE, in this order
	chosen bool          // the user chose them: write only these
}

func newWriter(r *flow.Report, chosen []*flow.Field) writer {
	if chosen != nil {
		return writer{r, chosen, true}
	}
	w := writer{report: r}
	// Fields that identify the flow come before counters.
	var counted []*flow.Field
	for _, f := range flow.Fields.Written(r.Dims) {
		switch {
		case f.Role == flow.When || slices.Contains(wordFields, f.Name):
		case f.Role == flow.Measure || f.Role == flow.Rate:
			counted = append(counted, f)
		default:
			w.named = append(w.named, f)
		}
	}
	w.named = append(w.named, counted...)
	return w
}

func (w *writer) flow(b []byte, row *flow.Row) []byte {
	if !w.chosen {
		b = appendWords(b, w.report, row)
	}
	start := len(b)
	for _, f := range w.named {
		if !f.In(w.report.Dims) || !f.Has(row) {
			continue
		}
		if len(b) > start || !w.chosen {
			b = append(b, ' ')
		}
		b = append(append(b, f.Name...), '=')
		switch {
		case f.Role == flow.Rate:
			b = appendRate(b, f, w.report, &row.Totals)
		case f.Kind == flow.Text:
			b = termsafe.AppendWord(b, f.Text(row))
		default:
			b = f.AppendValue(b, w.report, row)
		}
	}
	return append(b, '\n')
}

// sum appends the measures, and with rates the rates, of a sum or an interface.
func (w *writer) sum(b []byte, t *flow.Totals, rates bool) []byte {
	for _, f := range flow.Fields.All() {
		switch {
		case f.InSum(t):
			b = appendUint(b, f.Name, f.Sum(t))
		case f.Rate != nil && rates && f.In(w.report.Dims):
			b = appendRate(append(append(append(b, ' '), f.Name...), '='), f, w.report, t)
		}
	}
	return b
}

// appendRate appends a rate, rounded to whole bits or to two decimals of packets.
func appendRate(b []byte, f *flow.Field, r *flow.Report, t *flow.Totals) []byte {
	decimals := 2
	if f.Kind == flow.BitRate {
		decimals = 0
	}
	return strconv.AppendFloat(b, f.PerSecond(r, t), 'f', decimals, 64)
}

// appendWords appends the six words.
func appendWords(b []byte, r *flow.Report, row *flow.Row) []byte {
	word := func(dim flow.Dims, text string) {
		if !r.Dims.Has(dim) {
			text = anyValue
		}
		b = append(termsafe.AppendWord(b, text), ' ')
	}
	word(flow.DimDir, row.Dir.String())
	word(flow.DimIface, row.IfaceName())
	word(flow.DimProto, row.Protocol())
	by := func(dims flow.Dims) bool { return r.Dims&dims != 0 }
	b = appendEndpoint(b, row.Src, by(flow.DimSrc|flow.DimEnds|flow.DimHost),
		by(flow.DimSrcPort|flow.DimEndPorts|flow.DimService) && row.Src.Port() != 0)
	if r.Dims.Paired() {
		b = append(b, " <> "...)
	} else {
		b = append(b, " > "...)
	}
	return appendEndpoint(b, row.Dst, by(flow.DimDst|flow.DimEnds), by(flow.DimDstPort|flow.DimEndPorts) && row.Dst.Port() != 0)
}

// appendEndpoint appends "192.0.2.1:443" or "[2001:db8::1]:443", or only the address if there is no
// port.
func appendEndpoint(b []byte, a netip.AddrPort, byAddr, hasPort bool) []byte {
	switch {
	case byAddr && a.Addr().IsValid() && hasPort:
		return a.AppendTo(b)
	case byAddr && a.Addr().IsValid():
		return a.Addr().AppendTo(b)
	case byAddr:
		b = append(b, unknown...)
	default:
		b = append(b, anyValue...)
	}
	if hasPort {
		b = strconv.AppendUint(append(b, ':'), uint64(a.Port()), 10)
	}
	return b
}

// sums appends the lines after the flows. The last line, total, has the report's time and source,
// and ends the report.
func (w *writer) sums(b []byte) []byte {
	r := w.report
	for s := range r.Summary() {
		if s.Name == "total" {
			break // links and notes come before the total
		}
		if s.IsEmpty() {
			continue
		}
		b = append(b, s.Name...)
		if s.Name == "rest" {
			b = appendUint(b, "flows", uint64(s.Rows))
		}
		b = w.sum(b, &s.Totals, false)
		if s.BytesUnknown {
			b = append(b, " bytes_unknown=true"...)
		}
		if reasons := r.OverflowBy.Names(); s.Name == "overflow" && reasons != "" {
			b = append(append(b, " reasons="...), reasons...)
		}
		b = append(b, '\n')
	}
	if r.Links != nil {
		b = w.links(b)
	}
	for _, note := range r.Notes {
		b = append(termsafe.Append(append(b, "note "...), note), '\n')
	}

	if r.Final {
		b = origin(b, r)
	}
	b = w.sum(append(b, "total"...), &r.Total, true)
	b = appendUint(b, "flows", uint64(r.FlowCount))
	b = appendUint(b, "seq", r.Seq)
	b = strconv.AppendBool(append(b, " final="...), r.Final)
	b = appendTime(b, "start", r.Start)
	b = appendTime(b, "end", r.End)
	b = termsafe.AppendWord(append(b, " backend="...), r.Backend)
	b = termsafe.AppendWord(append(b, " attach="...), r.Attach)
	b = termsafe.AppendWord(append(b, " rate_layer="...), r.RateLayer.String())
	if r.PacketsInexact {
		b = append(b, " packets_exact=false"...)
	}
	return append(b, '\n')
}

// links appends a line for each interface, and a line that counts each packet once.
func (w *writer) links(b []byte) []byte {
	r := w.report
	for i := range r.Links {
		l := &r.Links[i]
		name := l.Name
		if l.Index == 0 {
			name = unknown // gone and forgotten
		}
		b = termsafe.AppendWord(append(b, "link iface="...), name)
		b = w.sum(b, &flow.Totals{Counters: l.Counters}, true)
		for i, on := range l.StackedOn {
			lead := " stacked_on="
			if i > 0 {
				lead = ","
			}
			b = termsafe.AppendWord(append(b, lead...), on)
		}
		b = append(b, '\n')
	}
	return append(w.sum(append(b, "link_total"...), &flow.Totals{Counters: r.LinkTotal}, true), '\n')
}

func appendUint(b []byte, name string, v uint64) []byte {
	b = append(append(append(b, ' '), name...), '=')
	return strconv.AppendUint(b, v, 10)
}

func appendTime(b []byte, name string, t time.Time) []byte {
	if t.IsZero() {
		return b
	}
	b = append(append(append(b, ' '), name...), '=')
	return t.UTC().AppendFormat(b, time.RFC3339Nano)
}
