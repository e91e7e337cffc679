package engine

import (
	"context"
	"flag"
	"fmt"
	"testing"
	"time"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/registry"
)

// counter is a source. Each Collect returns ten packets of one flow, one of a new flow, one of
// overflow and one lost packet. A live counter returns the same once for the time before counting
// starts.
type counter struct {
	live        bool // the first Collect is over
	collects    int
	end         int           // number of the Collect at which it ends; 0: never
	emptyAt     int           // number of the Collect that is empty; 0: none
	endErr      error         // error at its end
	span        time.Duration // ClockSource: length of each window
	late        time.Duration // ClockSource: the last window has a packet this long before its start
	started     time.Time
	slow        time.Duration // duration of Open, and of each half of the first Collect
	closed      int
	seen        flow.Counters
	retransmits uint64 // seen so far: of the new flow, at every second Collect
}

func (s *counter) Collect(ctx context.Context, b *flow.Batch) error {
	if err := ctx.Err(); err != nil && s.span == 0 {
		return err // the last Collect of a live source must get a context that has not ended
	}
	if !s.live && s.span == 0 {
		s.live = true
		s.early(b)
		return nil
	}
	n := s.collects
	s.collects++
	if s.span > 0 {
		b.Start = s.started.Add(time.Duration(n) * s.span)
		b.End = b.Start.Add(s.span)
		if s.late > 0 && s.collects == s.end {
			b.Earliest = b.Start.Add(-s.late)
		}
	}
	b.WindowClosed(time.Time{})
	if s.collects == s.emptyAt {
		return nil
	}
	for i, packets := range []uint64{10, 1} {
		c := flow.Counters{Packets: packets, Bytes: 100 * packets, FrameBytes: 114 * packets}
		k := flow.Packed{Proto: flow.UDP, L4Kind: flow.L4Ports, L4: uint32(i * (n + 1)), Family: flow.FamilyIPv4}
		r := flow.Record{Key: k, Counters: c, First: int64(n), Last: int64(n), Health: flow.Health{Retransmits: uint64(i * (n & 1))}}
		b.Add(r)
		s.seen.Add(c)
		s.retransmits += r.Retransmits
	}
	b.Overflow.Add(flow.OverflowTableFull, flow.Counters{Packets: 1, Bytes: 10, FrameBytes: 24})
	b.Lost = flow.Counters{Packets: 1, Bytes: 5, FrameBytes: 19}
	s.seen.Add(b.Overflow.Total())
	s.seen.Add(b.Lost)
	if s.collects == s.end {
		return s.endErr
	}
	return nil
}

// early returns packets from before counting started. It takes some time.
func (s *counter) early(b *flow.Batch) {
	time.Sleep(s.slow)
	b.WindowClosed(time.Time{})
	time.Sleep(s.slow)
	c := flow.Counters{Packets: 1000, Bytes: 1e6, FrameBytes: 1e6}
	b.Add(flow.Record{Key: flow.Packed{Proto: flow.TCP, Ifindex: 7}, Counters: c, Health: flow.Health{Retransmits: 5}})
	b.Overflow.Add(flow.OverflowTableFull, c)
	b.Lost, b.LostBytesUnknown = c, true
}

func (s *counter) Close() error { s.closed++; return nil }

func (s *counter) Flags(*flag.FlagSet)                        {}
func (s *counter) Probe(context.Context) registry.ProbeResult { return registry.ProbeResult{} }
func (s *counter) Open(context.Context, registry.BackendEnv) (registry.Source, error) {
	time.Sleep(s.slow)
	s.started = time.Unix(1_700_000_000, 0)
	return s, nil
}

// refuser is a backend whose Open fails.
type refuser struct {
	counter
	err error
}

func (r *refuser) Open(context.Context, registry.BackendEnv) (registry.Source, error) {
	return nil, r.err
}

// recorder is a sink that keeps its reports.
type recorder struct {
	reports []flow.Report
	delay   time.Duration
	failAt  int // number of the report whose Write fails, from 1
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

// check checks the invariants of flow.Report for all reports of a run.
func check(t *testing.T, sink *recorder, src *counter) {
	t.Helper()
	var intervals flow.Totals
	for i, r := range sink.reports {
		var sum flow.Totals
		for row := range r.Rows() {
			sum.Add(row.Totals)
		}
		for _, c := range []flow.Totals{r.Rest, r.Overflow, r.Lost} {
			sum.Add(c)
		}
		if r.OverflowBy.Total() != r.Overflow.Counters || r.Run.OverflowBy.Total() != r.Run.Overflow.Counters {
			t.Errorf("report %d: overflow %+v by reason %+v", i, r.Overflow, r.OverflowBy)
		}
		if sum != r.Total {
			t.Errorf("report %d: rows + rest + overflow + lost = %+v, total %+v", i, sum, r.Total)
		}
		if !r.Final {
			intervals.Add(r.Total)
		}
		if r.Run.Total != intervals {
			t.Errorf("report %d: the run has %+v, the intervals so far have %+v", i, r.Run.Total, intervals)
		}
	}
	seen := flow.Totals{Counters: src.seen, Health: flow.Health{Retransmits: src.retransmits}}
	if f := sink.final(t); f.Total != seen {
		t.Errorf("final total %+v, the source saw %+v", f.Total, seen)
	}
	if intervals != seen {
		t.Errorf("intervals add up to %+v, the source saw %+v", intervals, seen)
	}
	if sink.closed != 1 {
		t.Errorf("sink closed %d times", sink.closed)
	}
}
