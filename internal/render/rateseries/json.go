package rateseries

import "slices"

// Document is a series as the page's script reads it. Each array has one element a point. Bytes are
// of the rate layer.
type Document struct {
	RateLayer string      `json:"rate_layer"`
	Start     []int64     `json:"start"` // Unix milliseconds
	End       []int64     `json:"end"`
	Total     Volumes     `json:"total"`
	Overflow  Volumes     `json:"overflow"`
	Lost      Volumes     `json:"lost"`
	By        []Breakdown `json:"by"`
}

// Volumes are packets and bytes over time.
type Volumes struct {
	Packets []uint64 `json:"packets"`
	Bytes   []uint64 `json:"bytes"`
}

// Breakdown is the largest keys of a breakdown. The rest is the difference between the total and
// their sum.
type Breakdown struct {
	Name  string `json:"name"`
	Title string `json:"title"`
	Top   []Top  `json:"top,omitempty"` // the largest first
}

// Top is one of the largest keys of a breakdown.
type Top struct {
	Label string `json:"label"`
	Volumes
}

// Document returns the series with the breakdowns that have keys. The breakdowns named in by
// include their values. Without a name, all do. If none of the named ones exists, the first one
// does.
func (s *Series) Document(by ...string) Document {
	n := len(s.points)
	d := Document{
		RateLayer: s.layer.String(), Start: make([]int64, n), End: make([]int64, n),
		Total: newVolumes(n), Overflow: newVolumes(n), Lost: newVolumes(n), By: []Breakdown{},
	}
	s.place(d.Start, d.End)
	for i := range s.points {
		p := &s.points[i]
		d.Total.set(i, p.total)
		d.Overflow.set(i, p.overflow)
		d.Lost.set(i, p.lost)
	}
	there := s.there()
	if len(by) > 0 && !slices.ContainsFunc(there, func(b int) bool { return slices.Contains(by, names[b][0]) }) && len(there) > 0 {
		by = []string{names[there[0]][0]}
	}
	for _, b := range there {
		if len(by) == 0 || slices.Contains(by, names[b][0]) {
			d.By = append(d.By, s.breakdown(b))
		} else {
			d.By = append(d.By, Breakdown{Name: names[b][0], Title: names[b][1]})
		}
	}
	return d
}

// place returns each point's start and end in Unix milliseconds, without overlaps and with their
// true lengths. If the clock was set since, earlier points move back. A clock that was set ahead,
// or a suspend, leaves a gap.
func (s *Series) place(start, end []int64) {
	var wrong int64 // by how much the clock was set back since
	for i := range slices.Backward(s.points) {
		p := &s.points[i]
		start[i], end[i] = p.start.UnixMilli()+wrong, p.end.UnixMilli()+wrong
		wall := p.end.Round(0).Sub(p.start.Round(0)) // Sub uses the monotonic clock, if both times have it
		if set := (wall - p.end.Sub(p.start)).Milliseconds(); set != 0 {
			start[i] += set
			start[i] = min(start[i], end[i]) // rounding
			wrong += min(set, 0)
		}
	}
}

// there returns the breakdowns that have keys.
func (s *Series) there() []int {
	var found []int
	for b := range names {
		if slices.ContainsFunc(s.points, func(p point) bool { return len(p.tops[b]) > 0 }) {
			found = append(found, b)
		}
	}
	return found
}

func (s *Series) breakdown(b int) Breakdown {
	sums := map[key]volume{}
	for i := range s.points {
		for _, e := range s.points[i].tops[b] {
			v := sums[e.key]
			v.add(e.volume)
			sums[e.key] = v
		}
	}
	by := Breakdown{Name: names[b][0], Title: names[b][1]}
	place := map[key]int{}
	for _, e := range top(sums) {
		if len(by.Top) == maxSeries {
			break
		}
		place[e.key] = len(by.Top)
		by.Top = append(by.Top, Top{Label: e.key.label(b), Volumes: newVolumes(len(s.points))})
	}
	for i := range s.points {
		for _, e := range s.points[i].tops[b] {
			if at, ok := place[e.key]; ok {
				by.Top[at].set(i, e.volume)
			}
		}
	}
	return by
}

func newVolumes(n int) Volumes { return Volumes{make([]uint64, n), make([]uint64, n)} }

func (v *Volumes) set(i int, x volume) { v.Packets[i], v.Bytes[i] = x.packets, x.bytes }
