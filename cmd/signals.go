package cmd

import (
	"context"
	"sync/atomic"
	"syscall"
	"time"
)

// settle is how long a signal before the start of counting waits for an orderly end. A backend may
// wait for input, and no report can be lost.
const settle = 2 * time.Second

// signalled is shared between the signal handler and the run.
type signalled struct {
	reportNow chan struct{}
	counting  atomic.Bool
	abandon   atomic.Pointer[func()] // cleans up if the run cannot end in order
}

// signalError is the end by a signal without a final report.
type signalError struct{ signal syscall.Signal }

func (e *signalError) Error() string { return "ended by signal: " + e.signal.String() }

// underSignals runs f. The first SIGINT, SIGTERM or SIGHUP ends f's context. A second SIGINT or
// SIGTERM does not wait for f. SIGUSR1 asks for a report.
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
				return &signalError{first} // the error is a consequence of the signal
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
				default: // a report is already requested
				}
			case first == 0:
				first = n
				cancel()
				late = time.After(settle)
			case n != syscall.SIGHUP: // a closing terminal may send SIGHUP after a Ctrl-C
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
