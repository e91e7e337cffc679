// Package influx is an output of pktstat outside its repository. It writes reports in InfluxDB's
// line protocol, for telegraf, `influx write` or VictoriaMetrics.
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

// An output registers itself in an init function. Its name has lower-case letters and digits. Users
// give that name to --output.
func init() {
	registry.Outputs.Register("influx", registry.Output{
		Summary: "InfluxDB line protocol: points for each interval, and for the whole run",
		When:    registry.WhenInterval | registry.WhenFinal,
		New:     func() registry.OutputConfig { return &config{measurement: "pktstat"} },
	})
}

// config holds the options. New sets their defaults.
type config struct {
	measurement string
}

var _ registry.OutputConfig = (*config)(nil)

// Flags declares --output influx=TARGET,measurement=NAME.
func (c *config) Flags(fs *flag.FlagSet) {
	fs.StringVar(&c.measurement, "measurement", c.measurement, "name of the measurement; the sums go to NAME_sum")
}

// Open reports errors before pktstat counts anything: first in options, then at the target.
func (c *config) Open(_ context.Context, env registry.OutputEnv) (registry.Sink, error) {
	if c.measurement == "" {
		return nil, fmt.Errorf("%w: option measurement is empty", registry.ErrUsage)
	}
	s := &sink{measurement: c.measurement}
	// outputkit creates the target, flushes after each report, and commits after the last one.
	return outputkit.Open(env, s.render)
}

// sink renders reports. pktstat calls it from one goroutine only.
type sink struct {
	measurement string
	series      map[string]int // number of rows with these tags, in this report
	value       []byte         // reused buffer
}

// render writes one report. It must not keep r, which other outputs share.
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
