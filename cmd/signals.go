package cmd

import (
	"context"
	"sync/atomic"
	"syscall"
	"time"
)

// settle is how long a signal that comes before counting started waits for an
// orderly end: there is no report to lose, and a backend may wait for input.
const settle = 2 * time.Second

// signalled is what signals and a run tell each other.
type signalled struct {
	reportNow chan struct{}
	counting  atomic.Bool
	abandon   atomic.Pointer[func()] // tidies up when the run cannot end in order
}

// signalError is the end at a signal without a final report.
type signalError struct{ signal syscall.Signal }

func (e *signalError) Error() string { return "ended by signal: " + e.signal.String() }

// underSignals runs f. The first SIGINT, SIGTERM or SIGHUP ends f's context;
// a second SIGINT or SIGTERM does not wait for f. SIGUSR1 asks for a report.
func (s *session) underSignals(ctx context.Context, f func(context.Context) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s.signalled.reportNow = make(chan struct{}, 1)

	done := make(chan error, 1)
	go func() { done <- f(ctx) }()

	var first syscall.Signal
	var late <-chan time.Time
	for {
		select {
		case err := <-done:
			if err != nil && first != 0 && !s.signalled.counting.Load() {
				return &signalError{first} // the error is but a consequence
			}
			return err
		case <-late:
			if !s.signalled.counting.Load() {
				return s.endNow(first)
			}
		case sig := <-s.Signals:
			n, ok := sig.(syscall.Signal)
			switch {
			case !ok:
			case n == syscall.SIGUSR1:
				select {
				case s.signalled.reportNow <- struct{}{}:
				default: // one is asked for already
				}
			case first == 0:
				first = n
				cancel()
				late = time.After(settle)
			case n != syscall.SIGHUP: // a terminal that closes may follow a Ctrl-C
				return s.endNow(n)
			}
		}
	}
}

func (s *session) endNow(sig syscall.Signal) error {
	if f := s.signalled.abandon.Load(); f != nil {
		(*f)()
	}
	return &signalError{sig}
}
