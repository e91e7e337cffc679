package engine

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/registry"
)

// counter is a source that sees ten packets of one flow and one of a new flow at
// every Collect, counts one into other and loses one.
type counter struct {
	collects int
	end      int           // Collect number at which it ends, 0: never
	endErr   error         // how it ends
	span     time.Duration // ClockSource: length of each window
	started  time.Time
	closed   int
	seen     flow.Counters
	again    uint64 // of a new flow's segment, at every second Collect
}

func (s *counter) Collect(ctx context.Context, b *flow.Batch) error {
	if err := ctx.Err(); err != nil && s.span == 0 {
		return err // a live source's last Collect must get a context that works
	}
	n := s.collects
	s.collects++
	if s.span > 0 {
		b.Start = s.started.Add(time.Duration(n) * s.span)
		b.End = b.Start.Add(s.span)
	}
	for i, packets := range []uint64{10, 1} {
		c := flow.Counters{Packets: packets, Bytes: 100 * packets, FrameBytes: 114 * packets}
		k := flow.Packed{Proto: flow.UDP, L4Kind: flow.L4Ports, L4: uint32(i * (n + 1)), Family: flow.FamilyIPv4}
		r := flow.Record{Key: k, Counters: c, First: int64(n), Last: int64(n), Retransmits: uint64(i * (n & 1))}
		b.Add(r)
		s.seen.Add(c)
		s.again += r.Retransmits
	}
	b.Other = flow.Counters{Packets: 1, Bytes: 10, FrameBytes: 24}
	b.Lost = flow.Counters{Packets: 1, Bytes: 5, FrameBytes: 19}
	s.seen.Add(b.Other)
	s.seen.Add(b.Lost)
	if s.collects == s.end {
		return s.endErr
	}
	return nil
}

func (s *counter) Close() error { s.closed++; return nil }

func (s *counter) Flags(*flag.FlagSet)                        {}
func (s *counter) Probe(context.Context) registry.ProbeResult { return registry.ProbeResult{} }
func (s *counter) Open(context.Context, registry.BackendEnv) (registry.Source, error) {
	s.started = time.Unix(1_700_000_000, 0)
	return s, nil
}

// refuser is a backend that cannot be opened.
type refuser struct {
	counter
	err error
}

func (r *refuser) Open(context.Context, registry.BackendEnv) (registry.Source, error) {
	return nil, r.err
}

// recorder is a sink that keeps what it needs of its reports.
type recorder struct {
	reports []flow.Report
	delay   time.Duration
	failAt  int // report number whose Write fails, from 1
	err     error
	closed  int
}

func (s *recorder) Write(_ context.Context, r *flow.Report) error {
	time.Sleep(s.delay)
	s.reports = append(s.reports, *r)
	if len(s.reports) == s.failAt {
		return s.err
	}
	return nil
}

func (s *recorder) Close() error { s.closed++; return nil }

func (s *recorder) final(t *testing.T) flow.Report {
	t.Helper()
	if len(s.reports) == 0 || !s.reports[len(s.reports)-1].Final {
		t.Fatalf("no final report among %d", len(s.reports))
	}
	return s.reports[len(s.reports)-1]
}

func config(src registry.BackendConfig, sinks ...*recorder) Config {
	c := Config{
		Candidates: []Candidate{{Name: "a", Backend: backend(registry.ClockWall), Config: src}},
		Env: registry.BackendEnv{
			Now: time.Now, Notify: func(string, ...any) {}, Debugf: func(string, ...any) {},
		},
		Dims: flow.DimsFlow, MaxFlows: 1000, Refresh: time.Second,
	}
	for i, s := range sinks {
		c.Outputs = append(c.Outputs, Output{Name: fmt.Sprint("sink", i), Sink: s, When: registry.WhenInterval | registry.WhenFinal})
	}
	return c
}

func backend(clock registry.Clock) registry.Backend {
	return registry.Backend{Layers: flow.LayerIP | flow.LayerFrame, Clock: clock}
}

// check holds a run's reports to the invariants of flow.Report.
func check(t *testing.T, sink *recorder, src *counter) {
	t.Helper()
	var intervals flow.Counters
	var again uint64
	for i, r := range sink.reports {
		var sum flow.Counters
		left := r.RetransmitSums.Total - r.RetransmitSums.Rest - r.RetransmitSums.Other
		for row := range r.Rows() {
			sum.Add(row.Counters)
			left -= row.Retransmits
		}
		if left != 0 {
			t.Errorf("report %d: retransmits %+v, of rows %v", i, r.RetransmitSums, r.Retransmits)
		}
		for _, c := range []flow.Counters{r.Rest, r.Other, r.Lost} {
			sum.Add(c)
		}
		if sum != r.Total {
			t.Errorf("report %d: rows + rest + other + lost = %+v, total %+v", i, sum, r.Total)
		}
		if !r.Final {
			intervals.Add(r.Total)
			again += r.RetransmitSums.Total
		}
	}
	if f := sink.final(t); f.Total != src.seen || f.RetransmitSums.Total != src.again {
		t.Errorf("final total %+v with %d retransmits, the source saw %+v with %d", f.Total, f.RetransmitSums.Total, src.seen, src.again)
	}
	if intervals != src.seen || again != src.again {
		t.Errorf("intervals add up to %+v with %d retransmits, the source saw %+v with %d", intervals, again, src.seen, src.again)
	}
	if sink.closed != 1 {
		t.Errorf("sink closed %d times", sink.closed)
	}
}

func TestTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src, sink := &counter{}, &recorder{}
		c := config(src, sink)
		c.Timeout = 3500 * time.Millisecond
		if err := Run(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		check(t, sink, src)
		if len(sink.reports) != 5 { // at 1, 2, 3 and 3.5 s, and the final one
			t.Errorf("%d reports, want 5", len(sink.reports))
		}
		f := sink.final(t)
		if f.Duration() != c.Timeout {
			t.Errorf("duration %v, want %v", f.Duration(), c.Timeout)
		}
		if want := float64(8*f.Total.FrameBytes) / 3.5; f.BitRate(f.Total) != want {
			t.Errorf("bit rate %v, want %v", f.BitRate(f.Total), want)
		}
		if src.closed == 0 {
			t.Error("the source was not closed")
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

// TestRefresh: intervals are as long as asked, and a long one does not keep the
// engine from collecting every second.
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

// TestFailingSink: the others go on and the run ends with ErrOutput.
func TestFailingSink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		full := errors.New("no space left on device")
		src, good, bad := &counter{}, &recorder{}, &recorder{failAt: 2, err: full}
		c := config(src, good, bad)
		c.Timeout = 5 * time.Second
		err := Run(t.Context(), c)
		if !errors.Is(err, ErrOutput) || !errors.Is(err, full) || !strings.Contains(err.Error(), "sink1") {
			t.Fatalf("error %v", err)
		}
		check(t, good, src)
		if len(bad.reports) != 2 || bad.closed != 1 {
			t.Errorf("the failed sink got %d reports and was closed %d times", len(bad.reports), bad.closed)
		}
	})
}

// TestReaderGone: a closed pipe ends the run quietly, but only when it was the
// last output.
func TestReaderGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src, gone := &counter{}, &recorder{failAt: 1, err: fmt.Errorf("write: %w", syscall.EPIPE)}
		c := config(src, gone)
		c.Timeout = time.Hour
		begun := time.Now()
		if err := Run(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		if d := time.Since(begun); d > 2*time.Second {
			t.Errorf("counted on for %v with nobody to report to", d)
		}

		src, gone, good := &counter{}, &recorder{failAt: 1, err: syscall.EPIPE}, &recorder{}
		c = config(src, gone, good)
		c.Timeout = 10 * time.Second
		if err := Run(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		check(t, good, src)
	})
}

// TestSlowSink: it misses interval reports, which is said, and no other output
// nor the count waits for it; the final report reaches it.
func TestSlowSink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src, slow, good := &counter{}, &recorder{delay: 3 * time.Second}, &recorder{}
		c := config(src, slow, good)
		c.Timeout = 60 * time.Second
		var said []string
		c.Env.Notify = func(f string, a ...any) { said = append(said, fmt.Sprintf(f, a...)) }
		if err := Run(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		check(t, good, src)
		if f := slow.final(t); f.Total != src.seen {
			t.Errorf("the slow sink's final total is %+v, want %+v", f.Total, src.seen)
		}
		missed := len(good.reports) - len(slow.reports)
		want := fmt.Sprintf("output sink0 is too slow: it missed %d interval reports", missed)
		if missed == 0 || !slices.Contains(said, want) {
			t.Errorf("%d missed, said %q", missed, said)
		}
	})
}

// TestSlowSinkOfCapture: reading a file waits instead of losing reports.
func TestSlowSinkOfCapture(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src, slow := &counter{end: 50, endErr: io.EOF, span: time.Second}, &recorder{delay: time.Second}
		c := config(src, slow)
		c.Candidates[0].Backend = backend(registry.ClockSource)
		if err := Run(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		check(t, slow, src)
	})
}

func TestCandidates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		denied := &refuser{err: registry.NeedCaps(nil, "cap_bpf")}
		missing := &refuser{err: fmt.Errorf("%w: no tcx", registry.ErrUnsupported)}
		src, sink := &counter{end: 1, endErr: io.EOF}, &recorder{}
		c := config(src, sink)
		b := backend(registry.ClockWall)
		c.Candidates = []Candidate{
			{Name: "x", Backend: b, Config: missing, WhyNot: "not said: it was tried"},
			{Name: "y", Backend: b, Config: denied},
			{Name: "z", Backend: b, Config: src, Reason: "it is left"},
			{Name: "later", Backend: b, Config: src, WhyNot: "costs more"},
		}
		c.RunnersUp = []flow.RunnerUp{{Backend: "unfit", Why: "egress is not seen"}}
		if err := Run(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		want := []flow.RunnerUp{
			{Backend: "x", Why: "could not be opened: not supported: no tcx"},
			{Backend: "y", Why: "could not be opened: needs root or cap_bpf"},
			{Backend: "later", Why: "costs more"},
			{Backend: "unfit", Why: "egress is not seen"},
		}
		if f := sink.final(t); f.Backend != "z" || f.Reason != "it is left" || !slices.Equal(f.RunnersUp, want) {
			t.Errorf("backend %q, reason %q, runners-up %q", f.Backend, f.Reason, f.RunnersUp)
		}

		// None opens: the remedy that the user can act on is the answer.
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

// TestCountLayer: --count of a layer that the backend does not see is refused.
func TestCountLayer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src, sink := &counter{end: 1, endErr: io.EOF}, &recorder{}
		c := config(src, sink)
		c.Candidates[0].Backend.Layers = flow.LayerIP
		c.Count = flow.LayerFrame
		if err := Run(t.Context(), c); !errors.Is(err, registry.ErrUsage) {
			t.Errorf("error %v", err)
		}
		c = config(src, &recorder{})
		c.Count = flow.LayerIP
		if err := Run(t.Context(), c); err != nil {
			t.Error(err)
		}
	})
}

// TestTop: outputs that show different numbers of rows get the same totals.
func TestTop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src, few, all := &counter{end: 20, endErr: io.EOF}, &recorder{}, &recorder{}
		c := config(src, few, all)
		c.Outputs[0].Top = 3
		if err := Run(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		check(t, few, src)
		check(t, all, src)
		f, a := few.final(t), all.final(t)
		if len(f.Packed) != 3 || len(a.Packed) != 21 || f.FlowCount != 21 || f.Rest.Packets != 18 {
			t.Errorf("rows %d and %d, count %d, rest %+v", len(f.Packed), len(a.Packed), f.FlowCount, f.Rest)
		}
		if f.RetransmitSums.Rest == 0 || f.RetransmitSums.Rest < a.RetransmitSums.Rest {
			t.Errorf("retransmits %+v and %+v", f.RetransmitSums, a.RetransmitSums)
		}
	})
}

// TestMaxFlows: what is folded counts in other, with its retransmits.
func TestMaxFlows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src, sink := &counter{end: 20, endErr: io.EOF}, &recorder{}
		c := config(src, sink)
		c.MaxFlows = 4
		if err := Run(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		check(t, sink, src)
		if f := sink.final(t); len(f.Packed) > 4 || f.Other.Packets <= 20 || f.RetransmitSums.Other == 0 {
			t.Errorf("%d rows, other %+v, retransmits %+v", len(f.Packed), f.Other, f.RetransmitSums)
		}
	})
}

// TestReportNow: SIGUSR1 gives an interval report before its time.
func TestReportNow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src, sink := &counter{}, &recorder{}
		c := config(src, sink)
		c.Refresh, c.Timeout = time.Hour, 10*time.Second
		now := make(chan struct{}, 1)
		c.ReportNow = now
		time.AfterFunc(2500*time.Millisecond, func() { now <- struct{}{} })
		if err := Run(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		check(t, sink, src)
		if len(sink.reports) != 3 || sink.reports[0].Duration() != 2500*time.Millisecond {
			t.Errorf("%d reports, the first over %v", len(sink.reports), sink.reports[0].Duration())
		}
	})
}
