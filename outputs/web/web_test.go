package web

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/render/webpage"
	"github.com/pktstat/pktstat/plugintest/sinktest"
	"github.com/pktstat/pktstat/registry"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestConformance(t *testing.T) {
	sinktest.Run(t, sinktest.Options{Name: "web", Target: "127.0.0.1:0", Variants: []sinktest.Variant{
		{Name: "token", Args: []string{"token=0123456789abcdef", "hosts=monitor.example"}},
	}})
}

// page is an open output, as browsers reach it.
type page struct {
	*sink
	t      *testing.T
	said   string // its message to the user
	url    string // http://127.0.0.1:PORT
	client *http.Client
}

func try(target string, options ...string) (registry.Sink, string, error) {
	c := &config{}
	fs := flag.NewFlagSet("web", flag.ContinueOnError)
	c.Flags(fs)
	for _, o := range options {
		key, value, _ := strings.Cut(o, "=")
		if err := fs.Set(key, value); err != nil {
			return nil, "", err
		}
	}
	said := ""
	s, err := c.Open(context.Background(), registry.OutputEnv{
		Target: target, Now: time.Now, Notify: func(f string, a ...any) { said += fmt.Sprintf(f, a...) },
	})
	return s, said, err
}

func open(t *testing.T, target string, options ...string) *page {
	t.Helper()
	s, said, err := try(target, options...)
	if err != nil {
		t.Fatal(err)
	}
	p := &page{sink: s.(*sink), t: t, said: said, client: &http.Client{Transport: &http.Transport{}, Timeout: time.Minute}}
	_, address, _ := strings.Cut(said, "http://")
	host, _, _ := strings.Cut(address, "/")
	_, port, err := net.SplitHostPort(host)
	if err != nil || port == "0" {
		t.Fatalf("the printed address is %q", said)
	}
	p.url = "http://127.0.0.1:" + port
	t.Cleanup(func() {
		p.client.CloseIdleConnections()
		if err := p.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return p
}

func (p *page) write(reports ...*flow.Report) {
	p.t.Helper()
	for _, r := range reports {
		if err := p.Write(context.Background(), r); err != nil {
			p.t.Fatal(err)
		}
	}
}

// do sends a request. headers are pairs of names and values, which may include "Host".
func (p *page) do(method, path string, headers ...string) *http.Response {
	p.t.Helper()
	r, err := http.NewRequestWithContext(p.t.Context(), method, p.url+path, http.NoBody)
	if err != nil {
		p.t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		if headers[i] == "Host" {
			r.Host = headers[i+1]
		}
		r.Header.Set(headers[i], headers[i+1])
	}
	a, err := p.client.Do(r)
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { a.Body.Close() })
	return a
}

func (p *page) get(path string, headers ...string) (int, string) {
	p.t.Helper()
	a := p.do(http.MethodGet, path, headers...)
	body, err := io.ReadAll(a.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return a.StatusCode, string(body)
}

// summary is the part of a report that tests examine.
type summary struct {
	Schema   string
	Final    bool
	Seq      uint64
	Start    time.Time
	Total    counters
	Overflow counters
	Lost     counters
	Rest     counters
	Flows    []struct {
		counters
		Src string
	}
	FlowCount int `json:"flow_count"`
}

type counters struct {
	Packets    uint64
	Bytes      uint64
	FrameBytes uint64 `json:"frame_bytes"`
}

// adds reports whether the report adds up.
func (s *summary) adds() bool {
	sum := counters{}
	parts := []counters{s.Overflow, s.Lost, s.Rest}
	for _, f := range s.Flows {
		parts = append(parts, f.counters)
	}
	for _, c := range parts {
		sum.Packets += c.Packets
		sum.Bytes += c.Bytes
		sum.FrameBytes += c.FrameBytes
	}
	return sum == s.Total
}

func (p *page) report(query string) summary {
	p.t.Helper()
	status, text := p.get("/api/report" + query)
	var s summary
	if err := json.Unmarshal([]byte(text), &s); status != http.StatusOK || err != nil {
		p.t.Fatalf("/api/report%s: %d, %v: %s", query, status, err, text)
	}
	if s.Schema != "pktstat.report/v1" || !s.adds() {
		p.t.Fatalf("/api/report%s: schema %q, adds up: %v: %s", query, s.Schema, s.adds(), text)
	}
	return s
}

// intervals returns two interval reports and the final one.
func intervals() []*flow.Report {
	for _, g := range sinktest.Goldens() {
		if g.Name == "intervals" {
			return g.Reports
		}
	}
	return nil
}

func TestReport(t *testing.T) {
	p := open(t, "127.0.0.1:0")
	a := p.do(http.MethodGet, "/api/report")
	if a.StatusCode != http.StatusServiceUnavailable || a.Header.Get("Retry-After") == "" {
		t.Errorf("before the first report: %s", a.Status)
	}
	reports := intervals()
	p.write(reports[0])
	if s := p.report(""); s.Seq != 1 || s.Final || s.Total.Packets != 11 {
		t.Errorf("after the first interval: %+v", s)
	}
	p.write(reports[1])
	if s := p.report(""); s.Seq != 2 || s.Total.Packets != 0 || len(s.Flows) != 0 {
		t.Errorf("after the second interval: %+v", s)
	}
	for _, query := range []string{"?run", "?run=1", "?final", "?final=true"} {
		if s := p.report(query); s.Final || s.Total.Packets != 11 || len(s.Flows) != 1 || s.Overflow.Packets != 1 || !s.Start.Equal(reports[0].Start) {
			t.Errorf("%s: the run so far: %+v", query, s)
		}
	}
	if s := p.report("?run=0"); s.Total.Packets != 0 {
		t.Errorf("?run=0: %+v", s)
	}
	p.write(reports[2])
	for _, query := range []string{"", "?run"} {
		if s := p.report(query); !s.Final || s.Seq != 3 || s.Total.Packets != 11 {
			t.Errorf("%s after the run: %+v", query, s)
		}
	}
}

// TestKeepsNothingOfReports: the output neither modifies nor keeps a report, because other outputs
// share it.
func TestKeepsNothingOfReports(t *testing.T) {
	p := open(t, "127.0.0.1:0")
	r := intervals()[0]
	r.Interfaces, r.Notes = []flow.Interface{{Index: 1, Name: "eth0"}}, []string{"a note"}
	p.write(r)
	_, before := p.get("/api/report?run")
	r.Interfaces[0].Name, r.Notes[0] = "changed", "changed"
	for _, row := range r.Packed {
		*row = flow.PackedRow{}
	}
	r.Backend = "changed"
	p.state.mu.Lock()
	clear(p.state.rendered)
	p.state.mu.Unlock()
	if _, after := p.get("/api/report?run"); after != before {
		t.Errorf("the run so far was\n%s\nand became\n%s", before, after)
	}
}

// events reads a stream until it ends or f returns false.
func (p *page) events(query string, f func(event, data string) bool, headers ...string) {
	a := p.do(http.MethodGet, "/api/events"+query, headers...)
	if a.StatusCode != http.StatusOK || a.Header.Get("Content-Type") != "text/event-stream" {
		p.t.Errorf("events: %s, %s", a.Status, a.Header.Get("Content-Type"))
		return
	}
	defer a.Body.Close()
	lines := bufio.NewScanner(a.Body)
	lines.Buffer(nil, 64<<20)
	event := ""
	for lines.Scan() {
		if name, ok := strings.CutPrefix(lines.Text(), "event: "); ok {
			event = name
		}
		if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok && !f(event, data) {
			return
		}
	}
}

// TestEvents: a page gets the latest report at once, each new one, the final one, and the end of
// the stream. The output waits for that.
func TestEvents(t *testing.T) {
	for _, span := range []string{"interval", "run"} {
		t.Run(span, func(t *testing.T) {
			p := open(t, "127.0.0.1:0")
			reports := intervals()
			p.write(reports[0])
			got := make(chan uint64)
			go func() {
				defer close(got)
				p.events("?range=whole&by=proto&span="+span, func(event, data string) bool {
					var doc struct {
						Rows   webpage.Nouns
						Report summary
						Series struct {
							Start []int64
							By    []struct {
								Name string
								Top  []any
							}
						}
					}
					if err := json.Unmarshal([]byte(data), &doc); err != nil || event != "report" || doc.Rows.Many != "flows" {
						t.Errorf("event %q: %v: %s", event, err, data)
					}
					for _, by := range doc.Series.By {
						if (by.Name == "proto" || doc.Report.Final) != (len(by.Top) > 0) {
							t.Errorf("by %s: %d series", by.Name, len(by.Top))
						}
					}
					if len(doc.Series.Start) == 0 || !doc.Report.adds() {
						t.Errorf("%d points; adds up: %v", len(doc.Series.Start), doc.Report.adds())
					}
					got <- doc.Report.Seq
					return true
				})
			}()
			for i, r := range reports {
				if i > 0 {
					p.write(r)
				}
				if seq := <-got; seq != r.Seq {
					t.Errorf("report %d, want %d", seq, r.Seq)
				}
			}
			if err := p.Close(); err != nil {
				t.Error(err)
			}
			if seq, more := <-got; more {
				t.Errorf("report %d after the final one", seq)
			}
		})
	}
}

// TestEventsEndWithoutFinal: a run without a final report closes the streams.
func TestEventsEndWithoutFinal(t *testing.T) {
	p := open(t, "127.0.0.1:0")
	p.write(intervals()[0])
	started, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		p.events("", func(string, string) bool { close(started); return true })
	}()
	<-started
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	<-done
}

// TestLinger: linger keeps the final report available.
func TestLinger(t *testing.T) {
	p := open(t, "127.0.0.1:0", "linger=1s")
	p.write(intervals()...)
	closed := make(chan error, 1)
	go func() { closed <- p.Close() }()
	if s := p.report(""); !s.Final {
		t.Error("no final report while the page lingers")
	}
	p.events("", func(_, data string) bool {
		if !strings.Contains(data, `"final":true`) {
			t.Errorf("a page that is opened late gets %s", data)
		}
		return true
	})
	if err := <-closed; err != nil {
		t.Error(err)
	}
}

func TestNoTraffic(t *testing.T) {
	p := open(t, "127.0.0.1:0")
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
}

// TestServerEnds: if the server ends, the output fails and the run reports it.
func TestServerEnds(t *testing.T) {
	p := open(t, "127.0.0.1:0")
	if err := p.server.Close(); err != nil {
		t.Fatal(err)
	}
	for i := range 1000 { // Serve may take a while to return
		if err := p.Write(t.Context(), intervals()[0]); err != nil {
			return
		}
		time.Sleep(time.Duration(i) * time.Millisecond)
	}
	t.Error("no write failed")
}
