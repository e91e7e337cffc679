// Package sourcetest is the conformance suite for backends. It checks what the engine relies on.
// The test of every backend calls Run, in this repository or outside it.
package sourcetest

import (
	"context"
	"errors"
	"flag"
	"io"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/registry"
)

// Options describe the backend under test and the traffic that it must count.
type Options struct {
	// Backend is the registered name.
	Backend string

	// Setup returns how to open the backend successfully. The suite calls it before each Open. It
	// must create a new reader for Env.Stdin each time. It removes what it creates in tb.Cleanup.
	Setup func(tb testing.TB) Setup
	// Failures are ways to make Open fail; at least one.
	Failures []Failure

	// Traffic generates the traffic of Want. The suite calls it after Open, once for each source
	// that counts. Nil: the backend has traffic of its own (captures).
	Traffic func(tb testing.TB)
	// Want is the sum of all records that Match selects.
	Want flow.Counters
	// Match selects the traffic of Want from other traffic on a live interface. If it is nil, all
	// records, Overflow and Lost count for Want. If it is set, Overflow and Lost must stay 0.
	Match func(k flow.Key) bool

	// Enter calls f where the suite must open and use sources, such as on a thread in a network
	// namespace. Nil: on any goroutine.
	Enter func(tb testing.TB, f func())

	// Patience limits the duration of a call, and the time until live traffic is counted.
	// Default: 10 s.
	Patience time.Duration

	lookup func(name string) (registry.Backend, error) // for the suite's own tests
}

// Setup describes how to open a backend.
type Setup struct {
	Args []string // its own options as on a command line: "-file=x.pcap"
	// Env; MaxFlows, Now, Notify and Debugf have defaults.
	Env registry.BackendEnv
}

// Failure is a way to make Open fail.
type Failure struct {
	Name  string
	Setup Setup
	Is    error // error that Open's error wraps; nil: any error
}

// Run runs the suite as subtests of t.
func Run(t *testing.T, o Options) {
	for _, c := range checks {
		t.Run(c.name, func(t *testing.T) { c.run(t, o.withDefaults(t)) })
	}
}

// check is one test of the suite.
type check struct {
	name string
	run  func(tb testing.TB, o *Options)
}

var checks = []check{
	{"registration", checkRegistration},
	{"configs are independent", checkConfigs},
	{"probe", checkProbe},
	{"close", checkClose},
	{"cancel", checkCancel},
	{"failed open", checkFailures},
	{"counts", checkCounts},
	{"counts by interval", checkIntervals},
}

func (o Options) withDefaults(tb testing.TB) *Options {
	tb.Helper()
	if o.lookup == nil {
		o.lookup = registry.Backends.Lookup
	}
	if o.Patience == 0 {
		o.Patience = 2 * time.Minute // the verifier takes 10 s on a busy emulated machine
	}
	if o.Enter == nil {
		o.Enter = func(_ testing.TB, f func()) { f() }
	}
	if o.Setup == nil || len(o.Failures) == 0 {
		tb.Fatal("sourcetest: Options need Setup and at least one of Failures")
	}
	return &o
}

func (o *Options) backend(tb testing.TB) registry.Backend {
	tb.Helper()
	b, err := o.lookup(o.Backend)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

// subject is a backend under test. It knows the name of the current call.
type subject struct {
	tb       testing.TB
	b        registry.Backend
	clock    registry.Clock // of the source
	patience time.Duration
	call     atomic.Value // string
}

// use runs f inside Enter on a new goroutine. A call that hangs then fails the test, and the test
// binary goes on.
func (o *Options) use(tb testing.TB, f func(s *subject)) {
	tb.Helper()
	s := &subject{tb: tb, b: o.backend(tb), patience: o.Patience}
	s.call.Store("Enter")
	done, finished := make(chan struct{}), false
	go func() {
		defer close(done)
		o.Enter(tb, func() {
			f(s)
			finished = true
		})
	}()
	for last, since := "", time.Now(); ; {
		select {
		case <-done:
			if !finished {
				tb.FailNow() // FailNow has ended only f's goroutine
			}
			return
		case <-time.After(o.Patience / 10):
		}
		if call := s.call.Load().(string); call != last {
			last, since = call, time.Now()
		} else if time.Since(since) > o.Patience && call != "" {
			tb.Fatalf("%s has not returned after %v", call, o.Patience)
		}
	}
}

// during names the current call; the result ends it.
func (s *subject) during(call string) (end func()) {
	s.call.Store(call)
	return func() { s.call.Store("") }
}

// config returns a new config with args set.
func (s *subject) config(args []string) registry.BackendConfig {
	c := s.b.New()
	fs := flag.NewFlagSet("backend", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	c.Flags(fs)
	if err := fs.Parse(args); err != nil {
		s.tb.Fatalf("the options %q: %v", args, err)
	}
	return c
}

func (s *subject) clockOf(set Setup) registry.Clock { return s.b.ClockOf(s.config(set.Args)) }

// env adds defaults to the environment of Setup.
func (s *subject) env(e registry.BackendEnv) registry.BackendEnv {
	if e.MaxFlows == 0 {
		e.MaxFlows = 1 << 12
	}
	if e.Now == nil {
		e.Now = time.Now
	}
	if e.Notify == nil {
		e.Notify = func(string, ...any) {}
	}
	if e.Debugf == nil {
		e.Debugf = func(string, ...any) {}
	}
	return e
}

func (s *subject) open(set Setup) (registry.Source, error) {
	c := s.config(set.Args)
	defer s.during("Open")()
	return c.Open(context.Background(), s.env(set.Env))
}

// mustOpen opens the backend; the caller closes the source.
func (s *subject) mustOpen(set Setup) registry.Source {
	src, err := s.open(set)
	if err != nil {
		s.tb.Fatalf("Open: %v", err)
	}
	if src == nil {
		s.tb.Fatal("Open returned neither a source nor an error")
	}
	return src
}

func (s *subject) collect(ctx context.Context, src registry.Source, b *flow.Batch) error {
	defer s.during("Collect")()
	err := src.Collect(ctx, b)
	if ferr := b.Flush(); ferr != nil && (err == nil || errors.Is(err, io.EOF)) {
		return ferr // an error in the use of WindowClosed
	}
	return err
}

func (s *subject) close(src registry.Source) {
	defer s.during("Close")()
	if err := src.Close(); err != nil {
		s.tb.Errorf("Close: %v", err)
	}
}
