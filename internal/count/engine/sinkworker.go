package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"syscall"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/registry"
)

// maxQueued is the number of interval reports that may wait for a slow output.
const maxQueued = 8

// sinkWorker runs one sink in a goroutine of its own, so that a slow sink does not slow the
// count. It drops and counts the oldest interval reports of a slow sink. It never drops the final
// report.
type sinkWorker struct {
	Output
	mu      sync.Mutex
	changed sync.Cond
	reports []*flow.Report
	dropped uint64
	ended   bool // there will be no further report
	err     error
	failed  bool

	done chan struct{}
}

type workers struct {
	all  []*sinkWorker
	none chan struct{} // closed when every sink has failed
}

func startWorkers(ctx context.Context, outputs []Output) workers {
	os := workers{none: make(chan struct{})}
	// Sinks must be able to write the final report after ctx has ended.
	ctx = context.WithoutCancel(ctx)
	left := len(outputs)
	var mu sync.Mutex
	for _, out := range outputs {
		o := &sinkWorker{Output: out, done: make(chan struct{})}
		o.changed.L = &o.mu
		os.all = append(os.all, o)
		go o.serve(ctx, func() {
			mu.Lock()
			defer mu.Unlock()
			if left--; left == 0 {
				close(os.none)
			}
		})
	}
	return os
}

// serve writes reports until the last one, then closes the sink.
func (o *sinkWorker) serve(ctx context.Context, failed func()) {
	defer close(o.done)
	for {
		r := o.next()
		if r == nil {
			break
		}
		if err := o.Sink.Write(ctx, r.Top(o.Top)); err != nil {
			o.fail(err)
			failed()
			break
		}
	}
	if err := o.Sink.Close(); err != nil {
		o.fail(err)
	}
}

// next waits for a report. It returns nil after the last one.
func (o *sinkWorker) next() *flow.Report {
	o.mu.Lock()
	defer o.mu.Unlock()
	for len(o.reports) == 0 && !o.ended {
		o.changed.Wait()
	}
	if len(o.reports) == 0 {
		return nil
	}
	r := o.reports[0]
	o.reports = o.reports[1:]
	o.changed.Broadcast()
	return r
}

// fail stores the first error and empties the queue.
func (o *sinkWorker) fail(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err == nil {
		o.err = err
	}
	o.failed, o.reports = true, nil
	o.changed.Broadcast()
}

// put queues a report. If the queue is full, it waits or drops the oldest report.
func (o *sinkWorker) put(r *flow.Report, wait bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for wait && len(o.reports) >= maxQueued && !o.failed {
		o.changed.Wait()
	}
	if o.failed {
		return
	}
	if len(o.reports) >= maxQueued && !r.Final {
		o.reports = o.reports[1:]
		o.dropped++
	}
	o.reports = append(o.reports, r)
	o.changed.Broadcast()
}

func (o *sinkWorker) end() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.ended = true
	o.changed.Broadcast()
}

// interval sends an interval report to the outputs that want it. With wait, as for captures, a
// slow output stops the reading of packets.
func (os workers) interval(r *flow.Report, wait bool) {
	for _, o := range os.all {
		if o.When&registry.WhenInterval != 0 {
			o.put(r, wait)
		}
	}
}

func (os workers) final(r *flow.Report) {
	for _, o := range os.all {
		if o.When&registry.WhenFinal != 0 {
			o.put(r, false)
		}
	}
}

// want reports whether an output gets such reports.
func (os workers) want(w registry.When) bool {
	return slices.ContainsFunc(os.all, func(o *sinkWorker) bool { return o.When&w != 0 })
}

// top returns the largest number of rows that any output of such reports shows; 0: all.
func (os workers) top(w registry.When) int {
	top := 0
	for _, o := range os.all {
		if o.When&w == 0 {
			continue
		}
		if o.Top <= 0 {
			return 0
		}
		top = max(top, o.Top)
	}
	return top
}

// allFailed is closed when every output has failed.
func (os workers) allFailed() <-chan struct{} { return os.none }

// end makes the outputs close after the queued reports.
func (os workers) end() {
	for _, o := range os.all {
		o.end()
	}
}

// close ends the outputs, waits for them and returns their errors. EPIPE is no error: the reader
// wants no more. A slow output is no error either, but the user learns how many reports it
// missed.
func (os workers) close(notify func(string, ...any)) []error {
	os.end()
	var errs []error
	for _, o := range os.all {
		<-o.done
		if o.err != nil && !errors.Is(o.err, syscall.EPIPE) {
			errs = append(errs, fmt.Errorf("%w: %s: %w", ErrOutput, o.Name, o.err))
		}
		if o.dropped > 0 {
			notify("output %s is too slow: it missed %d interval reports", o.Name, o.dropped)
		}
	}
	return errs
}
