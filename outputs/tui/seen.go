package tui

import (
	"maps"
	"slices"

	"github.com/pktstat/pktstat/flow"
)

// seen records which fields any row of the run had. The screen shows no view and no column without
// such a field.
type seen struct {
	names   fields
	unseen  []*flow.Field // fields that rows may have, and none had so far
	labels  []*flow.Field // those fields in unseen that owners have
	dims    flow.Dims
	scratch flow.Row
	left    int // rows of this report that labels still get
}

// labelled is how many new rows of a report labels get. A label may have to ask the kernel.
const labelled = 256

// fields is a set of names of fields. It is never modified, only replaced.
type fields map[string]bool

// begin records the fields of a report's owners and sums.
func (s *seen) begin(r *flow.Report) {
	s.left = labelled
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

// look records the fields of a row. owner is the row's owner.
func (s *seen) look(p *flow.PackedRow, owner *flow.Owner, label func([]*flow.Row)) {
	s.scratch = p.Readable()
	s.scratch.Owner = *owner
	if label != nil && s.left > 0 {
		s.left--
		label([]*flow.Row{&s.scratch})
	}
	s.take(func(f *flow.Field) bool { return !f.Sparse })
}

// take records the fields of scratch that pass accepts.
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

// sift removes the recorded fields from unseen. It makes new slices, because copies of s may share
// the old ones.
func (s *seen) sift() {
	if s.names == nil {
		s.names = fields{}
	}
	seen := func(f *flow.Field) bool { return s.names[f.Name] }
	s.unseen = slices.DeleteFunc(slices.Clone(s.unseen), seen)
	s.labels = slices.DeleteFunc(slices.Clone(s.unseen), func(f *flow.Field) bool { return f.Role != flow.Label || f.By == 0 })
}

// any reports whether the set has one of the fields.
func (s fields) any(of []*flow.Field) bool {
	return slices.ContainsFunc(of, func(f *flow.Field) bool { return s[f.Name] })
}

// anyNamed is any by name. It is true without names.
func (s fields) anyNamed(names []string) bool {
	return len(names) == 0 || slices.ContainsFunc(names, func(n string) bool { return s[n] })
}
