// Package engine runs a count: it opens a source, collects from it, keeps the
// ledger and gives every output its reports.
//
//	open source -> first Collect, thrown away
//	            -> loop { tick | EOF | signal -> Collect { window closed -> labels; records -> labels -> ledger }
//	                      -> report -> labels }
//	            -> last Collect -> final report -> close
//
// One goroutine runs the loop and one each output. The engine knows no plugin by
// name.
package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"time"

	"github.com/hashicorp/go-multierror"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/count/ledger"
	"github.com/pktstat/pktstat/registry"
)

// collectEvery is the longest time between two Collects of a live source: tables
// in the kernel are sized for about a second's worth of flows.
const collectEvery = time.Second

// collectWithin bounds one Collect of a live source. It is not cut short by the
// end of the run: what was counted until then is in it.
const collectWithin = 5 * time.Second

// Run counts until the source ends, ctx ends or the timeout is over, and gives
// every output its reports; the final one always, with everything counted until
// then. The outputs are closed when it returns.
//
// The error is an [OverError], the source's or the first of the outputs' (then it wraps
// [ErrOutput]); a [multierror.Error] if there are several. That ctx ended is no error.
func Run(ctx context.Context, c Config) error {
	var result *multierror.Error
	workers := startWorkers(ctx, c.Outputs)
	r := newRun(&c, workers)
	o, err := r.open(ctx)
	if err != nil {
		result = multierror.Append(result, err)
		result = multierror.Append(result, workers.close(c.Env.Notify)...)
		return result.ErrorOrNil()
	}

	err = r.begin(ctx, o)
	r.describe()
	if c.Attached != nil {
		c.Attached(o.cand, o.alternatives, r.attachment)
	}
	if err == nil {
		err = r.loop(ctx)
	}
	switch err = notEOF(err); {
	case errors.As(err, new(*OverError)):
		result = multierror.Append(result, err)
	case err != nil:
		result = multierror.Append(result, fmt.Errorf("backend %s: %w", o.cand.Name, err))
	}
	// The outputs write the last reports while the source detaches: neither waits for the
	// other. Detaching from many interfaces takes long, and a slow output must not keep
	// programs in the packet path.
	r.final()
	workers.end()
	if err := o.src.Close(); err != nil {
		result = multierror.Append(result, fmt.Errorf("backend %s: close: %w", o.cand.Name, err))
	}
	result = multierror.Append(result, r.labels.close()...)
	result = multierror.Append(result, workers.close(c.Env.Notify)...)
	return result.ErrorOrNil()
}

// run is the state of one count; the loop's goroutine owns it.
type run struct {
	c *Config
	opened
	ledger  *ledger.Ledger
	batch   *flow.Batch
	links   links
	loads   loads
	labels  labels
	workers workers
	rate    flow.Layer

	attachment registry.Attachment // as of the last Collect

	seq           uint64
	begun         time.Time // when the source began to count, by the engine's clock
	start, end    time.Time // of the run so far
	intervalStart time.Time
	bytesUnknown  bool
	progress      pacer
}

func newRun(c *Config, o workers) *run {
	return &run{
		c: c, workers: o,
		labels: newLabels(c.Dims, c.MaxFlows),
		ledger: ledger.New(c.Dims, c.MaxFlows, flow.Seed{rand.Uint64(), rand.Uint64()}),
	}
}

// begin is called when the source counts on everything that it was opened for.
func (r *run) begin(ctx context.Context, from opened) error {
	c, now := r.c, r.c.Env.Now()
	r.opened, r.rate = from, rateLayer(c.Layer, from.cand.Backend.Layers)
	r.batch = flow.NewBatch(flow.BatchHooks{})
	var err error
	if from.clock == registry.ClockWall {
		now, err = r.discard(context.WithoutCancel(ctx))
		r.start, r.end, r.intervalStart = now, now, now
	}
	r.begun = now
	r.progress = pacer{now: c.Env.Now, every: 100 * time.Millisecond, last: now}
	return err
}

// discard throws away what a live source has counted while it was opened, and returns when
// that ended. Attaching to many interfaces takes seconds, which are in no rate: what was
// counted in them must be in none either.
func (r *run) discard(ctx context.Context) (time.Time, error) {
	ctx, cancel := context.WithTimeout(ctx, collectWithin)
	defer cancel()
	hooks := r.hooks(ctx)
	hooks.Records = func([]flow.Record) error { return nil }
	b := r.batch
	b.Reset(time.Time{}, hooks)
	err := r.src.Collect(ctx, b)
	if ferr := b.Flush(); ferr != nil && notEOF(err) == nil {
		err = ferr
	}
	if b.End.IsZero() { // the window was not closed
		b.End = r.c.Env.Now()
	}
	return b.End, err
}

// hooks are what happens in a Collect under ctx: the end of the window is told to the labels,
// and the records go through them into the ledger.
func (r *run) hooks(ctx context.Context) flow.BatchHooks {
	return flow.BatchHooks{
		WindowClosed: func() {
			if r.clock == registry.ClockWall && r.batch.End.IsZero() {
				r.batch.End = r.c.Env.Now()
			}
			r.window(ctx)
		},
		Records: func(recs []flow.Record) error {
			r.links.add(recs) // before keys are projected
			r.labels.records(recs)
			r.ledger.Merge(recs)
			r.showProgress(r.begun) // a capture may be one long Collect
			return nil
		},
	}
}

// rateLayer is the layer that rates are computed from.
func rateLayer(asked, has flow.Layer) flow.Layer {
	if asked != 0 {
		return asked
	}
	if has&flow.LayerFrame != 0 {
		return flow.LayerFrame
	}
	return flow.LayerIP
}

// loop collects until the run is over. When it returns, everything the source
// counted is in the ledger and in interval reports.
func (r *run) loop(ctx context.Context) error {
	if r.clock == registry.ClockSource {
		return r.loopSource(ctx) // the source ends by its own clock
	}
	if r.c.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, r.c.Timeout)
		defer cancel()
	}
	return r.loopWall(ctx)
}

// sliver is what is too short for an interval of its own: a rate over it would be noise.
func (c *Config) sliver() time.Duration { return c.Refresh / 8 }

// loopWall serves live sources: the engine's clock ticks.
func (r *run) loopWall(ctx context.Context) error {
	uncut := context.WithoutCancel(ctx)
	tick := time.NewTicker(r.c.tick())
	defer tick.Stop()
	var wake <-chan struct{}
	if w, ok := r.src.(registry.Waker); ok {
		wake = w.Wake()
	}
	begun := r.c.Env.Now()
	next := begun.Add(r.c.Refresh)
	for {
		due := false
		select {
		case <-ctx.Done():
			return r.finish(uncut)
		case <-r.workers.allFailed():
			return r.finish(uncut)
		case <-wake:
		case <-r.c.ReportNow:
			due = true
		case <-tick.C:
		}
		if err := r.collectLive(uncut); err != nil {
			r.interval()
			return notEOF(err)
		}
		// A tick that comes a little early must not put the report off to the
		// next one.
		if due && !wantsIntervals(r.c.Outputs) {
			r.soFar(begun)
		}
		now := r.c.Env.Now()
		left := r.c.Timeout - now.Sub(begun)
		switch {
		case !due && r.c.Timeout > 0 && left < r.c.sliver(): // what is left joins this interval
		case due || now.Add(r.c.sliver()).After(next):
			r.interval()
			for !next.After(now) {
				next = next.Add(r.c.Refresh)
			}
			if next.Sub(now) < r.c.sliver() {
				next = next.Add(r.c.Refresh)
			}
		}
		r.showProgress(begun)
	}
}

// finish is the last Collect and the last interval.
func (r *run) finish(ctx context.Context) error {
	err := r.collectLive(ctx)
	r.interval()
	return notEOF(err)
}

func (r *run) collectLive(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, collectWithin)
	defer cancel()
	return r.collect(ctx)
}

func notEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// loopSource serves captures: each Collect is one interval of the packets' own
// time, or everything if nobody wants intervals.
func (r *run) loopSource(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := make(chan struct{})
	defer close(stop)
	go func() {
		select {
		case <-r.workers.allFailed():
			cancel()
		case <-stop:
		}
	}()
	for {
		err := r.collect(ctx)
		r.interval()
		switch {
		case err != nil:
			return notEOF(err)
		case ctx.Err() != nil:
			return nil
		}
	}
}

// collect moves what the source counted into the ledger.
func (r *run) collect(ctx context.Context) error {
	b := r.batch
	b.Reset(r.end, r.hooks(ctx))
	err := r.src.Collect(ctx, b)
	if ferr := b.Flush(); ferr != nil && notEOF(err) == nil {
		err = ferr
	}
	r.describe()
	r.ledger.AddOverflow(&b.Overflow)
	r.ledger.AddLost(b.Lost)
	r.bytesUnknown = r.bytesUnknown || b.LostBytesUnknown
	if r.clock == registry.ClockSource {
		// A pause between two windows of a capture belongs to neither.
		r.intervalStart = b.Start
		if r.start.IsZero() {
			r.start = b.Start
		}
		if !b.Earliest.IsZero() && b.Earliest.Before(r.start) {
			r.start = b.Earliest
		}
	}
	if b.End.After(r.end) {
		r.end = b.End
	}
	if over := r.exceeded(); over != nil && notEOF(err) == nil {
		return over
	}
	return err
}

// soFar answers who asks for a report that no output writes.
func (r *run) soFar(begun time.Time) {
	t := r.ledger.Sums(ledger.Run).Total
	one, many := r.c.Dims.Nouns()
	if r.ledger.Len() == 1 {
		many = one
	}
	r.c.Env.Notify("so far %d packets, %d bytes, %d %s in %s; no output writes reports of intervals, as ndjson does",
		t.Packets, t.Bytes, r.ledger.Len(), many, r.c.Env.Now().Sub(begun).Round(time.Millisecond))
}

func (r *run) showProgress(begun time.Time) {
	if r.c.Progress == nil || !r.progress.due() {
		return
	}
	r.c.Progress(Progress{
		Elapsed: r.c.Env.Now().Sub(begun),
		Total:   r.ledger.Sums(ledger.Run).Total.Counters,
		Flows:   r.ledger.Len(),
	})
}

// pacer tells when it is time again.
type pacer struct {
	now   func() time.Time
	every time.Duration
	last  time.Time
}

func (p *pacer) due() bool {
	now := p.now()
	if now.Sub(p.last) < p.every {
		return false
	}
	p.last = now
	return true
}
