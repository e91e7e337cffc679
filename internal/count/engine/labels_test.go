package engine

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/registry"
)

// witness is a label that records its calls.
type witness struct {
	t       *testing.T
	seen    []string
	bounded bool // Window gets a context with a deadline
}

func (w *witness) Window(ctx context.Context) {
	if _, bounded := ctx.Deadline(); bounded != w.bounded || ctx.Err() != nil {
		w.t.Errorf("the context of Window has a deadline: %v, want %v; error %v", bounded, w.bounded, ctx.Err())
	}
	w.seen = append(w.seen, "begin")
}

func (w *witness) Records(recs []flow.Record) {
	w.seen = append(w.seen, fmt.Sprint("records ", recs[0].First))
}

func (w *witness) Rows([]*flow.Row) {}
func (w *witness) Close() error     { w.seen = append(w.seen, "close"); return nil }

func (w *witness) Flags(*flag.FlagSet) {}

func (w *witness) Open(context.Context, registry.LabelEnv) (registry.Labeler, error) { return w, nil }

func (w *witness) labels(Candidate) []Label {
	return []Label{{Name: "witness", Label: registry.Label{Always: true}, Config: w}}
}

// TestWindows: each Collect calls Window of a label once, with its context, before the records of
// the window. It does so even without records.
func TestWindows(t *testing.T) {
	for _, clock := range []registry.Clock{registry.ClockWall, registry.ClockSource} {
		synctest.Test(t, func(t *testing.T) {
			src, w := &counter{end: 3, endErr: io.EOF, emptyAt: 2}, &witness{t: t, bounded: clock == registry.ClockWall}
			if clock == registry.ClockSource {
				src.span = time.Minute
			}
			c := config(src, &recorder{})
			c.Candidates[0].Backend = backend(clock)
			c.Labels = w.labels
			if err := Run(t.Context(), c); err != nil {
				t.Fatal(err)
			}
			want := []string{"begin", "records 0", "begin", "begin", "records 2", "close"}
			if clock == registry.ClockWall { // labels do not get packets from before counting started
				want = slices.Insert(want, 0, "begin")
			}
			if !slices.Equal(w.seen, want) {
				t.Errorf("the label saw %q, want %q", w.seen, want)
			}
		})
	}
}

// rude is a source that breaks the rules of WindowClosed.
type rude struct {
	counter
	collect func(b *flow.Batch) error
}

func (s *rude) Open(context.Context, registry.BackendEnv) (registry.Source, error) { return s, nil }
func (s *rude) Collect(_ context.Context, b *flow.Batch) error                     { return s.collect(b) }

// TestRudeSource: records at the wrong time end the run, and no label gets them.
func TestRudeSource(t *testing.T) {
	broken := errors.New("broken")
	for name, tt := range map[string]struct {
		collect func(b *flow.Batch) error
		want    string
	}{
		"record first": {func(b *flow.Batch) error { b.Next(); b.WindowClosed(time.Time{}); return nil }, "before WindowClosed"},
		"never":        {func(*flow.Batch) error { return nil }, "not called WindowClosed"},
		"twice, EOF": {func(b *flow.Batch) error {
			b.WindowClosed(time.Time{})
			b.WindowClosed(time.Time{})
			return io.EOF
		}, "WindowClosed twice"},
		"fails before": {func(*flow.Batch) error { return broken }, "broken"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := &witness{t: t, bounded: true}
				c := config(&rude{collect: tt.collect}, &recorder{})
				c.Labels = w.labels
				err := Run(t.Context(), c)
				if err == nil || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("error %v, want %q", err, tt.want)
				}
				if slices.ContainsFunc(w.seen, func(s string) bool { return strings.HasPrefix(s, "records") }) {
					t.Errorf("the label saw %q", w.seen)
				}
			})
		})
	}
}
