package web

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/render/rateseries"
	"github.com/pktstat/pktstat/internal/render/reportjson"
	"github.com/pktstat/pktstat/internal/render/runrows"
	"github.com/pktstat/pktstat/internal/render/webpage"
)

// keptRows bounds the rows of the run so far, whatever --top is.
const keptRows = 12_500

// state is what pages show. It holds copies and rendered text, no report of the engine. Pages with
// the same view share a rendered text.
type state struct {
	mu       sync.Mutex
	begun    time.Time
	last     *flow.Report  // the latest one without its rows; nil before the first
	rows     int           // number of the run's rows on a page: --top, as in the reports
	latest   []byte        // the latest report as JSON
	run      *runrows.Rows // so far; nil before the first interval
	whole    *rateseries.Series
	recent   *rateseries.Series
	rendered map[view][]byte // of the latest report
	watchers map[*watcher]struct{}
}

// view is what a page shows.
type view struct {
	span  string // "run", or else the latest interval
	past  string // "whole", or else the recent past
	by    string // breakdown of the chart
	alone bool   // only the report, without data for the page
}

// watcher is notified of new reports. Its channel holds one signal, so that a slow page skips to
// the latest report.
type watcher struct{ news chan struct{} }

func newState() *state {
	return &state{
		rows: listedFlows, whole: rateseries.New(rateseries.Whole), recent: rateseries.New(rateseries.Recent),
		rendered: map[view][]byte{}, watchers: map[*watcher]struct{}{},
	}
}

// publish makes r the latest report.
func (s *state) publish(r *flow.Report) error {
	latest, err := render(r)
	if err != nil {
		return fmt.Errorf("render report %d: %w", r.Seq, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.begun.IsZero() {
		s.begun = r.Start
	}
	last := *r
	last.Interfaces, last.Notes, last.Alternatives = slices.Clone(r.Interfaces), slices.Clone(r.Notes), slices.Clone(r.Alternatives)
	last.Files, last.Cgroups, last.Origin.Args = slices.Clone(r.Files), slices.Clone(r.Cgroups), slices.Clone(r.Origin.Args)
	last.Packed, last.Sides, last.Owners = nil, nil, nil
	s.last, s.latest = &last, latest
	if n := len(r.Packed); n > s.rows || n < r.FlowCount {
		s.rows = n
	}
	for _, series := range []*rateseries.Series{s.whole, s.recent} {
		if r.Final {
			series.Finish(r)
		} else {
			series.Add(r)
		}
	}
	if !r.Final {
		if s.run == nil {
			s.run = runrows.New(keptRows, r.Dims)
		}
		s.run.Add(r, nil, nil)
	}
	clear(s.rendered)
	for w := range s.watchers {
		select {
		case w.news <- struct{}{}:
		default:
		}
	}
	return nil
}

func render(r *flow.Report) ([]byte, error) {
	var b bytes.Buffer
	w := bufio.NewWriter(&b)
	if err := reportjson.Write(w, r, false); err != nil {
		return nil, err
	}
	if err := w.Flush(); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// errNothing is returned before the first report.
var errNothing = errors.New("no interval is over yet")

// document returns what a page with this view shows, and whether the report is final. The caller
// must not modify the text.
func (s *state) document(v view) (text []byte, final bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.last == nil {
		return nil, false, errNothing
	}
	final = s.last.Final
	if text, ok := s.rendered[v]; ok {
		return text, final, nil
	}
	report := s.latest
	if v.span == "run" && !final {
		last := *s.last
		last.Start = s.begun
		if report, err = render(s.run.Report(&last, s.rows)); err != nil {
			return nil, false, err
		}
	}
	text = report
	if !v.alone {
		if text, err = s.page(v, report); err != nil {
			return nil, false, err
		}
	}
	if len(s.rendered) < maxPages { // a page may ask for any by
		s.rendered[v] = text
	}
	return text, final, nil
}

// page returns a report with its history. The final report has all breakdowns, because no page can
// ask for another one later.
func (s *state) page(v view, report []byte) ([]byte, error) {
	series := s.recent.Document
	if v.past == "whole" || s.last.Final {
		series = s.whole.Document
	}
	by := []string{v.by}
	if s.last.Final {
		by = nil
	}
	return json.Marshal(struct {
		Rows   webpage.Nouns       `json:"rows"`
		Span   string              `json:"span"`
		Report json.RawMessage     `json:"report"`
		Series rateseries.Document `json:"series"`
	}{webpage.NounsOf(s.last), v.span, report, series(by...)})
}

// watch returns a watcher. It has a signal already if there is a report.
func (s *state) watch() (*watcher, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.watchers) >= maxPages {
		return nil, fmt.Errorf("%d pages are open already", maxPages)
	}
	w := &watcher{news: make(chan struct{}, 1)}
	if s.last != nil {
		w.news <- struct{}{}
	}
	s.watchers[w] = struct{}{}
	return w, nil
}

func (s *state) unwatch(w *watcher) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.watchers, w)
}
