package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/registry"
)

func TestTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src, sink := &counter{}, &recorder{}
		c := config(src, sink)
		c.Timeout = 3500 * time.Millisecond
		if err := Run(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		check(t, sink, src)
		if len(sink.reports) != 5 { // at 1, 2, 3 and 3.5 s, and the final report
			t.Errorf("%d reports, want 5", len(sink.reports))
		}
		f := sink.final(t)
		if f.Duration() != c.Timeout {
			t.Errorf("duration %v, want %v", f.Duration(), c.Timeout)
		}
		if want := float64(8*f.Total.FrameBytes) / 3.5; f.BitRate(f.Total.Counters) != want {
			t.Errorf("bit rate %v, want %v", f.BitRate(f.Total.Counters), want)
		}
		if src.closed == 0 {
			t.Error("the source was not closed")
		}
	})
}

// TestSlowStart: no report includes packets or time of Open. The first window begins where the
// discarded one ended.
func TestSlowStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src, sink := &counter{slow: 40 * time.Second}, &recorder{}
		c := config(src, sink)
		c.Timeout = 3500 * time.Millisecond
		c.Over = []Threshold{{Of: MeasurePackets, Limit: 18, Window: time.Second}}
		before := time.Now()
		if err := Run(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		check(t, sink, src)
		f := sink.final(t)
		if from := f.Start.Sub(before); from != 2*src.slow || f.Duration() != src.slow+c.Timeout {
			t.Errorf("counting started after %v and took %v", from, f.Duration())
		}
		if f.LostBytesUnknown || len(f.Links) > 0 {
			t.Errorf("LostBytesUnknown is %t, links are %v: counted before the start", f.LostBytesUnknown, f.Links)
		}
	})
}

// TestLastInterval: a short rest after the last whole interval joins it. An interval that a
// signal cut short has a note on its rates.
func TestLastInterval(t *testing.T) {
	const ms = time.Millisecond
	for _, tt := range []struct {
		timeout, signal time.Duration
		want            []time.Duration
		noise           bool
	}{
		{timeout: 3000 * ms, want: []time.Duration{1000 * ms, 1000 * ms, 1000 * ms}},
		{timeout: 3001 * ms, want: []time.Duration{1000 * ms, 1000 * ms, 1001 * ms}},
		{timeout: 3124 * ms, want: []time.Duration{1000 * ms, 1000 * ms, 1124 * ms}},
		{timeout: 3126 * ms, want: []time.Duration{1000 * ms, 1000 * ms, 1000 * ms, 126 * ms}},
		{signal: 2500 * ms, want: []time.Duration{1000 * ms, 1000 * ms, 500 * ms}},
		{signal: 2007 * ms, want: []time.Duration{1000 * ms, 1000 * ms, 7 * ms}, noise: true},
	} {
		synctest.Test(t, func(t *testing.T) {
			src, sink := &counter{}, &recorder{}
			c := config(src, sink)
			c.Timeout = tt.timeout
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if tt.signal > 0 {
				time.AfterFunc(tt.signal, cancel)
			}
			if err := Run(ctx, c); err != nil {
				t.Fatal(err)
			}
			check(t, sink, src)
			var got []time.Duration
			for _, r := range sink.reports[:len(sink.reports)-1] {
				got = append(got, r.Duration())
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("timeout %v, signal after %v: intervals %v, want %v", tt.timeout, tt.signal, got, tt.want)
			}
			for i, r := range sink.reports {
				if noise := len(r.Notes) > 0; noise != (tt.noise && i == len(tt.want)-1) {
					t.Errorf("timeout %v, signal after %v: report %d has the notes %q", tt.timeout, tt.signal, i, r.Notes)
				}
			}
		})
	}
}

// detaching is a source whose Close waits until the report is written.
type detaching struct {
	counter
	written chan struct{}
}

func (s *detaching) Open(context.Context, registry.BackendEnv) (registry.Source, error) {
	return s, nil
}

func (s *detaching) Close() error { <-s.written; return s.counter.Close() }

// closer is a sink that signals its Close.
type closer struct {
	recorder
	written chan struct{}
}

func (s *closer) Close() error { close(s.written); return s.recorder.Close() }

// TestReportsFirst: the outputs are written and closed before the source has detached. Otherwise
// the test deadlocks.
func TestReportsFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		written := make(chan struct{})
		src, sink := &detaching{written: written}, &closer{written: written}
		c := config(src)
		c.Timeout = time.Second
		c.Outputs = []Output{{Name: "closer", Sink: sink, When: registry.WhenInterval | registry.WhenFinal}}
		if err := Run(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		check(t, &sink.recorder, &src.counter)
	})
}

// closing is a source that records when it detached.
type closing struct {
	counter
	at time.Time
}

func (s *closing) Open(context.Context, registry.BackendEnv) (registry.Source, error) { return s, nil }
func (s *closing) Close() error                                                       { s.at = time.Now(); return nil }

// TestSlowOutputDetaches: a slow output does not keep the source attached.
func TestSlowOutputDetaches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src, sink := &closing{}, &recorder{delay: time.Hour}
		c := config(src, sink)
		c.Timeout = time.Second
		begun := time.Now()
		if err := Run(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		if after := src.at.Sub(begun); after != c.Timeout {
			t.Errorf("the source was attached for %v", after)
		}
	})
}

func TestCancel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src, sink := &counter{}, &recorder{}
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(2300*time.Millisecond, cancel)
		if err := Run(ctx, config(src, sink)); err != nil {
			t.Fatal(err)
		}
		check(t, sink, src)
		if src.collects != 3 {
			t.Errorf("%d collects, want 3: two ticks and the last window", src.collects)
		}
	})
}

// TestRefresh: intervals have the requested length. A long interval does not stop the engine from
// collecting every second.
func TestRefresh(t *testing.T) {
	for _, refresh := range []time.Duration{100 * time.Millisecond, time.Second, 2500 * time.Millisecond, 5 * time.Second} {
		t.Run(refresh.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				src, sink := &counter{}, &recorder{}
				c := config(src, sink)
				c.Refresh, c.Timeout = refresh, 20*time.Second
				if err := Run(t.Context(), c); err != nil {
					t.Fatal(err)
				}
				check(t, sink, src)
				if src.collects < 19 {
					t.Errorf("%d collects in 20 s", src.collects)
				}
				want := int(c.Timeout / refresh)
				if got := len(sink.reports) - 1; got < want-1 || got > want+1 {
					t.Errorf("%d interval reports in 20 s, want about %d", got, want)
				}
			})
		})
	}
}

func TestEnds(t *testing.T) {
	broken := errors.New("interface went away")
	for _, tt := range []struct {
		name  string
		clock registry.Clock
		err   error
		want  error
	}{
		{"wall EOF", registry.ClockWall, io.EOF, nil},
		{"wall error", registry.ClockWall, broken, broken},
		{"source EOF", registry.ClockSource, io.EOF, nil},
		{"source error", registry.ClockSource, broken, broken},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				src, sink := &counter{end: 4, endErr: tt.err}, &recorder{}
				if tt.clock == registry.ClockSource {
					src.span = time.Minute
				}
				c := config(src, sink)
				c.Candidates[0].Backend = backend(tt.clock)
				if err := Run(t.Context(), c); !errors.Is(err, tt.want) {
					t.Fatalf("error %v, want %v", err, tt.want)
				}
				check(t, sink, src)
				if f := sink.final(t); tt.clock == registry.ClockSource && f.Duration() != 4*time.Minute {
					t.Errorf("duration %v, want the packets' own 4m", f.Duration())
				}
			})
		})
	}
}

func TestCandidates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		denied := &refuser{err: registry.NeedCaps(nil, "cap_bpf")}
		missing := &refuser{err: fmt.Errorf("%w: no tcx", registry.ErrUnsupported)}
		src, sink := &counter{end: 1, endErr: io.EOF}, &recorder{}
		c := config(src, sink)
		b := backend(registry.ClockWall)
		c.Candidates = []Candidate{
			{Name: "x", Backend: b, Config: missing, WhyNot: "not reported: it was tried"},
			{Name: "y", Backend: b, Config: denied},
			{Name: "z", Backend: b, Config: src, Reason: "last candidate"},
			{Name: "later", Backend: b, Config: src, WhyNot: "costs more"},
		}
		c.Alternatives = []flow.Alternative{{Backend: "unfit", Why: "egress is not seen"}}
		if err := Run(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		want := []flow.Alternative{
			{Backend: "x", Why: "could not be opened: not supported: no tcx"},
			{Backend: "y", Why: "could not be opened: needs root or cap_bpf"},
			{Backend: "later", Why: "costs more"},
			{Backend: "unfit", Why: "egress is not seen"},
		}
		if f := sink.final(t); f.Backend != "z" || f.Reason != "last candidate" || !slices.Equal(f.Alternatives, want) {
			t.Errorf("backend %q, reason %q, alternatives %q", f.Backend, f.Reason, f.Alternatives)
		}

		// No candidate opens: Run returns the error that the user can fix.
		sink = &recorder{}
		c = config(src, sink)
		c.Candidates = []Candidate{{Name: "x", Backend: b, Config: missing}, {Name: "y", Backend: b, Config: denied}}
		err := Run(t.Context(), c)
		if !errors.Is(err, registry.ErrPermission) || errors.Is(err, registry.ErrUnsupported) {
			t.Errorf("error %v", err)
		}
		if len(sink.reports) != 0 || sink.closed != 1 {
			t.Errorf("%d reports, closed %d times", len(sink.reports), sink.closed)
		}
	})
}

// TestCountLayer: --layer with a layer that the backend does not see is an error.
func TestCountLayer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src, sink := &counter{end: 1, endErr: io.EOF}, &recorder{}
		c := config(src, sink)
		c.Candidates[0].Backend.Layers = flow.LayerIP
		c.Layer = flow.LayerFrame
		if err := Run(t.Context(), c); !errors.Is(err, registry.ErrUsage) {
			t.Errorf("error %v", err)
		}
		c = config(src, &recorder{})
		c.Layer = flow.LayerIP
		if err := Run(t.Context(), c); err != nil {
			t.Error(err)
		}
	})
}

// TestMaxFlows: folded rows count in overflow, with their retransmits.
func TestMaxFlows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src, sink := &counter{end: 20, endErr: io.EOF}, &recorder{}
		c := config(src, sink)
		c.MaxFlows = 4
		if err := Run(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		check(t, sink, src)
		if f := sink.final(t); len(f.Packed) > 4 || f.Overflow.Packets <= 20 || f.Overflow.Retransmits == 0 {
			t.Errorf("%d rows, overflow %+v", len(f.Packed), f.Overflow)
		} else if table := f.OverflowBy[flow.OverflowTableFull].Packets; table != 20 {
			t.Errorf("the source counted %d packets of overflow, want 20: %+v", table, f.OverflowBy)
		}
	})
}

// TestEarliest: the run begins with the earliest packet, in whichever window it counts. The
// intervals keep their times.
func TestEarliest(t *testing.T) {
	src, sink := &counter{end: 5, endErr: io.EOF, span: time.Second, late: time.Hour}, &recorder{}
	c := config(src, sink)
	c.Candidates[0].Backend = backend(registry.ClockSource)
	if err := Run(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	check(t, sink, src)
	for i, r := range sink.reports[:5] {
		if want := src.started.Add(time.Duration(i) * src.span); !r.Start.Equal(want) || r.Duration() != src.span {
			t.Errorf("interval %d: from %v for %v, want %v", i, r.Start, r.Duration(), want)
		}
	}
	f := sink.final(t)
	if want := src.started.Add(4*src.span - src.late); !f.Start.Equal(want) || !f.End.Equal(src.started.Add(5*src.span)) {
		t.Errorf("run from %v to %v, want from %v", f.Start, f.End, want)
	}
}
