package tui

import (
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/render/rowfields"
)

// maxRows bounds the memory of a store: beyond it, rows without traffic in the
// last interval go, those that were small first.
const maxRows = 1 << 18

// store is what is known of the run: every row of the reports, with the last
// interval's counters and the run's, and what came before. The sink adds reports
// to it; the screen reads it. Both hold mu meanwhile, which is never long: nobody
// waits for the terminal with it.
type store struct {
	mu sync.Mutex

	heading
	fields rowfields.Set // that some row had
	rows   []baseRow
	index  map[flow.Packed]int32
	owners owners
	rates  history
	past   past
}

// heading is what a report says beside its rows.
type heading struct {
	intervals  uint64 // reports so far
	final      bool
	backend    string
	attach     string
	interfaces []flow.Interface
	stackedOn  map[uint32][]string // interfaces that show the same packets, by index; never changed
	once       flow.Counters       // of the last interval, of interfaces that are stacked on none
	notes      []string
	inexact    bool
	dims       flow.Dims
	layers     flow.Layer
	rateLayer  flow.Layer
	start, end time.Time // of the run so far
	length     time.Duration
	now, run   flow.Sums
	again      uint64 // retransmits of the run
	unknown    bool   // the bytes of what was lost
}

// baseRow is a row as it is in the reports.
type baseRow struct {
	key         flow.Packed // with the store's number of the owner
	now, total  flow.Counters
	first, last int64
	match       flow.Match
	again       uint64 // retransmits of the run
	seen        uint64 // the interval that now is of
}

// current returns what the row counted in interval n.
func (b *baseRow) current(n uint64) flow.Counters {
	if b.seen != n {
		return flow.Counters{}
	}
	return b.now
}

func newStore() *store {
	return &store{index: map[flow.Packed]int32{}}
}

// add takes over a report.
func (s *store) add(r *flow.Report) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.owners.tables[byOwner] == nil {
		s.owners = newOwners(r.Dims)
	}
	s.head(r)
	if r.Final {
		s.addFinal(r)
		return
	}
	s.intervals++
	s.makeRoom(len(r.Packed))
	numbers := s.meet(r)
	// Samples follow one another, whatever the clock is set to.
	end := s.heading.start.UnixNano() + int64(r.End.Sub(s.heading.start))
	sample := sample{end: end, length: r.Duration(), all: r.Total.At(r.RateLayer)}
	in := s.past.begin(end, r.Duration())
	for _, p := range r.Packed {
		i := s.place(p, numbers)
		if i < 0 {
			break // the rest is in the sums
		}
		b := &s.rows[i]
		b.now, b.seen = p.Delta, s.intervals
		if n := r.Retransmits[p.Key]; n > 0 {
			b.again += n
			s.fields |= rowfields.Retransmits
		}
		bytes := p.Delta.At(r.RateLayer)
		switch p.Key.Dir {
		case flow.Ingress:
			sample.in += bytes
		case flow.Egress:
			sample.out += bytes
		}
		in.add(i, bytes)
	}
	s.past.end(in)
	s.rates.add(sample)
}

func (s *store) head(r *flow.Report) {
	h := &s.heading
	h.final = r.Final
	h.backend, h.attach = r.Backend, r.Attach
	h.interfaces = append(h.interfaces[:0:0], r.Interfaces...)
	h.notes = append(h.notes[:0:0], r.Notes...)
	h.stack(r.Links)
	h.inexact, h.unknown = r.PacketsInexact, r.LostBytesUnknown
	h.dims, h.layers, h.rateLayer = r.Dims, r.Layers, r.RateLayer
	if h.start.IsZero() || r.Start.Before(h.start) {
		h.start = r.Start
	}
	h.end, h.again = r.End, r.RunRetransmits
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

// addFinal takes over the totals of the run; what was current stays so.
func (s *store) addFinal(r *flow.Report) {
	numbers := s.meet(r)
	for _, p := range r.Packed {
		i := s.place(p, numbers)
		if i < 0 {
			break
		}
		s.rows[i].again = r.Retransmits[p.Key]
	}
}

// meet numbers the owners of a report: their numbers there to those of the store.
func (s *store) meet(r *flow.Report) map[uint32]uint32 {
	numbers := make(map[uint32]uint32, len(r.Owners))
	for id, o := range r.Owners {
		numbers[id] = s.owners.number(&o)
		s.fields |= ownerFields(&o)
	}
	return numbers
}

// place finds or makes the row of p and updates its totals. It returns a negative
// number if there is no room.
func (s *store) place(p *flow.PackedRow, numbers map[uint32]uint32) int32 {
	key := p.Key
	key.OwnerID = numbers[key.OwnerID]
	i, ok := s.index[key]
	if !ok {
		if len(s.rows) >= maxRows {
			return -1
		}
		i = int32(len(s.rows))
		s.index[key] = i
		s.rows = append(s.rows, baseRow{key: key, first: p.First})
		s.fields |= fieldsOf(&key)
	}
	b := &s.rows[i]
	if b.match = p.Match; p.Match != flow.MatchUnset {
		s.fields |= rowfields.Match
	}
	b.total = p.Total
	b.first, b.last = min(b.first, p.First), max(b.last, p.Last)
	return i
}

// fieldsOf are the fields that decide about columns and views.
func fieldsOf(k *flow.Packed) rowfields.Set {
	var f rowfields.Set
	set := func(known bool, field rowfields.Set) {
		if known {
			f |= field
		}
	}
	set(k.L4Kind == flow.L4Subtype || k.EtherType != 0, info)
	set(k.Dir != flow.DirUnknown, rowfields.Dir)
	set(k.Ifindex != 0, rowfields.Iface)
	set(k.VLAN != 0, rowfields.VLAN)
	set(k.NetNS != 0, rowfields.NetNS)
	return f
}

// ownerFields is fieldsOf of an owner.
func ownerFields(o *flow.Owner) rowfields.Set {
	var f rowfields.Set
	if o.PID != 0 {
		f |= rowfields.PID | rowfields.UID
	}
	if o.Comm != "" {
		f |= rowfields.Comm
	}
	if o.CgroupID != 0 || o.Container != "" {
		f |= group
	}
	return f
}

// info is any of the fields that a protocol has instead of ports, group what a process
// runs in.
const (
	info  = rowfields.Subtype
	group = rowfields.Container
)

// project returns the rows of a view that a row of the store is part of.
func (s *store) project(v *view, b *baseRow, to *[2]projected) []projected {
	parts := v.project(&b.key, to)
	if v.groups != byOwner {
		for i := range parts {
			parts[i].key.OwnerID = s.owners.in(v.groups, b.key.OwnerID)
		}
	}
	return parts
}

// makeRoom makes room for n rows, as far as there can be.
func (s *store) makeRoom(n int) {
	if len(s.rows)+n <= maxRows {
		return
	}
	keep := maxRows - min(n, maxRows/2)
	if keep >= len(s.rows) {
		return
	}
	order := make([]int32, len(s.rows))
	for i := range order {
		order[i] = int32(i)
	}
	layer, newest := s.rateLayer, s.intervals
	selectWindow(order, 0, keep, func(x, y int32) bool {
		a, b := &s.rows[x], &s.rows[y]
		if a, b := a.seen+1 >= newest, b.seen+1 >= newest; a != b {
			return a
		}
		if a, b := a.total.At(layer), b.total.At(layer); a != b {
			return a > b
		}
		return x < y
	})
	kept := order[:keep]
	slices.Sort(kept)
	moved := make([]int32, len(s.rows))
	for i := range moved {
		moved[i] = -1
	}
	clear(s.index)
	for to, from := range kept {
		s.rows[to] = s.rows[from]
		s.index[s.rows[to].key] = int32(to)
		moved[from] = int32(to)
	}
	s.rows = s.rows[:keep]
	s.past.renumber(moved)
	s.owners.keep(func(yield func(uint32) bool) {
		for i := range s.rows {
			if !yield(s.rows[i].key.OwnerID) {
				return
			}
		}
	})
}

// clone returns a copy that stays as it is.
func (s *store) clone() *store {
	s.mu.Lock()
	defer s.mu.Unlock()
	return &store{
		heading: s.heading, fields: s.fields,
		rows: slices.Clone(s.rows), owners: s.owners.clone(),
		rates: s.rates.clone(), past: s.past.clone(),
	}
}
