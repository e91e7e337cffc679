// Package rateseries keeps rates over time, broken down by the top talkers, for charts. It holds a
// bounded number of points with a bounded number of keys each, however long the run is.
//
// The sum of all points is exactly the run's total. A point keeps only its largest keys, so a
// breakdown may add up to less.
package rateseries

import (
	"slices"
	"time"

	"github.com/pktstat/pktstat/flow"
)

const (
	maxPoints = 512 // a chart is about a thousand pixels wide
	maxKeys   = 24  // of each breakdown, at each point
	maxSeries = 8   // of a breakdown: the palette has as many colours
)

// Keep is what to do with too many points.
type Keep uint8

// Ways to bound a series.
const (
	Whole  Keep = iota // merge neighbours: the whole run, ever more coarsely
	Recent             // drop the oldest: the last maxPoints intervals
)

// Series is a bounded time series of interval reports. It is not safe for concurrent use.
type Series struct {
	keep   Keep
	layer  flow.Layer
	points []point
	width  int           // interval reports a point holds
	before flow.Counters // of the run, before the first point
	run    flow.Counters // of the run, at the end of the last point

	scratch [breakdowns]map[key]volume
}

// volume is the packets and bytes of a point. Bytes are of the report's rate layer.
type volume struct{ packets, bytes uint64 }

func (v *volume) add(o volume) {
	v.packets += o.packets
	v.bytes += o.bytes
}

// point is the traffic of a span of time.
type point struct {
	start, end            time.Time
	intervals             int
	total, overflow, lost volume
	tops                  [breakdowns][]share
}

type share struct {
	key key
	volume
}

// New returns an empty series.
func New(keep Keep) *Series { return &Series{keep: keep, width: 1} }

// Add adds an interval report. It does not keep r.
func (s *Series) Add(r *flow.Report) {
	if s.layer == 0 {
		s.layer = r.RateLayer
	}
	if len(s.points) == 0 {
		s.before = less(r.Run.Total.Counters, r.Total.Counters)
	} else {
		s.fillGap(r.Start, less(r.Run.Total.Counters, r.Total.Counters))
	}
	s.run = r.Run.Total.Counters
	p := point{
		start: r.Start, end: r.End, intervals: 1,
		total: s.volume(r.Total.Counters), overflow: s.volume(r.Overflow.Counters), lost: s.volume(r.Lost.Counters),
	}
	for i := range s.scratch {
		if s.scratch[i] == nil {
			s.scratch[i] = map[key]volume{}
		}
		clear(s.scratch[i])
	}
	for row := range r.Rows() {
		v := s.volume(row.Counters)
		for i, of := range keysOf {
			if k, ok := of(r.Dims, &row); ok {
				s.share(i, k, v)
			}
		}
		if r.Dims.Paired() {
			s.share(byDirection, key{name: flow.Ingress.String()}, s.volume(row.In))
			s.share(byDirection, key{name: flow.Egress.String()}, s.volume(row.Out))
		}
	}
	for i, m := range s.scratch {
		p.tops[i] = top(m)
	}
	s.append(p)
}

// share adds v to what a key has in a breakdown.
func (s *Series) share(breakdown int, k key, v volume) {
	if v == (volume{}) {
		return
	}
	sum := s.scratch[breakdown][k]
	sum.add(v)
	s.scratch[breakdown][k] = sum
}

// Finish adds the traffic that no interval report had. Without interval reports, that is all
// traffic.
func (s *Series) Finish(r *flow.Report) {
	if len(s.points) == 0 {
		whole := *r
		whole.Run.Total = r.Total
		s.Add(&whole)
		return
	}
	if first := s.points[0].start; !s.before.IsZero() && r.Start.Before(first) {
		s.points = slices.Insert(s.points, 0, point{start: r.Start, end: first, intervals: 1, total: s.volume(s.before)})
		s.before = flow.Counters{}
	}
	s.fillGap(r.End, r.Total.Counters)
}

// fillGap adds a point for the time since the last one. It gets the difference between run and the
// run's total at the last point. Interval reports are missing if this output was too slow, or if a
// capture had a pause.
func (s *Series) fillGap(end time.Time, run flow.Counters) {
	missed := s.volume(less(run, s.run))
	s.run = run
	last := &s.points[len(s.points)-1]
	if end.After(last.end) {
		s.append(point{start: last.end, end: end, intervals: 1, total: missed})
		return
	}
	last.total.add(missed)
}

// less returns a - b, or zero if a counter of a is smaller.
func less(a, b flow.Counters) flow.Counters {
	if a.Packets < b.Packets || a.Bytes < b.Bytes || a.FrameBytes < b.FrameBytes {
		return flow.Counters{}
	}
	return a.Minus(b)
}

func (s *Series) volume(c flow.Counters) volume { return volume{c.Packets, c.At(s.layer)} }

func (s *Series) append(p point) {
	if n := len(s.points); n > 0 && s.keep == Whole && s.points[n-1].intervals < s.width {
		s.points[n-1].merge(&p)
		return
	}
	s.points = append(s.points, p)
	if len(s.points) <= maxPoints {
		return
	}
	if s.keep == Recent {
		s.points = slices.Delete(s.points, 0, 1)
		return
	}
	s.halve()
}

// halve merges each point with its neighbour.
func (s *Series) halve() {
	s.width *= 2
	half := s.points[:0]
	for i := 0; i < len(s.points); i += 2 {
		p := s.points[i]
		if i+1 < len(s.points) {
			p.merge(&s.points[i+1])
		}
		half = append(half, p)
	}
	clear(s.points[len(half):])
	s.points = half
}

func (p *point) merge(o *point) {
	p.end = o.end
	p.intervals += o.intervals
	p.total.add(o.total)
	p.overflow.add(o.overflow)
	p.lost.add(o.lost)
	for i := range p.tops {
		m := map[key]volume{}
		for _, list := range [][]share{p.tops[i], o.tops[i]} {
			for _, e := range list {
				v := m[e.key]
				v.add(e.volume)
				m[e.key] = v
			}
		}
		p.tops[i] = top(m)
	}
}

// top returns the largest keys in a fixed order.
func top(m map[key]volume) []share {
	all := make([]share, 0, len(m))
	for k, v := range m {
		all = append(all, share{k, v})
	}
	slices.SortFunc(all, func(a, b share) int { return a.compare(&b) })
	return slices.Clone(all[:min(len(all), maxKeys)])
}
