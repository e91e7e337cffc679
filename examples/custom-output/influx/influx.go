// Package influx is an output of pktstat that lives outside its repository: it
// writes reports in InfluxDB's line protocol, for telegraf, `influx write` or
// VictoriaMetrics to read.
package influx

import (
	"bufio"
	"context"
	"flag"
	"fmt"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/plugintest/outputkit"
	"github.com/pktstat/pktstat/registry"
)

// An output registers itself from its one init function, under a name of lower-case
// letters and digits: that name is what users give to --output.
func init() {
	registry.Outputs.Register("influx", registry.Output{
		Summary: "InfluxDB line protocol: points for each interval, and for the whole run",
		When:    registry.WhenInterval | registry.WhenFinal,
		New:     func() registry.OutputConfig { return &config{measurement: "pktstat"} },
	})
}

// config holds the options, with the defaults that New gave it.
type config struct {
	measurement string
}

var _ registry.OutputConfig = (*config)(nil)

// Flags declares --output influx=TARGET,measurement=NAME.
func (c *config) Flags(fs *flag.FlagSet) {
	fs.StringVar(&c.measurement, "measurement", c.measurement, "name of the measurement; the sums go to NAME_sum")
}

// Open fails early, before anything is counted: options first, then the target.
func (c *config) Open(_ context.Context, env registry.OutputEnv) (registry.Sink, error) {
	if c.measurement == "" {
		return nil, fmt.Errorf("%w: option measurement is empty", registry.ErrUsage)
	}
	s := &sink{measurement: c.measurement}
	// The kit creates the target, flushes after each report, and commits after the last one.
	return outputkit.Open(env, s.render)
}

// sink renders reports. pktstat calls it from one goroutine.
type sink struct {
	measurement string
	series      map[string]int // rows of the report so far, by their tags
	value       []byte         // scratch
}

// render writes one report. It keeps nothing of r: other outputs share it.
func (s *sink) render(w *bufio.Writer, r *flow.Report) error {
	s.series = map[string]int{}
	for row := range r.Rows() {
		if _, err := w.Write(s.appendRow(w.AvailableBuffer(), r, &row)); err != nil {
			return err
		}
	}
	for sum := range r.Summary() {
		if _, err := w.Write(s.appendSum(w.AvailableBuffer(), r, &sum)); err != nil {
			return err
		}
	}
	return nil
}
