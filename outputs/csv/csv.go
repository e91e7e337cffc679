// Package csv writes a report as comma-separated values (RFC 4180). A header line comes first,
// then a line for each flow. Unless sums=false, lines for rest, overflow, lost and total follow.
package csv

import (
	"bufio"
	"context"
	"encoding/csv"
	"flag"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/plugintest/outputkit"
	"github.com/pktstat/pktstat/registry"
)

func init() {
	registry.Outputs.Register("csv", registry.Output{
		Summary: "the final report as CSV, one line a flow",
		When:    registry.WhenFinal,
		New:     func() registry.OutputConfig { return &config{sums: true} },
	})
}

type config struct {
	intervals bool
	sums      bool          // write the lines that are no flows
	columns   []*flow.Field // chosen by name; nil: all
}

var (
	_ registry.OutputConfig = (*config)(nil)
	_ registry.Chooser      = (*config)(nil)
)

func (c *config) Flags(fs *flag.FlagSet) {
	fs.BoolVar(&c.intervals, "intervals", c.intervals, "write the interval reports too; adds the columns seq, final, start, end")
	fs.BoolVar(&c.sums, "sums", c.sums, "write the lines that are no flows: rest, overflow, lost, total and interfaces; sums=false: the flows add up in a spreadsheet")
	fs.Func("columns", "`NAMES` of the fields to write, joined by +; see `pktstat fields`", func(s string) (err error) {
		c.columns, err = flow.Fields.ParseColumns(s)
		return err
	})
}

func (c *config) When() registry.When {
	if c.intervals {
		return registry.WhenInterval | registry.WhenFinal
	}
	return registry.WhenFinal
}

func (c *config) Open(_ context.Context, env registry.OutputEnv) (registry.Sink, error) {
	t := &table{columns: columns(c.intervals, c.columns), sums: c.sums}
	return outputkit.Open(env, t.write)
}

// table writes one header, then any number of reports.
type table struct {
	columns []column
	sums    bool
	headed  bool
	buf     []byte // text of a record
	ends    []int  // where in buf each cell ends
	record  []string
}

func (t *table) write(buf *bufio.Writer, r *flow.Report) error {
	w := csv.NewWriter(buf) // buf is large enough for csv.Writer to use it without a buffer of its own
	if !t.headed {
		for _, c := range t.columns {
			t.record = append(t.record, c.name)
		}
		if err := w.Write(t.record); err != nil {
			return err
		}
		t.headed = true
	}
	l := line{report: r, kind: "flow"}
	for l.row = range r.Rows() {
		if err := t.writeLine(w, &l); err != nil {
			return err
		}
	}
	if t.sums {
		if err := t.writeSums(w, r); err != nil {
			return err
		}
	}
	w.Flush()
	return w.Error()
}

// writeSums writes the lines after the flows.
func (t *table) writeSums(w *csv.Writer, r *flow.Report) error {
	for sum := range r.Summary() {
		l := line{report: r, kind: sum.Name, totals: &sum.Totals, bytesUnknown: sum.BytesUnknown}
		if err := t.writeLine(w, &l); err != nil {
			return err
		}
	}
	if r.Links == nil {
		return nil
	}
	return t.writeLinks(w, r)
}

// writeLinks writes a line for each interface.
func (t *table) writeLinks(w *csv.Writer, r *flow.Report) error {
	iface := flow.Fields.Find("iface")
	for i := range r.Links {
		link := &r.Links[i]
		l := line{report: r, kind: "link", totals: &flow.Totals{Counters: link.Counters}}
		if link.Index != 0 {
			l.iface = iface
			l.row.Iface, l.row.Ifindex = link.Name, link.Index
		}
		if err := t.writeLine(w, &l); err != nil {
			return err
		}
	}
	return t.writeLine(w, &line{report: r, kind: "link_total", totals: &flow.Totals{Counters: r.LinkTotal}})
}

// writeLine appends all cells to one buffer and makes one string of it. The cells are slices of
// that string, so a line costs one allocation.
func (t *table) writeLine(w *csv.Writer, l *line) error {
	t.buf, t.ends = t.buf[:0], t.ends[:0]
	for i := range t.columns {
		t.buf = t.columns[i].append(t.buf, l)
		t.ends = append(t.ends, len(t.buf))
	}
	text, start := string(t.buf), 0
	for i, end := range t.ends {
		t.record[i] = text[start:end]
		start = end
	}
	return w.Write(t.record)
}
