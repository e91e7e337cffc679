package engine

import (
	"maps"
	"slices"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/ledger"
)

// links adds up what was counted on each interface, whatever flows are grouped by.
type links struct {
	all    map[uint32]*linkSums
	recent [64]*linkSums // by the lowest bits of the index
	gone   linkSums      // of interfaces that the source has forgotten
}

// linkSums are the counters of an interface by span.
type linkSums struct {
	index uint32
	sums  [2]flow.Counters
}

// forgottenFrom is how many more interfaces there may be than the source knows, before
// those that it does not know are added up as one.
const forgottenFrom = 1024

// add adds records. Their keys must be as the source made them.
func (l *links) add(recs []flow.Record) {
	for i := range recs {
		index := recs[i].Key.Ifindex
		if index == 0 {
			continue // not seen on an interface
		}
		recent := &l.recent[index%uint32(len(l.recent))]
		if *recent == nil || (*recent).index != index {
			*recent = l.find(index)
		}
		(*recent).sums[ledger.Interval].Add(recs[i].Counters)
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

// endInterval moves the interval's sums into the run's.
func (l *links) endInterval() {
	end := func(s *linkSums) {
		s.sums[ledger.Run].Add(s.sums[ledger.Interval])
		s.sums[ledger.Interval] = flow.Counters{}
	}
	for _, s := range l.all {
		end(s)
	}
	end(&l.gone)
}

// forget bounds the number of interfaces: they may come and go for months.
func (l *links) forget(known []flow.Interface) {
	if len(l.all) <= len(known)+forgottenFrom {
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
			l.gone.sums[span].Add(s.sums[span])
		}
		return true
	})
	clear(l.recent[:])
}

// report fills in the report's links: of the run all, of an interval those with traffic.
func (l *links) report(r *flow.Report, span ledger.Span, stackedOn map[uint32][]uint32) {
	names := make(map[uint32]string, len(r.Interfaces))
	for i := range r.Interfaces {
		names[r.Interfaces[i].Index] = r.Interfaces[i].Name // the last one that it had
	}
	done := make(map[uint32]bool, len(names))
	add := func(link flow.Link) {
		if len(link.StackedOn) == 0 {
			r.LinkTotal.Add(link.Counters)
		}
		if span == ledger.Run && link.Index != 0 || !link.Counters.IsZero() {
			r.Links = append(r.Links, link)
		}
	}
	for i := range r.Interfaces {
		index := r.Interfaces[i].Index
		if index == 0 || done[index] {
			continue // an interface of a capture
		}
		done[index] = true
		link := flow.Link{Interface: flow.Interface{Index: index, Name: names[index]}}
		if s, ok := l.all[index]; ok {
			link.Counters = s.sums[span]
		}
		for _, on := range stackedOn[index] {
			if name := names[on]; !slices.Contains(link.StackedOn, name) {
				link.StackedOn = append(link.StackedOn, name)
			}
		}
		add(link)
	}
	if len(done) > 0 {
		add(flow.Link{Counters: l.gone.sums[span]})
	}
}
