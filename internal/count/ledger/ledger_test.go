package ledger

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/pktstat/pktstat/flow"
)

var seed = flow.Seed{0x243f6a8885a308d3, 0x13198a2e03707344}

// record returns a record of flow number id.
func record(id uint32, packets, bytes uint64) flow.Record {
	r := flow.Record{Counters: flow.Counters{Packets: packets, Bytes: bytes, FrameBytes: bytes + 14*packets}}
	var a [8]byte
	binary.BigEndian.PutUint32(a[:], id)
	copy(a[4:], []byte{192, 0, 2, 1})
	r.Key.SetIPv4(a[:])
	r.Key.Proto, r.Key.L4Kind, r.Key.L4 = flow.UDP, flow.L4Ports, flow.Ports(uint16(id), 53)
	r.First, r.Last = int64(id), int64(id)+10
	return r
}

func counters(r *flow.PackedRow, s Span) flow.Counters {
	if s == Run {
		return r.Total
	}
	return r.Delta
}

func byBytes(s Span) Order {
	return Order{
		func(r *flow.PackedRow) uint64 { return counters(r, s).FrameBytes },
		func(r *flow.PackedRow) uint64 { return uint64(^binary.BigEndian.Uint32(r.Key.Src[:])) },
	}
}

// conserved fails unless total == rows + rest + overflow + lost for the span.
func conserved(t *testing.T, l *Ledger, s Span, top int) Selection {
	t.Helper()
	sel := l.Select(s, top, byBytes(s))
	sums := l.Sums(s)
	var got flow.Totals
	for i, r := range sel.Rows {
		side := &flow.Side{}
		if sel.Sides != nil {
			side = &sel.Sides[i]
		}
		got.Add(r.Totals(side, l.dims, s == Run))
		o := byBytes(s)
		if i > 0 && !l.dims.Paired() && o.compare(keyed{o[0](sel.Rows[i-1]), sel.Rows[i-1]}, keyed{o[0](r), r}) >= 0 {
			t.Fatalf("row %d is out of order", i)
		}
	}
	if top > 0 && len(sel.Rows) != min(top, sel.Count) {
		t.Fatalf("top %d of %d rows gave %d", top, sel.Count, len(sel.Rows))
	}
	if sums.OverflowBy.Total() != sums.Overflow.Counters {
		t.Fatalf("overflow is %+v, by reason %+v", sums.Overflow, sums.OverflowBy)
	}
	got.Add(sel.Rest)
	got.Add(sums.Overflow)
	got.Add(sums.Lost)
	total := sums.Total
	total.AddEnds(&sel.Ends[s], &sums.Overflow)
	if got != total {
		t.Fatalf("rows + rest + overflow + lost = %+v, total %+v", got, total)
	}
	return sel
}

// TestAgainstMap compares the ledger with a map over random traffic. It checks the sums at the
// end of each interval.
func TestAgainstMap(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for _, flows := range []int{1, 7, 500, 20_000} {
		t.Run(fmt.Sprint(flows), func(t *testing.T) {
			l := New(flow.DimsFlow, 1<<20, seed)
			want := map[flow.Packed]flow.Counters{}
			var intervals flow.Totals
			for range 6 {
				recs := make([]flow.Record, 0, flows)
				for range flows {
					r := record(uint32(rnd.IntN(flows)), 1+rnd.Uint64N(9), rnd.Uint64N(9000))
					recs = append(recs, r)
					c := want[r.Key]
					c.Add(r.Counters)
					want[r.Key] = c
				}
				l.Merge(recs)
				l.AddOverflow(&flow.Overflow{
					flow.OverflowTableFull: {Packets: 1, Bytes: 40}, flow.OverflowInterrupted: {Packets: 2, Bytes: 60},
				}, flow.Health{Resets: 1})
				l.AddLost(flow.Counters{Packets: 1})
				conserved(t, l, Interval, 10)
				intervals.Add(l.Sums(Interval).Total)
				l.EndInterval()
			}
			sel := conserved(t, l, Run, 0)
			if sel.Count != len(want) {
				t.Fatalf("%d rows, want %d", sel.Count, len(want))
			}
			for _, r := range sel.Rows {
				if want[r.Key] != r.Total {
					t.Fatalf("%v: %+v, want %+v", r.Key.Key(), r.Total, want[r.Key])
				}
			}
			if by := l.Sums(Run).OverflowBy; by[flow.OverflowMaxFlows].Packets != 0 || by[flow.OverflowTableFull].Packets != 6 || by[flow.OverflowInterrupted].Packets != 12 {
				t.Errorf("overflow by reason is %+v", by)
			}
			if intervals != l.Sums(Run).Total {
				t.Fatalf("intervals add up to %+v, the run to %+v", intervals, l.Sums(Run).Total)
			}
		})
	}
}

// TestBound floods small ledgers. They keep their limit, count every packet and keep large flows
// that start late.
func TestBound(t *testing.T) {
	for _, bound := range []int{1, 2, 7, 8, 100, 4096} {
		t.Run(fmt.Sprint(bound), func(t *testing.T) {
			l := New(flow.DimsFlow, bound, seed)
			elephants := min(bound/4, 10)
			next := uint32(1000)
			for round := range 60 {
				var recs []flow.Record
				for range bound {
					recs = append(recs, record(next, 1, 50))
					next++
				}
				if round >= 30 {
					for e := range elephants {
						recs = append(recs, record(uint32(e), 100, 50_000))
					}
				}
				l.Merge(recs)
				if l.Len() > bound {
					t.Fatalf("%d rows, bound %d", l.Len(), bound)
				}
				if round%7 == 0 {
					conserved(t, l, Interval, 5)
					l.EndInterval()
				}
			}
			l.EndInterval()
			sel := conserved(t, l, Run, 0)
			for e := range elephants {
				if got := sel.Rows[e].Total.Packets; got != 3000 {
					t.Errorf("large flow %d has %d packets, want 3000", e, got)
				}
			}
			switch sums := l.Sums(Run); {
			case sums.Overflow.IsZero():
				t.Error("no row was folded: the flood is too small")
			case sums.OverflowBy[flow.OverflowMaxFlows] != sums.Overflow.Counters:
				t.Errorf("folded rows are %+v, the reasons %+v", sums.Overflow, sums.OverflowBy)
			}
		})
	}
}

// TestProjection groups by source only.
func TestProjection(t *testing.T) {
	l := New(flow.DimSrc, 100, seed)
	a, b := record(1, 1, 10), record(1, 2, 20)
	b.Key.L4, b.Key.Dst = flow.Ports(9, 9), [16]byte{1}
	l.Merge([]flow.Record{a, b, record(2, 5, 50)})
	sel := conserved(t, l, Interval, 0)
	if sel.Count != 2 {
		t.Fatalf("%d rows, want 2", sel.Count)
	}
	for _, r := range sel.Rows {
		k := r.Key.Key()
		if k.Proto != 0 || k.Src.Port() != 0 || k.Dst.Port() != 0 {
			t.Errorf("row %+v has fields that are not grouped by", k)
		}
	}
}

// TestIntervalRowsAreCopies: counting does not change an earlier report.
func TestIntervalRowsAreCopies(t *testing.T) {
	l := New(flow.DimsFlow, 100, seed)
	l.Merge([]flow.Record{record(1, 1, 10)})
	sel := l.Select(Interval, 0, byBytes(Interval))
	l.EndInterval()
	l.Merge([]flow.Record{record(1, 4, 40)})
	if got := *sel.Rows[0]; got.Delta.Packets != 1 || got.Total.Packets != 1 {
		t.Errorf("a handed-out row changed: %+v", got)
	}
	sel = l.Select(Interval, 0, byBytes(Interval))
	if got := *sel.Rows[0]; got.Delta.Packets != 4 || got.Total.Packets != 5 || got.First != 1 || got.Last != 11 {
		t.Errorf("second interval: %+v", got)
	}
}

func TestKthSmallest(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	for range 2000 {
		n := 1 + rnd.IntN(40)
		s := make([]uint64, n)
		for i := range s {
			s[i] = rnd.Uint64N(8)
		}
		k := 1 + rnd.IntN(n)
		orig := append([]uint64(nil), s...)
		v, ties := kthSmallest(s, k)
		less := 0
		for _, x := range orig {
			if x < v {
				less++
			}
		}
		if less+ties != k || ties < 1 {
			t.Fatalf("%v k=%d: v=%d ties=%d, %d are less", orig, k, v, ties, less)
		}
	}
}

// BenchmarkMerge measures the cost of a record: for known flows, and with churn, where every
// record is a new flow and causes folds.
func BenchmarkMerge(b *testing.B) {
	for _, flows := range []int{1000, 5000, 64 << 10, 1 << 20} {
		b.Run(fmt.Sprintf("flows=%d", flows), func(b *testing.B) {
			l := New(flow.DimsFlow, 2<<20, seed)
			recs := make([]flow.Record, flows)
			for i := range recs {
				recs[i] = record(uint32(i)*2654435761, 1, 64)
			}
			l.Merge(recs)
			rand.New(rand.NewPCG(1, 1)).Shuffle(flows, func(i, j int) { recs[i], recs[j] = recs[j], recs[i] })
			b.ReportAllocs()
			b.ResetTimer()
			for n := b.N; n > 0; n -= len(recs) {
				l.Merge(recs[:min(n, len(recs))])
			}
		})
	}
	b.Run("churn", func(b *testing.B) {
		l := New(flow.DimsFlow, 1<<17, seed)
		recs := make([]flow.Record, 512)
		next := uint32(0)
		b.ReportAllocs()
		for n := b.N; n > 0; n -= len(recs) {
			for i := range recs {
				recs[i] = record(next*2654435761, 1, 64)
				next++
			}
			l.Merge(recs)
		}
	})
}

// BenchmarkInterval measures the end of an interval in which every row was active.
func BenchmarkInterval(b *testing.B) {
	for _, flows := range []int{64 << 10, 1 << 20} {
		for _, top := range []int{40, 0} {
			b.Run(fmt.Sprintf("flows=%d/top=%d", flows, top), func(b *testing.B) {
				l := New(flow.DimsFlow, 2<<20, seed)
				recs := make([]flow.Record, flows)
				b.ReportAllocs()
				for b.Loop() {
					b.StopTimer()
					for i := range recs {
						recs[i] = record(uint32(i)*2654435761, 1, uint64(i*7919%100_000))
					}
					l.Merge(recs)
					b.StartTimer()
					if sel := l.Select(Interval, top, byBytes(Interval)); sel.Count != flows {
						b.Fatal(sel.Count)
					}
					l.EndInterval()
				}
			})
		}
	}
}
