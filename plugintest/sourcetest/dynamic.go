package sourcetest

import (
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/registry"
)

// checkClose checks that Close frees everything at any stage, and that a second Close does no
// harm.
func checkClose(tb testing.TB, o *Options) {
	o.use(tb, func(s *subject) {
		s.leavesNothing("Close after Open", o.Setup, func(set Setup) {
			src := s.mustOpen(set)
			s.close(src)
			s.close(src)
		})
		s.leavesNothing("Close after Collect", o.Setup, func(set Setup) {
			src := s.mustOpen(set)
			ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
			defer cancel()
			if err := s.collect(ctx, src, discard()); err != nil && !errors.Is(err, io.EOF) {
				tb.Errorf("Collect: %v", err)
			}
			s.close(src)
			s.close(src)
		})
	})
}

// checkCancel checks that Collect returns when its context ends, or has ended before.
func checkCancel(tb testing.TB, o *Options) {
	o.use(tb, func(s *subject) {
		src := s.mustOpen(o.Setup(tb))
		defer s.close(src)
		ended, cancel := context.WithCancel(context.Background())
		cancel()
		if err := s.collect(ended, src, discard()); err != nil && !errors.Is(err, io.EOF) {
			tb.Errorf("Collect with a context that has ended: %v", err)
		}
		ends, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
		defer cancel()
		if err := s.collect(ends, src, discard()); err != nil && !errors.Is(err, io.EOF) {
			tb.Errorf("Collect with a context that ends: %v", err)
		}
	})
}

// checkFailures checks that Open returns the expected errors and leaves nothing open.
func checkFailures(tb testing.TB, o *Options) {
	o.use(tb, func(s *subject) {
		for _, f := range o.Failures {
			setup := func(testing.TB) Setup { return f.Setup }
			s.leavesNothing("a failed Open ("+f.Name+")", setup, func(set Setup) {
				src, err := s.open(set)
				switch {
				case err == nil:
					s.close(src)
					tb.Fatalf("%s: Open succeeded", f.Name)
				case src != nil:
					tb.Errorf("%s: Open returned a source along with the error %v", f.Name, err)
				case f.Is != nil && !errors.Is(err, f.Is):
					tb.Errorf("%s: the error is not %q: %v", f.Name, f.Is, err)
				}
			})
		}
	})
}

// checkCounts checks that the collected counters equal the traffic, to the byte.
func checkCounts(tb testing.TB, o *Options) {
	o.use(tb, func(s *subject) { s.count(o, o.Setup(tb), false) })
}

// checkIntervals checks that the intervals of the traffic add up to the whole traffic. For
// backends on the wall clock it calls Collect while the traffic runs, as the engine does.
func checkIntervals(tb testing.TB, o *Options) {
	o.use(tb, func(s *subject) {
		set := o.Setup(tb)
		if s.clockOf(set) == registry.ClockWall {
			s.count(o, set, true)
			return
		}
		whole := s.count(o, set, false)
		set = o.Setup(tb)
		set.Env.Interval = whole.end.Sub(whole.start)/7 + 1
		cut := s.count(o, set, false)
		if !cut.start.Equal(whole.start) || !cut.end.Equal(whole.end) {
			tb.Errorf("in intervals the capture is from %v to %v, as a whole from %v to %v",
				cut.start, cut.end, whole.start, whole.end)
		}
		if whole.end.After(whole.start) && cut.windows < 2 {
			tb.Errorf("with an interval of %v one Collect returned everything", set.Env.Interval)
		}
	})
}

func discard() *flow.Batch {
	return flow.NewBatch(flow.BatchHooks{Records: func([]flow.Record) error { return nil }})
}
