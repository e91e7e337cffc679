package sinktest

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/registry"
)

// target is a registry.Writer in memory. It can refuse bytes, and it records its calls.
type target struct {
	bytes.Buffer
	limit     int // number of bytes it accepts; negative: any number
	commitErr error
	commits   int
	aborts    int
	misuse    error // the first call that breaks the contract
}

var _ registry.Writer = (*target)(nil)

func (t *target) Write(p []byte) (int, error) {
	if t.commits+t.aborts > 0 && t.misuse == nil {
		t.misuse = errors.New("write after the target was closed")
	}
	if t.limit >= 0 && t.Len()+len(p) > t.limit {
		n, _ := t.Buffer.Write(p[:t.limit-t.Len()])
		return n, errTarget
	}
	return t.Buffer.Write(p)
}

func (t *target) Commit() error {
	if t.commits+t.aborts > 0 && t.misuse == nil {
		t.misuse = errors.New("commit after the target was closed")
	}
	t.commits++
	return t.commitErr
}

func (t *target) Abort() error {
	t.aborts++
	return nil
}

// opened is an open sink with its target.
type opened struct {
	registry.Sink
	target *target
	when   registry.When
}

// open opens the output with a target.
func (s *suite) open(t *target, create func() (registry.Writer, error)) (*opened, error) {
	out, err := s.output()
	if err != nil {
		return nil, err
	}
	config := out.New()
	if err := setFlags(config, s.variant.Args); err != nil {
		return nil, err
	}
	when := out.When
	if c, ok := config.(registry.Chooser); ok {
		when = c.When()
	}
	sink, err := config.Open(context.Background(), registry.OutputEnv{
		Target: cmp.Or(s.Target, "report.out"), Create: create, Terminal: s.variant.Terminal,
		Now:    func() time.Time { return testStart },
		Notify: func(string, ...any) {},
	})
	if err != nil {
		return nil, err
	}
	return &opened{Sink: sink, target: t, when: when}, nil
}

// openTarget opens the output with a target that accepts limit bytes.
func (s *suite) openTarget(limit int) (*opened, error) {
	t := &target{limit: limit}
	return s.open(t, func() (registry.Writer, error) { return t, nil })
}

func setFlags(c registry.OutputConfig, args []string) error {
	fs := flag.NewFlagSet("output", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	c.Flags(fs)
	for _, a := range args {
		key, value, _ := strings.Cut(a, "=")
		if err := fs.Set(key, value); err != nil {
			return fmt.Errorf("option %s: %w", a, err)
		}
	}
	return nil
}

// wants reports whether the sink gets reports of r's kind.
func (o *opened) wants(r *flow.Report) bool {
	if r.Final {
		return o.when&registry.WhenFinal != 0
	}
	return o.when&registry.WhenInterval != 0
}

// writeAll writes the reports that the sink wants, until the first error.
func (o *opened) writeAll(reports []*flow.Report) error {
	for _, r := range reports {
		if !o.wants(r) {
			continue
		}
		if err := o.Write(context.Background(), r); err != nil {
			return err
		}
	}
	return nil
}

// render returns the complete text of a run.
func (s *suite) render(reports []*flow.Report) ([]byte, error) {
	o, err := s.openTarget(-1)
	if err != nil {
		return nil, fmt.Errorf("open: %w", err)
	}
	if err := o.writeAll(reports); err != nil {
		return nil, fmt.Errorf("write: %w", err)
	}
	if err := o.Close(); err != nil {
		return nil, fmt.Errorf("close: %w", err)
	}
	return o.target.Bytes(), o.target.misuse
}

// Render returns the text of a run in the registered output, for tests of features that other
// outputs lack.
func Render(tb testing.TB, name string, v Variant, reports ...*flow.Report) []byte {
	tb.Helper()
	s := &suite{Options: Options{Name: name, outputs: registry.Outputs}, variant: v}
	out, err := s.render(reports)
	if err != nil {
		tb.Fatal(err)
	}
	return out
}

// Benchmark measures an output on a run with n flows in the final report. The target discards the
// text.
func Benchmark(b *testing.B, name string, n int) {
	s := &suite{Options: Options{Name: name, outputs: registry.Outputs}}
	reports := []*flow.Report{ManyFlows(n)}
	b.ReportAllocs()
	for b.Loop() {
		o, err := s.open(nil, func() (registry.Writer, error) { return discard{}, nil })
		if err != nil {
			b.Fatal(err)
		}
		if err := errors.Join(o.writeAll(reports), o.Close()); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/flow")
}

// discard is a target that discards all bytes.
type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }
func (discard) Commit() error               { return nil }
func (discard) Abort() error                { return nil }
