package rateseries

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"github.com/pktstat/pktstat/flow"
)

var begin = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

// run makes interval reports.
type run struct {
	seq   uint64
	now   time.Time
	total flow.Totals
}

func newRun() *run { return &run{now: begin} }

// interval returns the next report: in one second, each source sent the given number of packets.
func (r *run) interval(packets map[string]uint64, other uint64) *flow.Report {
	r.seq++
	rep := &flow.Report{Seq: r.seq, Start: r.now, End: r.now.Add(time.Second), Dims: flow.DimsFlow, RateLayer: flow.LayerFrame}
	r.now = rep.End
	for src, n := range packets {
		c := flow.Counters{Packets: n, Bytes: 50 * n, FrameBytes: 64 * n}
		k := flow.Key{
			Src: netip.AddrPortFrom(netip.MustParseAddr(src), 40000), Dst: netip.MustParseAddrPort("198.51.100.1:443"),
			Proto: flow.TCP, Dir: flow.Egress,
		}
		rep.Packed = append(rep.Packed, &flow.PackedRow{Key: flow.Pack(k), Delta: c, Total: c})
		rep.Total.Counters.Add(c)
	}
	rep.Overflow.Counters = flow.Counters{Packets: other, Bytes: 50 * other, FrameBytes: 64 * other}
	rep.Total.Add(rep.Overflow)
	r.total.Add(rep.Total)
	rep.Run.Total = r.total
	return rep
}

// final returns the report of the whole run.
func (r *run) final() *flow.Report {
	return &flow.Report{
		Seq: r.seq + 1, Final: true, Start: begin, End: r.now, Dims: flow.DimsFlow, RateLayer: flow.LayerFrame,
		Sums: flow.Sums{Total: r.total}, Run: flow.Sums{Total: r.total},
	}
}

// checkSums fails unless the points are complete, do not overlap, and add up to the run.
func checkSums(t *testing.T, d Document, want flow.Counters) {
	t.Helper()
	var packets, bytes uint64
	for i := range d.Start {
		packets += d.Total.Packets[i]
		bytes += d.Total.Bytes[i]
		if d.End[i] < d.Start[i] || i > 0 && d.Start[i] != d.End[i-1] {
			t.Fatalf("point %d is from %d to %d, the one before ends at %d", i, d.Start[i], d.End[i], d.End[max(i, 1)-1])
		}
		for _, by := range d.By {
			sum := d.Overflow.Packets[i] + d.Lost.Packets[i]
			for _, top := range by.Top {
				sum += top.Packets[i]
			}
			if sum > d.Total.Packets[i] {
				t.Fatalf("point %d by %s: the parts are %d packets, the total %d", i, by.Name, sum, d.Total.Packets[i])
			}
		}
	}
	if packets != want.Packets || bytes != want.FrameBytes {
		t.Errorf("the points add up to %d packets and %d bytes, want %d and %d", packets, bytes, want.Packets, want.FrameBytes)
	}
}

func TestAddsUp(t *testing.T) {
	for _, intervals := range []int{0, 1, 2, maxPoints, maxPoints + 1, 3*maxPoints + 7, 20_000} {
		t.Run(fmt.Sprint(intervals), func(t *testing.T) {
			r, s := newRun(), New(Whole)
			for i := range intervals {
				s.Add(r.interval(map[string]uint64{"192.0.2.1": 10, "2001:db8::1": uint64(i % 7)}, uint64(i%3)))
			}
			s.Finish(r.final())
			d := s.Document()
			checkSums(t, d, r.total.Counters)
			if len(d.Start) > maxPoints {
				t.Errorf("%d points", len(d.Start))
			}
			if n := len(d.Start); intervals > 0 && (d.Start[0] != begin.UnixMilli() || d.End[n-1] != r.now.UnixMilli()) {
				t.Errorf("from %d to %d", d.Start[0], d.End[n-1])
			}
		})
	}
}

// TestFindsTopTalkers: the series finds the largest talkers, although each point keeps only a few
// keys and points are merged.
func TestFindsTopTalkers(t *testing.T) {
	r, s := newRun(), New(Whole)
	rnd := rand.New(rand.NewPCG(1, 2))
	want := uint64(0)
	for range 5000 {
		m := map[string]uint64{"192.0.2.1": 500, "192.0.2.2": 400}
		for range 200 {
			m[netip.AddrFrom4([4]byte{10, byte(rnd.IntN(256)), byte(rnd.IntN(256)), 1}).String()] = 1 + rnd.Uint64N(5)
		}
		want += m["192.0.2.1"]
		s.Add(r.interval(m, 0))
	}
	s.Finish(r.final())
	by := s.Document().By[0]
	if by.Name != "src" || len(by.Top) != maxSeries || by.Top[0].Label != "192.0.2.1" || by.Top[1].Label != "192.0.2.2" {
		t.Fatalf("by %s: %d, first %q and %q", by.Name, len(by.Top), by.Top[0].Label, by.Top[1].Label)
	}
	got := uint64(0)
	for _, n := range by.Top[0].Packets {
		got += n
	}
	if got != want {
		t.Errorf("192.0.2.1 has %d packets, want %d", got, want)
	}
}

// TestMissedReports: a slow output misses interval reports. The series has their traffic, without
// keys.
func TestMissedReports(t *testing.T) {
	r, s := newRun(), New(Whole)
	for i := range 20 {
		rep := r.interval(map[string]uint64{"192.0.2.1": 10}, 0)
		if i < 2 || i > 5 && i < 9 || i == 19 {
			continue
		}
		s.Add(rep)
	}
	s.Finish(r.final())
	d := s.Document()
	checkSums(t, d, r.total.Counters)
	if d.Start[0] != begin.UnixMilli() || d.Total.Packets[0] != 20 || d.By[0].Top[0].Packets[0] != 0 {
		t.Errorf("the first point has %d packets, of which %d are attributed", d.Total.Packets[0], d.By[0].Top[0].Packets[0])
	}
}

// TestNoRunTotals: the series accepts reports without run totals.
func TestNoRunTotals(t *testing.T) {
	r, s := newRun(), New(Whole)
	for range 3 {
		rep := r.interval(map[string]uint64{"192.0.2.1": 10}, 0)
		rep.Run = flow.Sums{}
		s.Add(rep)
	}
	checkSums(t, s.Document(), flow.Counters{Packets: 30, FrameBytes: 30 * 64})
}

func TestRecent(t *testing.T) {
	r, s := newRun(), New(Recent)
	for range maxPoints + 100 {
		s.Add(r.interval(map[string]uint64{"192.0.2.1": 1}, 0))
	}
	d := s.Document()
	if len(d.Start) != maxPoints || d.Start[0] != begin.Add(100*time.Second).UnixMilli() {
		t.Errorf("%d points from %d", len(d.Start), d.Start[0])
	}
}

// TestBoundedMemory: memory does not grow with traffic. Every interval of this run has 300 new
// addresses.
func TestBoundedMemory(t *testing.T) {
	r, s := newRun(), New(Whole)
	n := uint32(0)
	add := func(intervals int) {
		for range intervals {
			m := map[string]uint64{}
			for range 300 {
				n++
				m[netip.AddrFrom4([4]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}).String()] = 1 + uint64(n%50)
			}
			s.Add(r.interval(m, 0))
		}
	}
	add(2 * maxPoints)
	before := heap()
	add(6 * maxPoints)
	if after := heap(); after > before+before/2+1<<20 {
		t.Errorf("%d bytes in use after %d intervals, %d before", after, r.seq, before)
	}
	for i := range s.points {
		for b := range s.points[i].tops {
			if got := s.points[i].tops[b]; len(got) > maxKeys || cap(got) > 2*maxKeys {
				t.Fatalf("point %d has %d keys (room for %d)", i, len(got), cap(got))
			}
		}
	}
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func TestLabels(t *testing.T) {
	long := make([]byte, 10_000)
	for i := range long {
		long[i] = '\x1b'
	}
	s := New(Whole)
	r := newRun().interval(nil, 0)
	r.Interfaces = []flow.Interface{{Index: 1, Name: string(long)}, {Index: 2, Name: "<script>\u202e"}}
	r.Owners = map[uint32]flow.Owner{3: {PID: 7, Comm: "na\x1bmed", Container: "docker:web"}}
	for i, k := range []flow.Key{
		{Src: netip.MustParseAddrPort("192.0.2.1:50000"), Dst: netip.MustParseAddrPort("192.0.2.2:53"), Proto: flow.UDP, Ifindex: 1, Dir: flow.Ingress, OwnerID: 3},
		{EtherType: 0x88cc, Ifindex: 2},
	} {
		c := flow.Counters{Packets: uint64(9 - i), FrameBytes: uint64(900 - i)}
		r.Packed = append(r.Packed, &flow.PackedRow{Key: flow.Pack(k), Delta: c})
		r.Total.Counters.Add(c)
	}
	s.Add(r)
	got := map[string][]string{}
	for _, by := range s.Document().By {
		for _, top := range by.Top {
			got[by.Name] = append(got[by.Name], top.Label)
		}
	}
	for name, want := range map[string]string{
		"src": "[192.0.2.1]", "dst": "[192.0.2.2]", "port": "[UDP 53]", "proto": "[UDP ETH 0x88cc]", "direction": "[ingress]", "process": `[na\x1bmed 7]`, "container": "[docker:web]",
	} {
		if fmt.Sprint(got[name]) != want {
			t.Errorf("by %s: %v, want %s", name, got[name], want)
		}
	}
	if names := got["iface"]; len(names) != 2 || len(names[0]) > maxName+3 || names[1] != `<script>\u202e` {
		t.Errorf("interfaces: %q", names)
	}
}

// TestOneBreakdown: a live page gets the values of one breakdown and the names of all.
func TestOneBreakdown(t *testing.T) {
	s := New(Recent)
	s.Add(newRun().interval(map[string]uint64{"192.0.2.1": 10}, 0))
	for asked, want := range map[string]string{"proto": "proto", "nonsense": "src"} {
		d := s.Document(asked)
		if len(d.By) != 5 {
			t.Errorf("%d breakdowns", len(d.By))
		}
		for _, by := range d.By {
			if (by.Top != nil) != (by.Name == want) {
				t.Errorf("asked for %s: %s has %d", asked, by.Name, len(by.Top))
			}
		}
	}
	if text, err := json.Marshal(New(Recent).Document("src")); err != nil || len(text) == 0 {
		t.Errorf("empty: %s, %v", text, err)
	}
}

func BenchmarkAdd(b *testing.B) {
	m := map[string]uint64{}
	for i := range 10_000 {
		m[netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}).String()] = uint64(i)
	}
	r := newRun().interval(m, 0)
	s := New(Recent)
	for b.Loop() {
		s.Add(r)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(m)), "ns/flow")
}
