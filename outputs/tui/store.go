package tui

import (
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/render/runrows"
)

// maxRows bounds the memory of a store: beyond it, rows without traffic in the
// last interval go, those that were small first.
const maxRows = 1 << 18

// store is what is known of the run: every row of the reports, with the last
// interval's counters and the run's, and what came before. The sink adds reports
// to it; the screen reads it. Both hold mu meanwhile, which is never long: neither
// waits for the terminal with it.
type store struct {
	mu sync.Mutex

	heading
	seen  seen
	rows  *runrows.Rows
	rates history
	past  past
}

// groupings of owners: what the rows of a view are grouped by.
const (
	byOwner     = iota // all of them, as in the reports
	byProcess          // or by its name, if reports are grouped by that alone
	byContainer        // or by the cgroup of what is in none
)

// newRows returns rows for reports that are grouped by dims.
func newRows(dims flow.Dims) *runrows.Rows {
	process := flow.DimPID
	if !dims.Has(flow.DimPID) {
		process = flow.DimComm
	}
	rows := runrows.New(maxRows, dims, runrows.Grouping{By: process}, runrows.Grouping{
		By: flow.DimCgroup | flow.DimContainer,
		Of: func(o *flow.Owner) flow.Owner {
			if o.Container != "" {
				return flow.Owner{Container: o.Container}
			}
			return flow.Owner{CgroupID: o.CgroupID, Cgroup: o.Cgroup}
		},
	})
	rows.KeepBusy = true
	return rows
}

// heading is what a report says beside its rows.
type heading struct {
	intervals  uint64 // reports so far
	final      bool
	backend    string
	attach     string
	interfaces []flow.Interface
	host       string
	kind       flow.SourceKind
	sources    []string            // what is counted
	stackedOn  map[uint32][]string // interfaces that show the same packets, by index; never changed
	once       flow.Counters       // of the last interval, of interfaces that are stacked on none
	notes      []string
	inexact    bool
	label      func([]*flow.Row) // adds labels that rows are not grouped by; may be nil
	dims       flow.Dims
	sort       string // field that the reports' rows are ordered by
	layers     flow.Layer
	rateLayer  flow.Layer
	start, end time.Time // of the run so far
	length     time.Duration
	now, run   flow.Sums
	unknown    bool // the bytes of what was lost
}

func newStore() *store { return &store{rows: newRows(0)} }

// add takes over a report.
func (s *store) add(r *flow.Report) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.seen.names == nil { // the first report
		s.rows = newRows(r.Dims)
	}
	s.head(r)
	s.seen.begin(r)
	if r.Final { // what was current stays so
		s.rows.Add(r, s.look, s.past.renumber)
		return
	}
	s.intervals++
	// Samples follow one another, whatever the clock is set to.
	end := s.heading.start.UnixNano() + int64(r.End.Sub(s.heading.start))
	sample := sample{end: end, length: r.Duration(), all: r.Total.At(r.RateLayer)}
	in := s.past.begin(end, r.Duration())
	s.rows.Add(r, func(i int32, fresh bool, p *flow.PackedRow) {
		s.look(i, fresh, p)
		bytes := p.Delta.At(r.RateLayer)
		switch p.Key.Dir {
		case flow.Ingress:
			sample.in += bytes
		case flow.Egress:
			sample.out += bytes
		}
		in.add(i, bytes)
	}, s.past.renumber)
	s.past.end(in)
	s.rates.add(sample)
}

// look learns which fields a new row has.
func (s *store) look(i int32, fresh bool, p *flow.PackedRow) {
	if fresh && len(s.seen.unseen) > 0 {
		s.seen.look(p, s.rows.Owner(byOwner, s.rows.All()[i].Key.OwnerID), s.label)
	}
}

func (s *store) head(r *flow.Report) {
	h := &s.heading
	h.final = r.Final
	h.backend, h.attach = r.Backend, r.Attach
	h.interfaces = append(h.interfaces[:0:0], r.Interfaces...)
	h.host = r.Origin.Host
	kind, names := r.Source()
	h.kind, h.sources = kind, append(h.sources[:0:0], names...)
	h.notes = append(h.notes[:0:0], r.Notes...)
	h.stack(r.Links)
	h.label = r.Label
	h.inexact, h.unknown = r.PacketsInexact, r.LostBytesUnknown
	h.dims, h.layers, h.rateLayer, h.sort = r.Dims, r.Layers, r.RateLayer, r.Sort
	if h.start.IsZero() || r.Start.Before(h.start) {
		h.start = r.Start
	}
	h.end = r.End
	if r.Final {
		h.run = r.Sums
		return
	}
	h.length, h.now, h.run = r.Duration(), r.Sums, r.Run
	h.once = r.LinkTotal
}

// stack learns what is stacked on what, of the interfaces with traffic.
func (h *heading) stack(links []flow.Link) {
	var on map[uint32][]string
	for i := range links {
		l := &links[i]
		if len(l.StackedOn) == 0 || slices.Equal(h.stackedOn[l.Index], l.StackedOn) {
			continue
		}
		if on == nil {
			on = make(map[uint32][]string, len(h.stackedOn)+1)
			maps.Copy(on, h.stackedOn) // h may have been copied
			h.stackedOn = on
		}
		on[l.Index] = slices.Clone(l.StackedOn)
	}
}

// project returns the rows of a view that a row of the store is part of.
func (s *store) project(v *view, b *runrows.Row, to *[2]projected) []projected {
	parts := v.project(&b.Key, to)
	if v.groups != byOwner {
		for i := range parts {
			parts[i].key.OwnerID = s.rows.Group(v.groups, b.Key.OwnerID)
		}
	}
	return parts
}

// clone returns a copy that stays as it is.
func (s *store) clone() *store {
	s.mu.Lock()
	defer s.mu.Unlock()
	return &store{heading: s.heading, seen: s.seen, rows: s.rows.Clone(), rates: s.rates.clone(), past: s.past.clone()}
}
