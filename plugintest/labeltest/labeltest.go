// Package labeltest is the conformance suite of labels. It checks the rules of registry.Label,
// LabelConfig and Labeler on flows that the label's test declares. A label's test can be:
//
//	func TestConformance(t *testing.T) {
//		labeltest.Run(t, labeltest.Options{Name: "service", Cases: []labeltest.Case{
//			{Key: flow.Key{Proto: flow.TCP, Dst: netip.MustParseAddrPort("192.0.2.1:443")}, Want: map[string]string{"service": "https"}},
//		}})
//	}
//
// Run it with the race detector too: the suite calls Rows from several goroutines.
package labeltest

import (
	"context"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/owner/ids"
	"github.com/pktstat/pktstat/registry"
)

// Options of the suite.
type Options struct {
	Name string   // registered name
	Args []string // KEY=VALUE options to open it with
	// Cases are flows. For some of them the label should have no value.
	Cases []Case
	// NetNS is the network namespace of the interfaces. Nil: the process's own.
	NetNS *registry.NetNS
	// Now is the clock of the label. Nil: a clock that stands still.
	Now func() time.Time

	labels *registry.Registry[registry.Label] // nil: registry.Labels; the suite's own test sets it
}

// Case is a flow and the label's values for it.
type Case struct {
	Key   flow.Key   // as the backend sets it
	Owner flow.Owner // values of earlier labels
	// Want maps the names of the label's fields to their text in outputs. The label must have no
	// value for a field that is missing here.
	Want map[string]string
}

// Run checks the registered label.
func Run(t *testing.T, o Options) {
	s := newSuite(o)
	for _, c := range checks {
		t.Run(c.name, func(t *testing.T) {
			if err := s.try(t.Context(), c.run); err != nil {
				t.Error(err)
			}
		})
	}
}

// suite checks a label.
type suite struct{ Options }

func newSuite(o Options) *suite {
	if o.labels == nil {
		o.labels = registry.Labels
	}
	if o.Now == nil {
		o.Now = func() time.Time { return time.Date(2026, 11, 22, 9, 30, 0, 0, time.UTC) }
	}
	return &suite{o}
}

// check is one rule. Its function returns a violation.
type check struct {
	name string
	run  func(context.Context, *suite) error
}

// try returns a panic of the label as an error.
func (s *suite) try(ctx context.Context, run func(context.Context, *suite) error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	return run(ctx, s)
}

func (s *suite) label() (registry.Label, error) { return s.labels.Lookup(s.Name) }

// fields returns the label's fields by name.
func (s *suite) fields() (map[string]*flow.Field, error) {
	l, err := s.label()
	if err != nil {
		return nil, err
	}
	fields := map[string]*flow.Field{}
	for _, name := range l.Fills {
		fields[name] = flow.Fields.Find(name)
	}
	for i := range l.Fields {
		fields[l.Fields[i].Name] = flow.Fields.Find(l.Fields[i].Name)
	}
	return fields, nil
}

// opened is an open label with its table of numbers.
type opened struct {
	registry.Labeler
	tuples   *ids.Table
	always   bool
	rowsOnly bool // it has nothing to add to records
}

// everything groups by all fields, as in the table of numbers for labels.
const everything = ^flow.Dims(0)

// open opens the label with a table of numbers.
func (s *suite) open(ctx context.Context, tuples *ids.Table) (*opened, error) {
	l, err := s.label()
	if err != nil {
		return nil, err
	}
	config := l.New()
	if err := setFlags(config, s.Args); err != nil {
		return nil, err
	}
	dims := flow.DimsFlow
	for i := range l.Fields {
		if f := flow.Fields.Find(l.Fields[i].Name); f != nil {
			dims |= f.Dim
		}
	}
	labeler, err := config.Open(ctx, registry.LabelEnv{
		Dims: dims, Backend: registry.CapLive | registry.CapInterfaces, Tuples: tuples, NetNS: s.NetNS, MaxFlows: 1 << 16,
		Now: s.Now, Notify: func(string, ...any) {}, Debugf: func(string, ...any) {},
	})
	if err != nil {
		return nil, fmt.Errorf("open: %w", err)
	}
	groupable := slices.ContainsFunc(l.Fields, func(f flow.Field) bool { return f.Groupable })
	return &opened{labeler, tuples, l.Always, !l.Always && !groupable}, nil
}

// with opens the label with a table of at most most numbers, calls use, and closes the label.
func (s *suite) with(ctx context.Context, most int, use func(*opened) error) error {
	o, err := s.open(ctx, ids.New(everything, most))
	if err != nil {
		return err
	}
	err = use(o)
	if closeErr := o.Close(); err == nil && closeErr != nil {
		err = fmt.Errorf("close: %w", closeErr)
	}
	return err
}

// window begins a window for labels that implement Windowed.
func (o *opened) window(ctx context.Context) {
	if w, ok := o.Labeler.(registry.Windowed); ok {
		w.Window(ctx)
	}
}

func setFlags(c registry.LabelConfig, args []string) error {
	fs := flagsOf(c)
	for _, a := range args {
		key, value, _ := strings.Cut(a, "=")
		if err := fs.Set(key, value); err != nil {
			return fmt.Errorf("option %s: %w", a, err)
		}
	}
	return nil
}

func flagsOf(c registry.LabelConfig) *flag.FlagSet {
	fs := flag.NewFlagSet("label", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	c.Flags(fs)
	return fs
}
