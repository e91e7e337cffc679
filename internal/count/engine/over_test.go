package engine

import (
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/registry"
)

// A counter counts 13 packets, 1115 bytes and 1297 frame bytes at every Collect: once a second,
// or once a window of a capture.
func TestOver(t *testing.T) {
	const perCollect, bits = 13, 8 * 1297
	for _, tc := range []struct {
		over     []Threshold
		collects int // Collects until the threshold is exceeded; 0: it is not
	}{
		{[]Threshold{{Of: MeasureTotalPackets, Limit: 3 * perCollect}}, 4},
		{[]Threshold{{Of: MeasureTotalPackets, Limit: 3*perCollect - 1}}, 3},
		{[]Threshold{{Of: MeasureTotalBytes, Limit: 1115}}, 2},
		{[]Threshold{{Of: MeasureBits, Limit: bits - 1, Window: time.Second}}, 1},
		{[]Threshold{{Of: MeasureBits, Limit: bits - 1, Window: 5 * time.Second}}, 5},
		{[]Threshold{{Of: MeasureBits, Limit: bits, Window: 5 * time.Second}}, 0},
		{[]Threshold{{Of: MeasurePackets, Limit: perCollect - 0.5, Window: 4500 * time.Millisecond}}, 5},
		{[]Threshold{{Of: MeasureBits, Limit: 1, Window: 6 * time.Second}, {Of: MeasurePackets, Limit: 1, Window: 3 * time.Second}}, 3},
	} {
		for _, clock := range []registry.Clock{registry.ClockWall, registry.ClockSource} {
			synctest.Test(t, func(t *testing.T) {
				sink := &recorder{}
				src := &counter{end: 8, endErr: io.EOF}
				c := config(src, sink)
				c.Candidates[0].Backend.Clock, c.Over = clock, tc.over
				if clock == registry.ClockSource {
					src.span = time.Second
				}
				err := Run(t.Context(), c)
				want := tc.collects
				var over *OverError
				if errors.As(err, &over) != (want > 0) || want == 0 && err != nil {
					t.Errorf("%+v: %v", tc.over, err)
				}
				if want == 0 {
					want = 8
				}
				if src.collects != want || src.closed != 1 {
					t.Errorf("%+v, clock %d: %d collects, want %d; closed %d", tc.over, clock, src.collects, want, src.closed)
				}
				check(t, sink, src)
			})
		}
	}
}

// Packets that stacked interfaces see again count once for thresholds.
func TestOverOnce(t *testing.T) {
	r := &run{c: &Config{Over: []Threshold{{Of: MeasureTotalPackets, Limit: 10}}}, start: time.Now()}
	r.end = r.start.Add(time.Second)
	r.views = newRun(&Config{MaxFlows: 10}, workers{}).views
	on := registry.Attachment{StackedOn: map[uint32][]uint32{2: {1}}}
	for _, n := range []uint64{6, 5} {
		recs := []flow.Record{record(1, n), record(2, n)}
		r.links.add(recs)
		r.merge(recs)
		r.links.settle(&on)
		err := r.exceeded()
		if over := (*OverError)(nil); n == 6 && err != nil || n == 5 && (!errors.As(err, &over) || over.Value != 11) {
			t.Errorf("%d more packets: %v", n, err)
		}
	}
}

// Durations use the monotonic clock: the times of a report have a monotonic reading.
func TestMonotonic(t *testing.T) {
	sink := &recorder{}
	c := config(&counter{end: 2, endErr: io.EOF}, sink)
	c.Refresh = time.Millisecond
	if err := Run(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	for _, r := range sink.reports {
		if r.Start == r.Start.Round(0) || r.End == r.End.Round(0) { //nolint:staticcheck // Equal ignores the monotonic reading
			t.Errorf("%v to %v", r.Start, r.End)
		}
	}
}
