package runrows

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"github.com/pktstat/pktstat/flow"
)

// size returns counters of packets with 100 bytes each.
func size(packets uint64) flow.Counters {
	return flow.Counters{Packets: packets, Bytes: packets * 100, FrameBytes: packets * 114}
}

func newReport() *flow.Report {
	return &flow.Report{Dims: flow.DimsFlow, RateLayer: flow.LayerFrame, Owners: map[uint32]flow.Owner{}}
}

// addRow appends a row with its counters of the interval and of the run.
func addRow(r *flow.Report, k flow.Key, c, total flow.Counters) {
	r.Packed = append(r.Packed, &flow.PackedRow{Key: flow.Pack(k), Delta: c, Total: total})
	r.Sides = append(r.Sides, flow.Side{})
	r.Total.Counters.Add(c)
}

func esp(spi uint32) flow.Key { return flow.Key{Proto: flow.ESP, Subtype: spi} }

// ledger makes interval reports in which rows appear, vanish, are folded into overflow and return.
// A report has at most 1,000 rows.
type ledger struct {
	rnd  *rand.Rand
	rows map[uint32]*entry
	run  flow.Sums
}

type entry struct {
	total, delta flow.Counters
	retransmits  uint64 // of the run
}

func (l *ledger) next() *flow.Report {
	r := newReport()
	for range 1500 {
		id := uint32(l.rnd.ExpFloat64() * 6000)
		if l.rows[id] == nil {
			l.rows[id] = &entry{}
		}
		l.rows[id].delta.Add(size(1 + l.rnd.Uint64N(1000)))
	}
	r.Lost.Counters, r.Overflow.Retransmits, r.Rest.Retransmits = size(l.rnd.Uint64N(3)), 1, 4
	r.Total = r.Lost
	r.Total.Retransmits = 5
	l.run.Lost.Add(r.Lost)
	l.run.Overflow.Retransmits++
	for id, e := range l.rows {
		e.total.Add(e.delta)
		switch {
		case e.delta.IsZero():
		case len(r.Packed) < 1000: // --top
			addRow(r, esp(id), e.delta, e.total)
			again := &r.Sides[len(r.Sides)-1].Health
			if id%3 == 0 {
				e.retransmits += 2
				again.Delta.Retransmits = 2
				r.Total.Retransmits += 2
			}
			again.Total.Retransmits = e.retransmits
		default:
			r.Rest.Counters.Add(e.delta)
			r.Total.Counters.Add(e.delta)
		}
		e.delta = flow.Counters{}
		if l.rnd.IntN(20) == 0 && e.total.Packets < 2000 { // folded into overflow
			l.run.Overflow.Add(flow.Totals{Counters: e.total, Health: flow.Health{Retransmits: e.retransmits}})
			delete(l.rows, id)
		}
	}
	l.run.Total.Add(r.Total)
	r.Run = l.run
	return r
}

// TestReportAddsUp: the run's report adds up, whatever the ledger does, and also when there are
// more rows than fit.
func TestReportAddsUp(t *testing.T) {
	l := &ledger{rnd: rand.New(rand.NewPCG(3, 4)), rows: map[uint32]*entry{}}
	run := New(5000, flow.DimsFlow)
	evicted := false
	for seq := range 40 {
		r := l.next()
		run.Add(r, nil, func([]int32) { evicted = true })
		if n := len(run.All()); n > 5000 || n != len(run.index) {
			t.Fatalf("after %d: %d rows, %d in the index", seq, n, len(run.index))
		}
		got := run.Report(r, 500)
		sum := got.Rest
		sum.Add(got.Overflow)
		sum.Add(got.Lost)
		for shown := range got.Rows() {
			sum.Add(shown.Totals)
		}
		if sum != l.run.Total || got.Total != l.run.Total || got.Overflow != l.run.Overflow {
			t.Fatalf("after %d: flows + rest + overflow + lost = %+v, total %+v", seq, sum, l.run.Total)
		}
		if got.Rest.Retransmits+got.Overflow.Retransmits == got.Total.Retransmits {
			t.Fatalf("after %d: no row has retransmits of %+v", seq, got.Total)
		}
		if len(got.Packed) == 0 || len(got.Packed) > 500 || got.FlowCount < len(got.Packed) {
			t.Fatalf("after %d: %d rows of %d", seq, len(got.Packed), got.FlowCount)
		}
	}
	if !evicted {
		t.Error("all rows were kept: this tests less than it should")
	}
}

// TestOwnersStay: rows keep their owners, although the ledger reuses owner numbers.
func TestOwnersStay(t *testing.T) {
	run := New(100, flow.DimsFlow)
	var last *flow.Report
	for i, comm := range []string{"named", "curl"} {
		r := newReport()
		k := flow.Key{Proto: flow.UDP, Src: netip.AddrPortFrom(netip.MustParseAddr("192.0.2.1"), uint16(50+i)), OwnerID: 1}
		addRow(r, k, size(5), size(5))
		r.Packed[0].Match = flow.MatchExact
		r.Owners[1] = flow.Owner{PID: uint32(i + 1), Comm: comm}
		r.Run.Total.Counters = size(10)
		run.Add(r, nil, nil)
		last = r
	}
	var got []string
	for row := range run.Report(last, 10).Rows() {
		got = append(got, fmt.Sprintf("%d %s %d %v", row.Src.Port(), row.Owner.Comm, row.Owner.PID, row.Match))
	}
	slices.Sort(got)
	if want := []string{"50 named 1 exact", "51 curl 2 exact"}; !slices.Equal(got, want) {
		t.Errorf("the run has %q, want %q", got, want)
	}
}

// TestSameNumberOtherOwner: a key becomes a second row if its owner number now means another owner.
func TestSameNumberOtherOwner(t *testing.T) {
	run := New(100, flow.DimComm)
	for _, comm := range []string{"named", "curl", "named"} {
		r := newReport()
		addRow(r, flow.Key{OwnerID: 7}, size(1), size(3))
		r.Owners[7] = flow.Owner{Comm: comm}
		run.Add(r, nil, nil)
	}
	if n := len(run.All()); n != 2 {
		t.Errorf("%d rows of two owners", n)
	}
}

// TestEviction: if rows must go, the largest stay. With KeepBusy, rows with current traffic stay.
func TestEviction(t *testing.T) {
	for _, busy := range []bool{false, true} {
		run := New(1000, flow.DimsFlow)
		run.KeepBusy = busy
		places := map[uint32]int32{}
		for interval := range uint32(30) {
			r := newReport()
			for i := range uint32(100) {
				n := uint64(1_000_000 - 10_000*interval) // the first rows are the largest
				addRow(r, esp(1+100*interval+i), size(n), size(n))
			}
			run.Add(r, func(i int32, fresh bool, p *flow.PackedRow) {
				if !fresh {
					t.Errorf("row %d is not new", p.Key.L4)
				}
				places[p.Key.L4] = i
			}, func(moved []int32) {
				for spi, i := range places {
					if places[spi] = moved[i]; moved[i] < 0 {
						delete(places, spi)
					}
				}
			})
			rows := run.All()
			if len(rows) > 1000 || len(places) != len(rows) {
				t.Fatalf("%d rows, %d followed", len(rows), len(places))
			}
			for spi, i := range places {
				if rows[i].Key.L4 != spi {
					t.Fatalf("row %d is not at the index that moved reported", spi)
				}
			}
		}
		_, first := places[1]
		_, before := places[100*28+1]
		_, last := places[100*29+1]
		if !busy && !first || before != busy || !last {
			t.Errorf("KeepBusy %t: has the largest row: %t, the last but one: %t, the last: %t", busy, first, before, last)
		}
	}
}

// TestTooManyRows: a report with too many rows still updates the rows that fit.
func TestTooManyRows(t *testing.T) {
	run := New(100, flow.DimsFlow)
	for i := range uint64(3) {
		r := newReport()
		for spi := range uint32(1000) {
			addRow(r, esp(1+spi), size(1), size(i+1))
		}
		run.Add(r, nil, nil)
		if n := len(run.All()); n > 100 {
			t.Fatalf("%d rows", n)
		}
		for _, row := range run.All() {
			if row.Seen == i+1 && row.Total.Counters != size(i+1) {
				t.Errorf("interval %d: %+v", i, row)
			}
		}
	}
}

// TestRetransmitsStay: a row without new retransmits keeps its old ones.
func TestRetransmitsStay(t *testing.T) {
	run := New(100, flow.DimsFlow)
	r := newReport()
	addRow(r, esp(1), size(1), size(1))
	r.Sides[0].Health = flow.Spans[flow.Health]{Delta: flow.Health{Retransmits: 3}, Total: flow.Health{Retransmits: 3}}
	run.Add(r, nil, nil)
	next := newReport()
	addRow(next, esp(1), size(1), size(2))
	next.Sides[0].Health = flow.Spans[flow.Health]{Total: flow.Health{Retransmits: 3}}
	run.Add(next, nil, nil)
	if row := run.All()[0]; row.Total != (flow.Totals{Counters: size(2), Health: flow.Health{Retransmits: 3}}) || row.In(2).Retransmits != 0 || row.In(1) != (flow.Totals{}) {
		t.Errorf("%+v", row)
	}
}

// TestClone: later reports do not change a clone.
func TestClone(t *testing.T) {
	run := New(100, flow.DimsFlow)
	r := newReport()
	addRow(r, flow.Key{OwnerID: 1}, size(1), size(1))
	r.Owners[1] = flow.Owner{PID: 1, Comm: "a"}
	run.Add(r, nil, nil)
	c := run.Clone()
	r.Owners[1] = flow.Owner{PID: 1, Comm: "b"}
	r.Packed[0].Total = size(9)
	run.Add(r, nil, nil)
	if row := c.All()[0]; row.Total.Packets != 1 || c.Owner(0, row.Key.OwnerID).Comm != "a" {
		t.Errorf("the clone has changed: %+v %+v", row, c.Owner(0, row.Key.OwnerID))
	}
}

// TestOwnersAreForgotten: the number of owners in memory is bounded by the rows.
func TestOwnersAreForgotten(t *testing.T) {
	curl := flow.Owner{PID: 12, Start: 3, Comm: "curl", UID: 1000, CgroupID: 7, Cgroup: "/user.slice"}
	w := newOwners([]Grouping{{By: flow.DimsFlow}, {By: flow.DimPID}, {By: flow.DimCgroup}})
	for i := range uint32(1000) {
		w.number(&flow.Owner{PID: i + 1, Comm: "x", CgroupID: uint64(i + 1)})
	}
	kept := w.number(&curl)
	w.sweep(slices.Values([]uint32{0, kept}))
	for i := range uint32(1000) {
		if id := w.number(&flow.Owner{PID: i + 5000, Comm: "y", CgroupID: uint64(i + 5000)}); id == kept {
			t.Fatal("a number in use was given to another owner")
		}
	}
	for g := range w.of {
		if len(w.of[g]) > 1002 {
			t.Errorf("room for %d owners in grouping %d", len(w.of[g]), g)
		}
	}
	if *w.Owner(0, kept) != curl || w.Owner(1, w.Group(1, kept)).Comm != "curl" || w.Owner(2, w.Group(2, kept)).Cgroup != "/user.slice" {
		t.Error("an owner in use has changed")
	}
}
