// Package plain writes a report as text for grep and awk: one line a flow, then
// a line each for what is in no flow, and the total.
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
}

var (
	_ registry.OutputConfig = (*config)(nil)
	_ registry.Chooser      = (*config)(nil)
)

func (c *config) Flags(fs *flag.FlagSet) {
	fs.BoolVar(&c.intervals, "intervals", c.intervals, "write the interval reports too")
}

func (c *config) When() registry.When {
	if c.intervals {
		return registry.WhenInterval | registry.WhenFinal
	}
	return registry.WhenFinal
}

func (c *config) Open(_ context.Context, env registry.OutputEnv) (registry.Sink, error) {
	return outputkit.Open(env, write)
}

func write(w *bufio.Writer, r *flow.Report) error {
	for row := range r.Rows() {
		b := appendFlow(w.AvailableBuffer(), r, &row)
		if _, err := w.Write(b); err != nil {
			return err
		}
	}
	_, err := w.Write(appendSums(w.AvailableBuffer(), r))
	return err
}
