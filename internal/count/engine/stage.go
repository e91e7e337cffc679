package engine

import (
	"context"
	"fmt"
	"iter"

	"github.com/pktstat/pktstat/flow"
)

// Stage is a step that records take between the source and the ledger, and rows
// between the ledger and the outputs. All methods are called by the engine's
// goroutine, those of several stages in the order of [Config.Stages].
type Stage interface {
	// Begin is called once a window, by [flow.Batch.WindowClosed]: the source has closed
	// it and hands out its records next. ctx is the one of the Collect.
	Begin(ctx context.Context)
	// Records may change the keys and the matches of records.
	Records(recs []flow.Record)
	// Report labels the rows that are shown and may add notes. The report's slices
	// may be shared: it replaces them.
	Report(r *flow.Report)
	// Close frees what the stage has in the kernel. Report may still be called.
	Close() error
}

// StageOpener opens a stage.
type StageOpener struct {
	Name string // for messages
	// Wanted tells whether a run with this backend has the stage.
	Wanted func(Candidate) bool
	// Open is called before the backend's, so that nothing is counted that the stage
	// has not seen coming. It may keep owners, which iterates over the owners of the
	// ledger's rows.
	Open func(ctx context.Context, owners iter.Seq[uint32]) (Stage, error)
}

// stages are the stages of a run.
type stages struct {
	open  []Stage
	names []string
}

// openStages opens those that a run with cand has.
func (r *run) openStages(ctx context.Context, cand Candidate) error {
	for _, o := range r.c.Stages {
		if !o.Wanted(cand) {
			continue
		}
		s, err := o.Open(ctx, r.ledger.Owners())
		if err != nil {
			return fmt.Errorf("%s: %w", o.Name, err)
		}
		r.stages.open = append(r.stages.open, s)
		r.stages.names = append(r.stages.names, o.Name)
	}
	return nil
}

func (s *stages) begin(ctx context.Context) {
	for _, stage := range s.open {
		stage.Begin(ctx)
	}
}

func (s *stages) records(recs []flow.Record) {
	for _, stage := range s.open {
		stage.Records(recs)
	}
}

func (s *stages) report(r *flow.Report) {
	for _, stage := range s.open {
		stage.Report(r)
	}
}

// close closes all and returns what went wrong.
func (s *stages) close() []error {
	var errs []error
	for i, stage := range s.open {
		if err := stage.Close(); err != nil {
			errs = append(errs, fmt.Errorf("%s: close: %w", s.names[i], err))
		}
	}
	return errs
}
