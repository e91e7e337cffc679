package flowtable

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/count/packet"
)

// TestTable counts more flows than the budget allows. Every packet counts, in a row or in the
// overflow.
func TestTable(t *testing.T) {
	const maxFlows, packets, elephants = 8000, 300_000, 10
	budget := NewBudget(maxFlows)
	rings := []*Table{New(budget, NewConnections()), New(budget, NewConnections()), New(budget, NewConnections())}
	random := rand.New(rand.NewPCG(1, 2))
	want, sum := map[flow.Packed]flow.Counters{}, flow.Counters{}
	large := map[flow.Packed]uint64{}
	for epoch := range 3 {
		clear(want)
		clear(large)
		sum = flow.Counters{}
		for i := range packets {
			var r flow.Record
			r.Key.Family, r.Key.Proto, r.Key.L4Kind = flow.FamilyIPv4, flow.UDP, flow.L4Ports
			r.Key.L4 = uint32(elephants + random.IntN(100_000))
			if i > packets/2 && i%10 == 0 { // large flows begin late
				r.Key.L4 = uint32(i / 10 % elephants)
			}
			bytes := uint64(20 + random.IntN(1000))
			r.Counters = flow.Counters{Packets: 1 + uint64(random.IntN(3)), Bytes: bytes, FrameBytes: bytes + 14}
			rings[int(r.Key.L4)%len(rings)].Add(&r, packet.Segment{}, 0)
			c := want[r.Key]
			c.Add(r.Counters)
			want[r.Key] = c
			sum.Add(r.Counters)
		}
		select {
		case <-budget.Wake():
		default:
			t.Error("the budget is used up, but Wake has no value")
		}
		records := 0
		var got flow.Counters
		b := flow.NewBatch(flow.BatchHooks{Records: func(rs []flow.Record) error {
			records += len(rs)
			for _, r := range rs {
				if w := want[r.Key]; r.Packets > w.Packets || r.Bytes > w.Bytes || r.First != 5 || r.Last != 7 {
					t.Errorf("%+v of %+v: %+v", r.Counters, w, r.Key)
				}
				got.Add(r.Counters)
				if r.Key.L4 < elephants {
					large[r.Key] += r.Packets
				}
			}
			return nil
		}})
		b.WindowClosed(time.Time{})
		for _, f := range rings {
			f.Drain(b, 5, 7)
		}
		if err := b.Flush(); err != nil {
			t.Fatal(err)
		}
		if records != maxFlows {
			t.Errorf("epoch %d: %d records with budget for %d", epoch, records, maxFlows)
		}
		got.Add(b.Overflow[flow.OverflowTableFull])
		if got != sum {
			t.Errorf("epoch %d: counted %+v of %+v", epoch, got, sum)
		}
		if len(large) != elephants {
			t.Errorf("epoch %d: %d large flows of %d have a row", epoch, len(large), elephants)
		}
		for k, n := range large {
			if n < want[k].Packets*8/10 {
				t.Errorf("epoch %d: a large flow has %d packets, its row has %d", epoch, want[k].Packets, n)
			}
		}
		if left := budget.left.Load(); left != maxFlows {
			t.Errorf("epoch %d: a budget of %d flows is left of %d", epoch, left, maxFlows)
		}
	}
}

// TestExact counts flows with enough budget for all of them.
func TestExact(t *testing.T) {
	const n = 50_000
	f := New(NewBudget(n), NewConnections())
	var r flow.Record
	for i := range 3 * n {
		r.Key.L4, r.Counters = uint32(i%n), flow.Counters{Packets: 1, Bytes: uint64(i % n), FrameBytes: 60}
		f.Add(&r, packet.Segment{}, 0)
	}
	for range 2 {
		seen := 0
		b := flow.NewBatch(flow.BatchHooks{Records: func(rs []flow.Record) error {
			for _, r := range rs {
				seen++
				if want := (flow.Counters{Packets: 3, Bytes: 3 * uint64(r.Key.L4), FrameBytes: 180}); r.Counters != want {
					t.Errorf("flow %d: %+v", r.Key.L4, r.Counters)
				}
			}
			return nil
		}})
		b.WindowClosed(time.Time{})
		f.Drain(b, 0, 0)
		if err := b.Flush(); err != nil {
			t.Fatal(err)
		}
		if seen != n && seen != 0 || b.Overflow != (flow.Overflow{}) {
			t.Errorf("%d flows, other %+v", seen, b.Overflow)
		}
	}
}

func BenchmarkAdd(b *testing.B) {
	for _, n := range []int{1, 1 << 16} {
		name := "1"
		if n > 1 {
			name = "64k"
		}
		b.Run(name, func(b *testing.B) {
			f := New(NewBudget(1<<17), NewConnections())
			r := flow.Record{Counters: flow.Counters{Packets: 1, Bytes: 46, FrameBytes: 60}}
			for i := range uint32(n) {
				r.Key.L4 = i
				f.Add(&r, packet.Segment{}, 0)
			}
			b.ReportAllocs()
			b.ResetTimer()
			for i := range b.N {
				r.Key.L4 = uint32(i*7919) & uint32(n-1)
				f.Add(&r, packet.Segment{}, 0)
			}
		})
	}
}
