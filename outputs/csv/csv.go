// Package csv writes a report as comma-separated values (RFC 4180): a header
// line, a line for each flow, and a line each for rest, overflow, lost and total.
package csv

import (
	"bufio"
	"context"
	"encoding/csv"
	"flag"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/render/rowfields"
	"github.com/pktstat/pktstat/plugintest/outputkit"
	"github.com/pktstat/pktstat/registry"
)

func init() {
	registry.Outputs.Register("csv", registry.Output{
		Summary: "the final report as CSV, one line a flow",
		When:    registry.WhenFinal,
		New:     func() registry.OutputConfig { return &config{} },
	})
}

type config struct {
	intervals bool
}

var (
	_ registry.OutputConfig = (*config)(nil)
	_ registry.Chooser      = (*config)(nil)
)

func (c *config) Flags(fs *flag.FlagSet) {
	fs.BoolVar(&c.intervals, "intervals", c.intervals, "write the interval reports too; adds the columns seq, final, start, end")
}

func (c *config) When() registry.When {
	if c.intervals {
		return registry.WhenInterval | registry.WhenFinal
	}
	return registry.WhenFinal
}

func (c *config) Open(_ context.Context, env registry.OutputEnv) (registry.Sink, error) {
	t := &table{columns: columns(c.intervals)}
	return outputkit.Open(env, t.write)
}

// table is a CSV file in the making: one header, then any number of reports.
type table struct {
	columns []column
	headed  bool
	buf     []byte // text of a record
	ends    []int  // where in buf each cell ends
	record  []string
}

func (t *table) write(buf *bufio.Writer, r *flow.Report) error {
	w := csv.NewWriter(buf) // writes through: buf is large enough to be its own buffer
	if !t.headed {
		for _, c := range t.columns {
			t.record = append(t.record, c.name)
		}
		if err := w.Write(t.record); err != nil {
			return err
		}
		t.headed = true
	}
	l := line{report: r}
	for l.row = range r.Rows() {
		l.flow(r)
		if err := t.writeLine(w, &l); err != nil {
			return err
		}
	}
	again := &r.RetransmitSums
	for _, s := range []struct {
		kind        string
		counters    flow.Counters
		retransmits uint64
	}{{"rest", r.Rest, again.Rest}, {"overflow", r.Overflow, again.Overflow}, {"lost", r.Lost, 0}, {"total", r.Total, again.Total}} {
		l.sum(s.kind, s.counters)
		if s.retransmits > 0 {
			l.row.Retransmits, l.has = s.retransmits, rowfields.Retransmits
		}
		if err := t.writeLine(w, &l); err != nil {
			return err
		}
	}
	if r.Links != nil {
		if err := t.writeLinks(w, &l); err != nil {
			return err
		}
	}
	w.Flush()
	return w.Error()
}

// writeLinks writes what was counted on each interface.
func (t *table) writeLinks(w *csv.Writer, l *line) error {
	for i := range l.report.Links {
		l.link(&l.report.Links[i])
		if err := t.writeLine(w, l); err != nil {
			return err
		}
	}
	l.sum("link_total", l.report.LinkTotal)
	return t.writeLine(w, l)
}

// writeLine appends all cells to one buffer and makes one string of it, of which
// the cells are slices: one allocation a line.
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
