package table

import (
	"bufio"
	"fmt"
	"strings"
	"time"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/render/termsafe"
)

// namedSources is how many names the heading shows.
const namedSources = 8

// writeHeading writes what was counted, how and when, and the layer of the numbers. With origin, it
// adds the command line.
func writeHeading(w *bufio.Writer, r *flow.Report, intervals, origin bool) error {
	var b strings.Builder
	if origin && r.Origin.Note != "" {
		b.WriteString(termsafe.String(r.Origin.Note) + "\n")
	}
	b.WriteString(counted(r) + "\n")
	switch {
	case !r.Final:
		fmt.Fprintf(&b, "interval %d: ", r.Seq)
	case intervals:
		b.WriteString("whole run: ")
	}
	if !r.Start.IsZero() {
		b.WriteString(r.Start.UTC().Format("2006-01-02 15:04:05 MST, "))
	}
	b.WriteString(r.Duration().Round(time.Millisecond).String())
	if by := r.GroupedBy(); by != "" && r.Dims != flow.DimsConversation {
		b.WriteString("; by " + strings.ReplaceAll(by, ",", ", "))
	}
	if sort := r.SortedBy(); sort != "" {
		b.WriteString("; sorted by " + sort)
	}
	switch r.RateLayer {
	case flow.LayerFrame:
		b.WriteString("; bytes and rates: layer 2 (frames)\n")
	default:
		b.WriteString("; bytes and rates: layer 3 (IP)\n")
	}
	if text := command(r); origin && text != "" {
		b.WriteString(text + "\n")
	}
	b.WriteByte('\n')
	_, err := w.WriteString(b.String())
	return err
}

// counted returns "web-3: eth0, wg0 by tc (tcx)". It omits the host for a capture, which may come
// from another machine.
func counted(r *flow.Report) string {
	kind, names := r.Source()
	var b strings.Builder
	if kind != flow.SourceFiles && r.Origin.Host != "" {
		b.WriteString(termsafe.String(r.Origin.Host) + ": ")
	}
	for i, name := range names[:min(len(names), namedSources)] {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(termsafe.String(name))
	}
	if more := len(names) - namedSources; more > 0 {
		fmt.Fprintf(&b, " and %d more", more)
	}
	if len(names) > 0 {
		b.WriteString(" by ")
	}
	b.WriteString(termsafe.String(r.Backend))
	if r.Attach != "" {
		fmt.Fprintf(&b, " (%s)", termsafe.String(r.Attach))
	}
	return b.String()
}

// command returns what ran where: "Linux 6.12.0, pktstat v1.2.3: pktstat -i eth0 -t 10s".
func command(r *flow.Report) string {
	o := &r.Origin
	var parts []string
	if kind, _ := r.Source(); kind == flow.SourceFiles && o.Host != "" {
		parts = append(parts, o.Host)
	}
	if o.Kernel != "" {
		parts = append(parts, "Linux "+o.Kernel)
	}
	if o.Version != "" {
		parts = append(parts, "pktstat "+o.Version)
	}
	text := strings.Join(parts, ", ")
	if command := o.CommandLine(); command != "" {
		text += ": " + command
	}
	return termsafe.String(text)
}
