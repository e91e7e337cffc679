package tui

import (
	"maps"
	"slices"

	"github.com/pktstat/pktstat/flow"
)

// seen is which fields some row of the run had. Views and columns without any are not
// shown.
type seen struct {
	names   fields
	unseen  []*flow.Field // that rows may have and none had
	labels  []*flow.Field // the fields in unseen that owners have
	dims    flow.Dims
	scratch flow.Row
}

// fields is a set of names of fields. It never changes: a new one replaces it.
type fields map[string]bool

// begin takes over what a report's owners and sums have.
func (s *seen) begin(r *flow.Report) {
	if s.dims != r.Dims || s.names == nil {
		s.dims = r.Dims
		s.restart()
	}
	s.scratch = flow.Row{Totals: r.Run.Total}
	if r.Final {
		s.scratch.Totals = r.Total
	}
	s.take(func(f *flow.Field) bool { return f.Sparse })
	for _, o := range r.Owners {
		if len(s.labels) == 0 {
			break
		}
		s.scratch = flow.Row{Owner: o}
		s.take(func(f *flow.Field) bool { return f.Role == flow.Label && f.By != 0 })
	}
}

func (s *seen) restart() {
	s.unseen = nil
	for _, f := range flow.Fields.All() {
		if f.In(s.dims) && !s.names[f.Name] {
			s.unseen = append(s.unseen, f)
		}
	}
	s.sift()
}

// look takes over what a row of a report has. The owner is given apart.
func (s *seen) look(p *flow.PackedRow, owner *flow.Owner, label func([]*flow.Row)) {
	s.scratch = p.Readable()
	s.scratch.Owner = *owner
	if label != nil {
		label([]*flow.Row{&s.scratch})
	}
	s.take(func(f *flow.Field) bool { return !f.Sparse })
}

// take marks the fields that scratch has, of those that pass.
func (s *seen) take(pass func(*flow.Field) bool) {
	found := false
	for _, f := range s.unseen {
		if pass(f) && f.Has(&s.scratch) {
			if !found {
				s.names, found = maps.Clone(s.names), true
			}
			s.names[f.Name] = true
		}
	}
	if found {
		s.sift()
	}
}

// sift leaves out of unseen what was seen. The slices are new: copies may share the old.
func (s *seen) sift() {
	if s.names == nil {
		s.names = fields{}
	}
	seen := func(f *flow.Field) bool { return s.names[f.Name] }
	s.unseen = slices.DeleteFunc(slices.Clone(s.unseen), seen)
	s.labels = slices.DeleteFunc(slices.Clone(s.unseen), func(f *flow.Field) bool { return f.Role != flow.Label || f.By == 0 })
}

// any reports whether one of those fields is in the set.
func (s fields) any(of []*flow.Field) bool {
	return slices.ContainsFunc(of, func(f *flow.Field) bool { return s[f.Name] })
}

// anyNamed is any by name. Without names it is true.
func (s fields) anyNamed(names []string) bool {
	return len(names) == 0 || slices.ContainsFunc(names, func(n string) bool { return s[n] })
}
