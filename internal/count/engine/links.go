package engine

import (
	"maps"
	"slices"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/count/ledger"
	"github.com/pktstat/pktstat/registry"
)

// links counts the traffic of each interface, whatever rows are grouped by.
type links struct {
	all    map[uint32]*linkSums
	recent [64]*linkSums    // cache, by the lowest bits of the index
	gone   [2]flow.Counters // by span; the sum of interfaces that forget removed
	once   [2]flow.Counters // by span; traffic of interfaces while they were stacked on no other
	// repeated is the traffic since the start of interfaces while they were stacked on others.
	// The others counted it too.
	repeated flow.Counters
	before   map[uint32][]uint32 // Attachment.StackedOn at the last settle
}

// linkSums are the counters of one interface.
type linkSums struct {
	index  uint32
	window flow.Counters    // since the last settle
	sums   [2]flow.Counters // by span
	below  []uint32         // interfaces that it is stacked on, or was last
}

// maxGone is the number of vanished interfaces that keep counters of their own. If there are
// more, the engine merges them.
const maxGone = 1024

// add adds records. It needs their keys before projection.
func (l *links) add(recs []flow.Record) {
	for i := range recs {
		index := recs[i].Key.Ifindex
		if index == 0 {
			continue // a socket or netns hook: no interface is known
		}
		recent := &l.recent[index%uint32(len(l.recent))]
		if *recent == nil || (*recent).index != index {
			*recent = l.find(index)
		}
		(*recent).window.Add(recs[i].Counters)
	}
}

func (l *links) find(index uint32) *linkSums {
	s, ok := l.all[index]
	if !ok {
		if l.all == nil {
			l.all = map[uint32]*linkSums{}
		}
		s = &linkSums{index: index}
		l.all[index] = s
	}
	return s
}

// settle closes the window. If an interface was stacked on others at either end of it, the others
// have counted its traffic too.
func (l *links) settle(a *registry.Attachment) {
	for index, s := range l.all {
		below := a.StackedOn[index]
		if len(below) == 0 {
			below = l.before[index]
		}
		if len(below) > 0 {
			s.below = below
		}
		if s.window.IsZero() {
			continue
		}
		s.sums[ledger.Interval].Add(s.window)
		if len(below) == 0 {
			l.once[ledger.Interval].Add(s.window)
		} else {
			l.repeated.Add(s.window)
		}
		s.window = flow.Counters{}
	}
	l.before = a.StackedOn
	l.forget(a.Interfaces)
}

// endInterval adds the interval's sums to the run's.
func (l *links) endInterval() {
	end := func(sums *[2]flow.Counters) {
		sums[ledger.Run].Add(sums[ledger.Interval])
		sums[ledger.Interval] = flow.Counters{}
	}
	for _, s := range l.all {
		end(&s.sums)
	}
	end(&l.gone)
	end(&l.once)
}

// forget limits the number of interfaces, because interfaces may come and go for months.
func (l *links) forget(known []flow.Interface) {
	if len(l.all) <= len(known)+maxGone {
		return
	}
	is := make(map[uint32]bool, len(known))
	for i := range known {
		is[known[i].Index] = true
	}
	maps.DeleteFunc(l.all, func(index uint32, s *linkSums) bool {
		if is[index] {
			return false
		}
		for span := range s.sums {
			l.gone[span].Add(s.sums[span])
		}
		return true
	})
	clear(l.recent[:])
}

// report sets the report's links if there are several. A report of the run has all of them, an
// interval report only those with traffic.
func (l *links) report(r *flow.Report, span ledger.Span) {
	names := make(map[uint32]string, len(r.Interfaces))
	for i := range r.Interfaces {
		names[r.Interfaces[i].Index] = r.Interfaces[i].Name // the last name counts
	}
	delete(names, 0) // captures may have no interface
	if len(names) < 2 && l.gone[ledger.Run].IsZero() {
		return
	}
	r.Links, r.LinkTotal = []flow.Link{}, l.once[span]
	done := make(map[uint32]bool, len(names))
	for i := range r.Interfaces {
		index := r.Interfaces[i].Index
		if done[index] || index == 0 {
			continue
		}
		done[index] = true
		link := flow.Link{Interface: flow.Interface{Index: index, Name: names[index]}}
		if s, ok := l.all[index]; ok {
			link.Counters = s.sums[span]
			link.StackedOn = namesOf(s.below, names)
		}
		if span == ledger.Run || !link.Counters.IsZero() {
			r.Links = append(r.Links, link)
		}
	}
	if gone := l.gone[span]; !gone.IsZero() {
		r.Links = append(r.Links, flow.Link{Counters: gone})
	}
}

func namesOf(indexes []uint32, names map[uint32]string) (list []string) {
	for _, index := range indexes {
		if name := names[index]; name != "" && !slices.Contains(list, name) {
			list = append(list, name)
		}
	}
	return list
}
