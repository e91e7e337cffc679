package web

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/plugintest/sinktest"
)

// interval is an interval report of many flows, and nearly a megabyte as JSON.
func interval(seq uint64) *flow.Report {
	r := sinktest.ManyFlows(3000)
	r.Final, r.Seq = false, seq
	r.Start = r.Start.Add(time.Duration(seq) * time.Second)
	r.End = r.Start.Add(time.Second)
	r.Run = r.Sums
	return r
}

// A browser that has stalled costs nothing: reports go on, others see them, and
// the run ends.
func TestStalledPage(t *testing.T) {
	p := open(t, "127.0.0.1:0")
	stalled, err := net.Dial("tcp", strings.TrimPrefix(p.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer stalled.Close()
	if _, err := fmt.Fprintf(stalled, "GET /api/events HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	for p.pages() == 0 {
		time.Sleep(time.Millisecond)
	}
	// Far more than any buffer between the two holds.
	const reports = 60
	for seq := range uint64(reports) {
		p.write(interval(seq + 1))
	}
	p.events("", func(_, data string) bool {
		if !strings.Contains(data, fmt.Sprintf(`"seq":%d,`, reports)) {
			t.Errorf("another page gets %.300s", data)
		}
		return false
	})
	last := interval(reports + 1)
	last.Final = true
	p.write(last)
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	// What the stalled one has is the beginning, and then nothing.
	text, _ := io.ReadAll(stalled)
	if n := strings.Count(string(text), "event: report"); n >= reports {
		t.Errorf("the stalled page has %d reports: it did not stall", n)
	}
}

func (p *page) pages() int {
	p.state.mu.Lock()
	defer p.state.mu.Unlock()
	return len(p.state.watchers)
}

func TestTooManyPages(t *testing.T) {
	p := open(t, "127.0.0.1:0")
	for range maxPages {
		if a := p.do(http.MethodGet, "/api/events"); a.StatusCode != http.StatusOK {
			t.Fatal(a.Status)
		}
	}
	status, text := p.get("/api/events")
	if status != http.StatusServiceUnavailable || !strings.Contains(text, "64 pages are open already") {
		t.Errorf("one too many: %d %s", status, text)
	}
	if status, _ := p.get("/"); status != http.StatusOK {
		t.Errorf("the page itself: %d", status)
	}
	p.client.CloseIdleConnections()
}

// A page that is closed makes room.
func TestPagesGoAway(t *testing.T) {
	p := open(t, "127.0.0.1:0")
	p.write(intervals()[0])
	for range 3 * maxPages {
		p.events("", func(string, string) bool { return false })
	}
	for p.pages() > 0 {
		time.Sleep(time.Millisecond)
	}
}

// The run so far adds up whatever the ledger does: rows come and go, are folded
// into other, come again, and there are more than are kept.
func TestRunSoFarAddsUp(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	size := func(n uint64) flow.Counters { return flow.Counters{Packets: n, Bytes: n * 100, FrameBytes: n * 114} }
	type row struct{ total, delta flow.Counters }
	ledger := map[uint32]*row{}
	var run soFar
	var sums flow.Sums
	var retransmits uint64
	for seq := range uint64(40) {
		r := interval(seq)
		r.Packed, r.Sums = nil, flow.Sums{}
		r.Retransmits, r.RetransmitSums = map[flow.Packed]uint64{}, flow.RetransmitSums{Total: 5, Rest: 4, Overflow: 1}
		for range 1500 {
			id := uint32(rnd.ExpFloat64() * 6000)
			if ledger[id] == nil {
				ledger[id] = &row{}
			}
			n := size(1 + rnd.Uint64N(1000))
			ledger[id].delta.Add(n)
			r.Total.Add(n)
		}
		r.Lost = size(rnd.Uint64N(3))
		r.Total.Add(r.Lost)
		sums.Total.Add(r.Total)
		sums.Lost.Add(r.Lost)
		for id, e := range ledger {
			e.total.Add(e.delta)
			switch {
			case e.delta.IsZero():
			case len(r.Packed) < 1000: // --top
				k := flow.Key{Proto: flow.ESP, Subtype: id}
				if id%3 == 0 {
					r.Retransmits[flow.Pack(k)] = 2
					r.RetransmitSums.Total += 2
				}
				r.Packed = append(r.Packed, &flow.PackedRow{Key: flow.Pack(k), Delta: e.delta, Total: e.total})
			default:
				r.Rest.Add(e.delta)
			}
			e.delta = flow.Counters{}
			if rnd.IntN(20) == 0 && e.total.Packets < 2000 { // folded
				sums.AddOverflow(flow.OverflowMaxFlows, e.total)
				delete(ledger, id)
			}
		}
		retransmits += r.RetransmitSums.Total
		r.Run, r.RunRetransmits = sums, retransmits
		run.add(r)
		got := run.report(r, 500)
		again := got.RetransmitSums.Rest + got.RetransmitSums.Overflow
		sum := got.Rest
		sum.Add(got.Overflow)
		sum.Add(got.Lost)
		for shown := range got.Rows() {
			sum.Add(shown.Counters)
			again += shown.Retransmits
		}
		if again != retransmits || got.RetransmitSums.Total != retransmits {
			t.Fatalf("after %d: %d retransmits in %+v, want %d", seq, again, got.RetransmitSums, retransmits)
		}
		if sum != sums.Total || got.Total != sums.Total || got.Overflow != sums.Overflow || got.OverflowBy != sums.OverflowBy {
			t.Fatalf("after %d: flows + rest + overflow + lost = %+v, total %+v", seq, sum, sums.Total)
		}
		if len(got.Packed) == 0 || len(got.Packed) > 500 || got.FlowCount < len(got.Packed) {
			t.Fatalf("after %d: %d rows of %d", seq, len(got.Packed), got.FlowCount)
		}
	}
}

// The run lists the flows of all intervals, also when each has few of them, but
// no more than --top, as soon as that has cut an interval.
func TestRunSoFarRows(t *testing.T) {
	p := open(t, "127.0.0.1:0")
	id := uint32(0)
	write := func(rows, flows int) {
		r := interval(uint64(id))
		r.Packed, r.FlowCount = r.Packed[:rows], flows
		for _, row := range r.Packed {
			id++
			row.Key = flow.Pack(flow.Key{Proto: flow.ESP, Subtype: id})
		}
		p.write(r)
	}
	for range 3 {
		write(7, 7)
	}
	if n := len(p.report("?run").Flows); n != 21 {
		t.Errorf("%d flows of three intervals with 7 each", n)
	}
	write(5, 9)
	if n := len(p.report("?run").Flows); n != 5 {
		t.Errorf("%d flows although --top is 5", n)
	}
}

// Owners stay with their rows, although the ledger gives their numbers to others.
func TestRunSoFarOwners(t *testing.T) {
	var run soFar
	var last *flow.Report
	for i, comm := range []string{"named", "curl"} {
		r := interval(uint64(i))
		c := flow.Counters{Packets: 5 + uint64(i), Bytes: 500}
		k := flow.Key{Proto: flow.UDP, Src: netip.AddrPortFrom(netip.MustParseAddr("192.0.2.1"), uint16(50+i)), OwnerID: 1}
		r.Packed = []*flow.PackedRow{{Key: flow.Pack(k), Delta: c, Total: c, Match: flow.MatchExact}}
		r.Owners = map[uint32]flow.Owner{1: {PID: uint32(i + 1), Comm: comm}}
		r.Run = flow.Sums{Total: flow.Counters{Packets: 11, Bytes: 1000}}
		run.add(r)
		last = r
	}
	var got []string
	for row := range run.report(last, 10).Rows() {
		got = append(got, fmt.Sprintf("%d %s %d %v", row.Src.Port(), row.Owner.Comm, row.Owner.PID, row.Match))
	}
	slices.Sort(got)
	if want := []string{"50 named 1 exact", "51 curl 2 exact"}; !slices.Equal(got, want) {
		t.Errorf("the run has %q, want %q", got, want)
	}
}

// However many flows there are, only so many are remembered.
func TestRunSoFarIsBounded(t *testing.T) {
	var run soFar
	id := uint32(0)
	for seq := range uint64(25) {
		r := interval(seq)
		for _, p := range r.Packed {
			id++
			p.Key = flow.Pack(flow.Key{Proto: flow.ESP, Subtype: id})
		}
		run.add(r)
		if n := len(run.rows); n > keptRows+keptRows/4 {
			t.Fatalf("%d rows after %d intervals", n, seq+1)
		}
	}
	if got := len(run.report(interval(101), 10).Packed); got > 10 {
		t.Errorf("%d rows", got)
	}
}

// Publishing with and without pages: what an interval costs the output.
func BenchmarkPublish(b *testing.B) {
	s := newState("v1")
	r := sinktest.ManyFlows(listedFlows)
	r.Final = false
	for b.Loop() {
		if err := s.publish(r); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*listedFlows), "ns/flow")
}
