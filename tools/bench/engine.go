package bench

import (
	"context"
	"errors"
	"flag"
	"io"
	"time"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/count/engine"
	"github.com/pktstat/pktstat/internal/kernel/bpfflow"
	"github.com/pktstat/pktstat/registry"
)

// engineReporter is a run of the engine that collects from a table on request. Its output discards
// the reports.
type engineReporter struct {
	table  *bpfflow.Table
	wanted chan struct{} // requests a report
	found  chan int      // number of flows in the report
	ended  chan struct{}
	err    error // of the run; set when ended is closed
}

var (
	_ registry.BackendConfig = (*engineReporter)(nil)
	_ registry.Source        = (*engineReporter)(nil)
	_ registry.Sink          = (*engineSink)(nil)
)

func startEngine(table *bpfflow.Table, flows, rows int) *engineReporter {
	r := &engineReporter{table: table, wanted: make(chan struct{}), found: make(chan int), ended: make(chan struct{})}
	// Clock source: a report for every Collect, and at no other time.
	backend := registry.Backend{Layers: flow.LayerIP | flow.LayerFrame, Clock: registry.ClockSource}
	quiet := func(string, ...any) {}
	go func() {
		defer close(r.ended)
		r.err = engine.Run(context.Background(), engine.Config{
			Candidates: []engine.Candidate{{Name: Ours, Backend: backend, Config: r}},
			Env:        registry.BackendEnv{Now: time.Now, Notify: quiet, Debugf: quiet},
			Outputs:    []engine.Output{{Name: Ours, Sink: (*engineSink)(r), When: registry.WhenInterval, Top: rows}},
			Dims:       flow.DimsFlow, MaxFlows: flows, Refresh: time.Second,
		})
	}()
	return r
}

var errEngineEnded = errors.New("the engine has ended")

func (r *engineReporter) report() (int, error) {
	select {
	case r.wanted <- struct{}{}:
	case <-r.ended:
		return 0, errors.Join(errEngineEnded, r.err)
	}
	select {
	case n := <-r.found:
		return n, nil
	case <-r.ended:
		return 0, errors.Join(errEngineEnded, r.err)
	}
}

func (r *engineReporter) close() error {
	close(r.wanted)
	<-r.ended
	return r.err
}

func (r *engineReporter) Flags(*flag.FlagSet) {}

func (r *engineReporter) Probe(context.Context) registry.ProbeResult {
	return registry.ProbeResult{Verdict: registry.Supported}
}

func (r *engineReporter) Open(context.Context, registry.BackendEnv) (registry.Source, error) {
	return r, nil
}

// Collect waits until a report is requested.
func (r *engineReporter) Collect(_ context.Context, b *flow.Batch) error {
	if _, ok := <-r.wanted; !ok {
		b.WindowClosed(b.Start)
		return io.EOF
	}
	return r.table.Collect(b)
}

// Close does nothing: the table's owner closes it.
func (r *engineReporter) Close() error { return nil }

// engineSink is the output of an engineReporter.
type engineSink engineReporter

func (s *engineSink) Write(_ context.Context, r *flow.Report) error {
	s.found <- r.FlowCount
	return nil
}

func (s *engineSink) Close() error { return nil }
