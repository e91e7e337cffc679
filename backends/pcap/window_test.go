package pcap

import (
	"context"
	"errors"
	"io"
	"slices"
	"testing"
	"time"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/count/packet"
)

func at(seconds float64) int64 { return epoch + int64(seconds*1e9) }

func packetsAt(seconds ...float64) []packetAt {
	var pkts []packetAt
	for i, s := range seconds {
		pkts = append(pkts, packetAt{time: at(s), data: frame(i%16, 10)})
	}
	return pkts
}

func TestWindows(t *testing.T) {
	type w struct {
		start, end float64
		packets    uint64
	}
	year := float64(365 * 24 * 3600)
	for _, c := range []struct {
		name     string
		times    []float64
		interval time.Duration
		want     []w
	}{
		{"whole", []float64{0, 1, 2.5}, 0, []w{{0, 2.5, 3}}},
		{"one packet", []float64{0}, time.Second, []w{{0, 0, 1}}},
		{"seconds", []float64{0, 0.5, 0.999999999, 1, 2.5}, time.Second, []w{{0, 1, 3}, {1, 2, 1}, {2, 2.5, 1}}},
		{"first window begins with the first packet", []float64{0.7, 1.6, 1.8}, time.Second, []w{{0.7, 1.7, 2}, {1.7, 1.8, 1}}},
		{"a gap", []float64{0, 10.5, 11.2}, time.Second, []w{{0, 1, 1}, {10, 11, 1}, {11, 11.2, 1}}},
		{"a year's gap in nanoseconds", []float64{0, year}, 1, []w{{0, 1e-9, 1}, {year, year, 1}}},
		{"backwards in the window", []float64{0, 0.5, 0.2, 0.9}, time.Second, []w{{0, 0.9, 4}}},
		{"backwards over a window", []float64{0, 1.5, 0.5, 1.6, 2}, time.Second, []w{{0, 1, 1}, {1, 2, 3}, {2, 2, 1}}},
		{"before the first", []float64{0, -3, 0.5, 1}, time.Second, []w{{-3, 1, 3}, {1, 1, 1}}},
		{"before the first, whole", []float64{0, -3, 0.5}, 0, []w{{-3, 0.5, 3}}},
		{"an interval of centuries", []float64{0, 1}, 1<<63 - 1, []w{{0, 1, 2}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			pkts := packetsAt(c.times...)
			src := mustOpen(t, write(t, "x", classicFile(le, nanoseconds, 1, pkts)), c.interval)
			got, each, err := collectAll(src)
			if !errors.Is(err, io.EOF) {
				t.Fatal(err)
			}
			same(t, got, parsed(packet.LinkTypeEthernet, pkts))
			if len(each) != len(c.want) {
				t.Fatalf("%d windows, want %d: %+v", len(each), len(c.want), each)
			}
			for i, w := range c.want {
				g := each[i]
				if g.start.UnixNano() != at(w.start) || g.end.UnixNano() != at(w.end) || g.flows.total().Packets != w.packets {
					t.Errorf("window %d: %v to %v with %d packets, want %+v", i, g.start, g.end, g.flows.total().Packets, w)
				}
			}
		})
	}
}

// The start of the run does not depend on the interval: it is the time of the earliest packet,
// anywhere in the file.
func TestEarliest(t *testing.T) {
	for _, times := range [][]float64{{0, 1, 2}, {0, 19, -1000}, {0, -1000, 19}, {5, 4, 3, 2, 1, 0}, {0, 10, -5, 20, -7, 30, -6}} {
		pkts := packetsAt(times...)
		file := write(t, "x", classicFile(le, nanoseconds, 1, pkts))
		for _, interval := range []time.Duration{0, 1, time.Second, time.Hour} {
			_, each, err := collectAll(mustOpen(t, file, interval))
			if !errors.Is(err, io.EOF) {
				t.Fatal(err)
			}
			start, end := each[0].start, each[0].end
			for i, c := range each {
				if !c.earliest.IsZero() && c.earliest.After(c.start) {
					t.Errorf("%v, every %v: window %d begins at %v, its earliest packet is at %v", times, interval, i, c.start, c.earliest)
				}
				if !c.earliest.IsZero() && c.earliest.Before(start) {
					start = c.earliest
				}
				if c.end.After(end) {
					end = c.end
				}
			}
			if start.UnixNano() != at(slices.Min(times)) || end.UnixNano() != at(slices.Max(times)) {
				t.Errorf("%v, every %v: from %v to %v", times, interval, start, end)
			}
		}
	}
}

// When ctx ends in the middle of a window, the next Collect has its rest. Later windows are the
// same as without the cancel.
func TestWindowAfterCancel(t *testing.T) {
	pkts := packetsAt(0, 0.2, 0.4, 0.6, 1.1)
	content := classicFile(le, nanoseconds, 1, pkts)
	two := len(classicFile(le, nanoseconds, 1, pkts[:2]))
	src, send := openPipe(t, time.Second)
	send(content[:two])
	first := collectUntil(t, src, 2)
	send(content[two:])
	second, err := collectOnce(t.Context(), src)
	if err != nil {
		t.Fatal(err)
	}
	send(nil)
	third, err := collectOnce(t.Context(), src)
	if !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	for i, c := range []struct {
		got        collected
		start, end float64
		packets    uint64
	}{{first, 0, 0.2, 2}, {second, 0.2, 1, 2}, {third, 1, 1.1, 1}} {
		if c.got.start.UnixNano() != at(c.start) || c.got.end.UnixNano() != at(c.end) || c.got.flows.total().Packets != c.packets {
			t.Errorf("Collect %d: %v to %v with %d packets, want %v to %v with %d", i,
				c.got.start, c.got.end, c.got.flows.total().Packets, c.start, c.end, c.packets)
		}
	}
}

// A timestamp far in the future does not hide later packets.
func TestWildTimes(t *testing.T) {
	w := newNGWriter(le)
	w.iface(1, 0, w.option(9, 9)) // nanoseconds
	p := packetAt{data: frame(0, 10)}
	for _, ticks := range []uint64{uint64(epoch), 1<<64 - 1, uint64(epoch) + 1, 0, 1 << 63, uint64(epoch)} {
		w.packet(0, ticks, &p)
	}
	for _, interval := range []time.Duration{0, 1, time.Second, 1<<63 - 1} {
		got, each, err := collectAll(mustOpen(t, write(t, "x", w.Bytes()), interval))
		if !errors.Is(err, io.EOF) || got.total().Packets != 6 || len(each) > 2 {
			t.Errorf("interval %v: %d packets in %d windows, %v", interval, got.total().Packets, len(each), err)
		}
		for _, c := range each {
			if c.end.Before(c.start) {
				t.Errorf("interval %v: a window from %v to %v", interval, c.start, c.end)
			}
		}
	}
}

func collectOnce(ctx context.Context, src interface {
	Collect(ctx context.Context, b *flow.Batch) error
}) (collected, error) {
	c := collected{flows: flows{}}
	b := flow.NewBatch(flow.BatchHooks{Records: func(recs []flow.Record) error {
		c.flows.add(recs)
		return nil
	}})
	err := src.Collect(ctx, b)
	if ferr := b.Flush(); ferr != nil {
		return c, ferr
	}
	c.start, c.end = b.Start, b.End
	return c, err
}
