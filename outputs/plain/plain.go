// Package plain writes a report as text for grep and awk. It writes a line for each flow, a line
// each for rest, overflow and lost, and the total.
package plain

import (
	"bufio"
	"context"
	"flag"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/plugintest/outputkit"
	"github.com/pktstat/pktstat/registry"
)

func init() {
	registry.Outputs.Register("plain", registry.Output{
		Summary: "the final report as text, one line a flow, for grep and awk",
		When:    registry.WhenFinal,
		New:     func() registry.OutputConfig { return &config{} },
	})
}

type config struct {
	intervals bool
	columns   []*flow.Field // chosen by name; nil: all
}

var (
	_ registry.OutputConfig = (*config)(nil)
	_ registry.Chooser      = (*config)(nil)
)

func (c *config) Flags(fs *flag.FlagSet) {
	fs.BoolVar(&c.intervals, "intervals", c.intervals, "write the interval reports too")
	fs.Func("columns", "`NAMES` of the fields to write of each flow, joined by +; see `pktstat fields`", func(s string) (err error) {
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
	return outputkit.Open(env, c.write)
}

func (c *config) write(buf *bufio.Writer, r *flow.Report) error {
	w := newWriter(r, c.columns)
	var row flow.Row // reused: accessors take a pointer
	for row = range r.Rows() {
		if _, err := buf.Write(w.flow(buf.AvailableBuffer(), &row)); err != nil {
			return err
		}
	}
	_, err := buf.Write(w.sums(buf.AvailableBuffer()))
	return err
}
