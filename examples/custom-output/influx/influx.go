// Package influx is an output of pktstat that lives outside its repository: it
// writes reports in InfluxDB's line protocol, for telegraf, `influx write` or
// VictoriaMetrics to read.
package influx

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"

	"github.com/pktstat/pktstat/flow"
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
	target, err := env.Create()
	if err != nil {
		return nil, err
	}
	return &sink{measurement: c.measurement, target: target, buf: bufio.NewWriter(target)}, nil
}

// sink writes reports. pktstat calls it from one goroutine.
type sink struct {
	measurement string
	target      registry.Writer
	buf         *bufio.Writer // its first error sticks
	final       bool
	closed      bool
}

var _ registry.Sink = (*sink)(nil)

// Write writes one report and flushes it, so that a reader at the other end of a
// pipe has it. It keeps nothing of r: other outputs share it.
func (s *sink) Write(_ context.Context, r *flow.Report) error {
	for row := range r.Rows() {
		if _, err := s.buf.Write(appendFlow(s.buf.AvailableBuffer(), s.measurement, r, &row)); err != nil {
			return err
		}
	}
	for _, sum := range []struct {
		kind     string
		counters flow.Counters
	}{{"total", r.Total}, {"rest", r.Rest}, {"overflow", r.Overflow}, {"lost", r.Lost}} {
		if _, err := s.buf.Write(appendSum(s.buf.AvailableBuffer(), s.measurement, r, sum.kind, sum.counters)); err != nil {
			return err
		}
	}
	if err := s.buf.Flush(); err != nil {
		return err
	}
	s.final = r.Final
	return nil
}

// Close commits the target only when all of the final report is in it.
func (s *sink) Close() error {
	if s.closed {
		return nil
	}
	s.closed = true
	if !s.final {
		return s.target.Abort()
	}
	if err := s.target.Commit(); err != nil {
		return errors.Join(err, s.target.Abort())
	}
	return nil
}
