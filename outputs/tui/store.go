package tui

import (
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/render/runrows"
)

// maxRows bounds the memory of a store. Beyond it, rows without traffic in the last interval go,
// the smallest first.
const maxRows = 1 << 18

// store holds what is known of the run: every row with its counters of the last interval and of the
// run, and a history. The sink writes it, the screen reads it, both with mu. Neither waits for the
// terminal while it holds mu.
type store struct {
	mu sync.Mutex

	heading
	seen  seen
	rows  *runrows.Rows
	rates history
	past  past
}

// Groupings of owners, for the rows of a view.
const (
	byOwner     = iota // all fields of the reports' owners
	byProcess          // the process, or its name if reports have only that
	byContainer        // the container, or the cgroup of a process in none
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

// heading is the part of a report beside its rows.
type heading struct {
	intervals  uint64 // number of interval reports
	final      bool
	backend    string
	attach     string
	interfaces []flow.Interface
	host       string
	kind       flow.SourceKind
	sources    []string            // what is counted
	stackedOn  map[uint32][]string // names of interfaces below, by index; never modified
	once       flow.Counters       // of the last interval: each packet once
	notes      []string
	local      string // titles of the two ends
	remote     string
	inexact    bool
	label      func([]*flow.Row) // sets labels that rows are not grouped by; may be nil
	dims       flow.Dims
	sort       string // field by which the reports' rows are sorted
	layers     flow.Layer
	rateLayer  flow.Layer
	start, end time.Time // of the run so far
	length     time.Duration
	now, run   flow.Sums
	unknown    bool // the bytes of lost packets are unknown
}

func newStore() *store { return &store{rows: newRows(0)} }

// add adds a report.
func (s *store) add(r *flow.Report) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.seen.names == nil { // the first report
		s.rows = newRows(r.Dims)
	}
	s.head(r)
	s.seen.begin(r)
	if r.Final { // keep the current counters
		s.rows.Add(r, s.look, s.past.renumber)
		return
	}
	s.intervals++
	// Consecutive samples touch, even if the clock was set.
	end := s.heading.start.UnixNano() + int64(r.End.Sub(s.heading.start))
	sample := sample{end: end, length: r.Duration(), all: r.Total.At(r.RateLayer)}
	in := s.past.begin(end, r.Duration())
	s.rows.Add(r, func(i int32, fresh bool, p *flow.PackedRow) {
		s.look(i, fresh, p)
		bytes := p.Delta.At(r.RateLayer)
		now := s.rows.All()[i].Now
		switch out := now.Out.At(r.RateLayer); {
		case r.Dims.TwoSided():
			sample.in += now.In.At(r.RateLayer)
			sample.out += out
			in.add(i, bytes, out)
			return
		case p.Key.Dir == flow.Ingress:
			sample.in += bytes
		case p.Key.Dir == flow.Egress:
			sample.out += bytes
		}
		in.add(i, bytes, 0)
	}, s.past.renumber)
	s.past.end(in)
	s.rates.add(sample)
}

// look records the fields of a new row.
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
	h.local, h.remote = r.EndTitles()
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

// stack records which interfaces with traffic are on top of which.
func (h *heading) stack(links []flow.Link) {
	var on map[uint32][]string
	for i := range links {
		l := &links[i]
		if len(l.StackedOn) == 0 || slices.Equal(h.stackedOn[l.Index], l.StackedOn) {
			continue
		}
		if on == nil {
			on = make(map[uint32][]string, len(h.stackedOn)+1)
			maps.Copy(on, h.stackedOn) // a copy of h may share the map
			h.stackedOn = on
		}
		on[l.Index] = slices.Clone(l.StackedOn)
	}
}

// project returns the rows of a view to which a row of the store belongs.
func (s *store) project(v *view, b *runrows.Row, to *[2]projected) []projected {
	parts := v.project(&b.Key, to)
	if v.groups != byOwner {
		for i := range parts {
			parts[i].key.OwnerID = s.rows.Group(v.groups, b.Key.OwnerID)
		}
	}
	return parts
}

// clone returns a copy that does not change.
func (s *store) clone() *store {
	s.mu.Lock()
	defer s.mu.Unlock()
	return &store{heading: s.heading, seen: s.seen, rows: s.rows.Clone(), rates: s.rates.clone(), past: s.past.clone()}
}
