package web

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/plugintest/sinktest"
)

// interval returns an interval report of many flows, nearly a megabyte as JSON.
func interval(seq uint64) *flow.Report {
	r := sinktest.ManyFlows(3000)
	r.Final, r.Seq = false, seq
	r.Start = r.Start.Add(time.Duration(seq) * time.Second)
	r.End = r.Start.Add(time.Second)
	r.Run = r.Sums
	return r
}

// TestStalledPage: a stalled browser delays neither the reports, nor other pages, nor the end of
// the run.
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
	// reports are far more than all buffers hold.
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
	// The stalled page has received the first reports and then nothing.
	text, _ := io.ReadAll(stalled)
	if n := strings.Count(string(text), "event: report"); n >= reports {
		t.Errorf("the stalled page received %d reports: it did not stall", n)
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
		t.Errorf("one page too many: %d %s", status, text)
	}
	if status, _ := p.get("/"); status != http.StatusOK {
		t.Errorf("the page itself: %d", status)
	}
	p.client.CloseIdleConnections()
}

// TestPagesGoAway: a closed page makes room for another one.
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

// TestRunSoFarRows: the run has the flows of all intervals. If --top has cut an interval, the run
// has no more rows than --top.
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

// BenchmarkPublish measures an interval with and without pages.
func BenchmarkPublish(b *testing.B) {
	s := newState()
	r := sinktest.ManyFlows(listedFlows)
	r.Final = false
	for b.Loop() {
		if err := s.publish(r); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*listedFlows), "ns/flow")
}
