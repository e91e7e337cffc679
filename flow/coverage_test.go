package flow

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// TestPercent: only equal numbers are 100 %.
func TestPercent(t *testing.T) {
	for _, c := range []struct {
		counted, linked uint64
		want            float64
	}{
		{0, 0, 100}, {5, 5, 100}, {1, 3, 33.33}, {2, 3, 66.67}, {5, 2, 250}, {5, 0, 0}, {0, 5, 0},
		{999_999, 1_000_000, 99.99}, {1_000_001, 1_000_000, 100.01}, {1 << 62, 1<<62 + 1, 99.99},
	} {
		cov := Coverage{Packets: c.counted, LinkPackets: c.linked, FrameBytes: c.linked, LinkBytes: c.counted}
		if got := cov.Percent(); got != c.want {
			t.Errorf("%d of %d: %v, want %v", c.counted, c.linked, got, c.want)
		}
	}
	cov := Coverage{FrameBytes: 1, LinkBytes: 4}
	if got := cov.BytePercent(); got != 25 {
		t.Errorf("bytes: %v", got)
	}
}

// TestCoverageNotes: there is a note for each difference in packets, up to a few.
func TestCoverageNotes(t *testing.T) {
	eth0 := Interface{Index: 2, Name: "eth0"}
	all := []Coverage{
		{Interface: eth0, Dir: Ingress, Packets: 990, LinkPackets: 1000, Reasons: []string{"one", "two"}},
		{Interface: eth0, Dir: Egress, Packets: 1000, LinkPackets: 1000, FrameBytes: 1, LinkBytes: 2},
		{Interface: Interface{Name: "eth1"}, Dir: Egress, Packets: 1001, LinkPackets: 1000},
	}
	want := []string{
		"coverage of eth0 ingress: 990 of the interface's 1000 packets (99.00 %): one; two",
		"coverage of eth1 egress: 1001 of the interface's 1000 packets (100.10 %): not explained",
	}
	if got := CoverageNotes(all); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if got := CoverageNotes(all[1:2]); got != nil {
		t.Errorf("%q for equal packets", got)
	}
	many := CoverageNotes(slices.Repeat(all[:1], 7))
	if len(many) != 5 || many[4] != "coverage of 3 more interfaces and directions is not 100 %" {
		t.Errorf("%q", many)
	}
}

// TestWatch: a source's hooks come before the engine's, for one Collect.
func TestWatch(t *testing.T) {
	var calls []string
	hooks := func(name string) BatchHooks {
		return BatchHooks{
			WindowClosed: func() { calls = append(calls, name+" closed") },
			Records:      func([]Record) error { calls = append(calls, name+" records"); return nil },
		}
	}
	b := NewBatch(hooks("engine"))
	collect := func() string {
		calls = nil
		b.WindowClosed(time.Time{})
		b.Add(Record{})
		if err := b.Flush(); err != nil {
			t.Error(err)
		}
		return strings.Join(calls, ", ")
	}
	b.Watch(hooks("source"))
	b.Links = append(b.Links, LinkPart{Ifindex: 1})
	if got, want := collect(), "source closed, engine closed, source records, engine records"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	b.Reset(time.Time{}, hooks("engine"))
	if got, want := collect(), "engine closed, engine records"; got != want || len(b.Links) != 0 {
		t.Errorf("after Reset: %s, want %s; links %+v", got, want, b.Links)
	}
}
