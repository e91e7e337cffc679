// Package engine runs a count: it opens a source, collects from it, keeps the ledger and gives
// the outputs their reports.
//
//	open source -> first Collect, discarded
//	            -> loop { tick | EOF | signal -> Collect { window closed -> labels; records -> labels -> ledger }
//	                      -> report -> labels }
//	            -> last Collect -> final report -> close
//
// One goroutine runs the loop, and one goroutine runs each output. The engine knows no plugin by
// name.
package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/hashicorp/go-multierror"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/count/ledger"
	"github.com/pktstat/pktstat/registry"
)

// collectEvery is the longest time between two Collects of a live source. Kernel tables have room
// for the flows of about a second.
const collectEvery = time.Second

// collectWithin limits the duration of a Collect of a live source. The end of the run does not
// shorten it, so that the last packets are counted.
const collectWithin = 5 * time.Second

// Run counts until the source ends, ctx ends or the timeout expires. The final report always
// reaches its outputs, with everything counted until then. When Run returns, the outputs are
// closed.
//
// The error is an [OverError], the source's error, or an output's error, which wraps [ErrOutput].
// Several errors are a [multierror.Error]. The end of ctx is no error.
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
	// The outputs write the last reports while the source detaches. Detaching from many
	// interfaces is slow and must not delay the outputs. A slow output must not keep programs in
	// the packet path.
	r.final()
	workers.end()
	if err := o.src.Close(); err != nil {
		result = multierror.Append(result, fmt.Errorf("backend %s: close: %w", o.cand.Name, err))
	}
	result = multierror.Append(result, r.labels.close()...)
	result = multierror.Append(result, workers.close(c.Env.Notify)...)
	return result.ErrorOrNil()
}

// run is the state of a count. The goroutine of the loop owns it.
type run struct {
	c *Config
	opened
	views   []*view
	batch   *flow.Batch
	links   links
	loads   loads
	labels  labels
	workers workers
	rate    flow.Layer

	attachment registry.Attachment // after the last Collect
	coverage   []flow.Coverage     // the same

	seq           uint64
	begun         time.Time // when the source began to count, by the engine's clock
	start, end    time.Time // of the run so far
	intervalStart time.Time
	bytesUnknown  bool
	progress      pacer
}

func newRun(c *Config, o workers) *run {
	return &run{
		c: c, workers: o, views: newViews(c, o), labels: newLabels(c.MaxFlows),
	}
}

// begin starts counting with an open source.
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

// discard discards the packets that a live source counted during Open. It returns the time when
// its window ended. Attaching to many interfaces takes seconds, which no rate includes.
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
	if b.End.IsZero() { // the source did not close the window
		b.End = r.c.Env.Now()
	}
	return b.End, err
}

// hooks returns the hooks of a Collect. Labels learn that the window ended. The records pass
// through the labels into the ledger.
func (r *run) hooks(ctx context.Context) flow.BatchHooks {
	return flow.BatchHooks{
		WindowClosed: func() {
			if r.clock == registry.ClockWall && r.batch.End.IsZero() {
				r.batch.End = r.c.Env.Now()
			}
			r.window(ctx)
		},
		Records: func(recs []flow.Record) error {
			r.links.add(recs) // needs the keys before projection
			r.labels.records(recs, r.views)
			r.merge(recs)
			r.showProgress(r.begun) // the whole capture may be one Collect
			return nil
		},
	}
}

// rateLayer returns the layer that rates are computed from.
func rateLayer(asked, has flow.Layer) flow.Layer {
	if asked != 0 {
		return asked
	}
	if has&flow.LayerFrame != 0 {
		return flow.LayerFrame
	}
	return flow.LayerIP
}

// loop collects until the run ends. On return, everything the source counted is in the ledger and
// in interval reports.
func (r *run) loop(ctx context.Context) error {
	if r.clock == registry.ClockSource {
		return r.loopSource(ctx) // the source applies the timeout itself
	}
	if r.c.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, r.c.Timeout)
		defer cancel()
	}
	return r.loopWall(ctx)
}

// minInterval is the shortest interval with useful rates.
func (c *Config) minInterval() time.Duration { return c.Refresh / 8 }

// loopWall runs live sources, by the engine's clock.
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
		// A tick may come a little early. Waiting for the next one would delay the report.
		if due && !wantsIntervals(r.c.Outputs) {
			r.soFar(begun)
		}
		now := r.c.Env.Now()
		left := r.c.Timeout - now.Sub(begun)
		switch {
		case !due && r.c.Timeout > 0 && left < r.c.minInterval(): // the rest of the run joins this interval
		case due || now.Add(r.c.minInterval()).After(next):
			r.interval()
			for !next.After(now) {
				next = next.Add(r.c.Refresh)
			}
			if next.Sub(now) < r.c.minInterval() {
				next = next.Add(r.c.Refresh)
			}
		}
		r.showProgress(begun)
	}
}

// finish runs the last Collect and ends the last interval.
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

// loopSource runs captures. Each Collect returns one interval of packet time, or everything if no
// output wants intervals.
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

// collect moves the records of the source into the ledger.
func (r *run) collect(ctx context.Context) error {
	b := r.batch
	b.Reset(r.end, r.hooks(ctx))
	err := r.src.Collect(ctx, b)
	if ferr := b.Flush(); ferr != nil && notEOF(err) == nil {
		err = ferr
	}
	r.describe()
	for _, v := range r.views {
		v.ledger.AddOverflow(&b.Overflow, b.OverflowHealth)
		v.ledger.AddLost(b.Lost)
	}
	r.bytesUnknown = r.bytesUnknown || b.LostBytesUnknown
	if r.clock == registry.ClockSource {
		// The gap between two windows of a capture belongs to neither.
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

// soFar prints the totals for a user who requested a report that no output writes.
func (r *run) soFar(begun time.Time) {
	v := r.views[0]
	t := v.ledger.Sums(ledger.Run).Total
	one, many := v.dims.Nouns()
	if v.ledger.Len() == 1 {
		many = one
	}
	r.c.Env.Notify("so far %d packets, %d bytes, %d %s in %s; no output writes interval reports (ndjson would)",
		t.Packets, t.Bytes, v.ledger.Len(), many, r.c.Env.Now().Sub(begun).Round(time.Millisecond))
}

func (r *run) showProgress(begun time.Time) {
	if r.c.Progress == nil || !r.progress.due() {
		return
	}
	r.c.Progress(Progress{
		Elapsed: r.c.Env.Now().Sub(begun),
		Total:   r.views[0].ledger.Sums(ledger.Run).Total.Counters,
		Flows:   r.views[0].ledger.Len(),
	})
}

// pacer limits how often something happens.
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
