package choose

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/count/engine"
	"github.com/pktstat/pktstat/registry"
)

// Label is a label of this binary, with what the user asks of it.
type Label struct {
	Name    string
	Plugin  registry.Label
	Config  registry.LabelConfig
	On, Off bool // the user gave its toggle as true, or as false
}

// Labels are the labels of this binary, with the fields that rows are grouped and sorted by.
type Labels struct {
	All  []*Label
	By   []flow.Dims // of each output
	Sort *flow.Field // nil: by rate
}

// Asked returns the labels that the user asks for. The user asks by a toggle, or by grouping or
// sorting rows by a field of the label. --by flow and --by conversation ask for none.
func (l *Labels) Asked() []*Label {
	var by flow.Dims
	for _, dims := range l.By {
		by |= dims.Beyond()
	}
	var asked []*Label
	for _, label := range l.All {
		if label.On || label.has(func(f *flow.Field) bool { return f.Dim&by != 0 || f == l.Sort }) {
			asked = append(asked, label)
		}
	}
	return asked
}

// dims is everything that rows of some output are grouped by.
func (l *Labels) dims() (all flow.Dims) {
	for _, by := range l.By {
		all |= by
	}
	return all
}

// has reports whether pass accepts a field of the label.
func (l *Label) has(pass func(*flow.Field) bool) bool {
	for _, name := range l.FieldNames() {
		if f := flow.Fields.Find(name); f != nil && pass(f) {
			return true
		}
	}
	return false
}

// FieldNames returns the fields that the label fills.
func (l *Label) FieldNames() []string {
	names := slices.Clone(l.Plugin.Fills)
	for i := range l.Plugin.Fields {
		names = append(names, l.Plugin.Fields[i].Name)
	}
	return names
}

// Check returns an error if none of the backends can have a label that the user asks for. Its
// errors wrap [registry.ErrUsage].
func (l *Labels) Check(backends []*Backend) error {
	for _, label := range l.Asked() {
		for _, needed := range l.with(label) {
			if needed.Off {
				return fmt.Errorf("%w: label %s is asked for, and --%s=false turns off label %s", registry.ErrUsage, label.Name, needed.Plugin.Toggle, needed.Name)
			}
			for _, name := range needed.Plugin.Needs {
				if l.find(name) == nil {
					return fmt.Errorf("%w: label %s needs label %s, which this program does not have", registry.ErrUsage, needed.Name, name)
				}
			}
			if !slices.ContainsFunc(backends, func(b *Backend) bool { return needed.fits(b.Plugin.Caps) }) {
				return fmt.Errorf("%w: backend %s has no label %s: %s", registry.ErrUsage, backends[0].Name, label.Name, needed.Plugin.Lacks)
			}
		}
	}
	return nil
}

// Fit reports whether any of the backends can have the label and the labels that it needs.
func (l *Labels) Fit(label *Label, backends []*Backend) bool {
	return !slices.ContainsFunc(l.with(label), func(needed *Label) bool {
		return !slices.ContainsFunc(backends, func(b *Backend) bool { return needed.fits(b.Plugin.Caps) })
	})
}

// fits reports whether a backend with these abilities can have the label.
func (l *Label) fits(c registry.Caps) bool { return l.Plugin.From == 0 || c&l.Plugin.From != 0 }

// with returns the label, after all labels that it needs.
func (l *Labels) with(label *Label) []*Label {
	var all []*Label
	for _, name := range label.Plugin.Needs {
		if needed := l.find(name); needed != nil {
			all = append(all, l.with(needed)...)
		}
	}
	return append(all, label)
}

// find returns the label with a name; nil if there is none.
func (l *Labels) find(name string) *Label {
	if i := slices.IndexFunc(l.All, func(o *Label) bool { return o.Name == name }); i >= 0 {
		return l.All[i]
	}
	return nil
}

// For returns the labels of a run with a backend, in the order in which they process records.
func (l *Labels) For(cand engine.Candidate) []engine.Label {
	asked := l.Asked()
	caps := cand.Backend.Caps
	var run []*Label
	for _, label := range l.All {
		needs := l.with(label)
		unfit := func(n *Label) bool { return n.Off || !n.fits(caps) }
		if slices.Contains(asked, label) || !slices.ContainsFunc(needs, unfit) && label.byDefault(caps) {
			run = append(run, needs...)
		}
	}
	return l.opened(l.joined(run, caps))
}

// joined adds labels that follow from others: a run has such a label if it has all labels that it
// needs.
func (l *Labels) joined(run []*Label, caps registry.Caps) []*Label {
	all := slices.Clone(l.All)
	l.sort(all)
	for _, label := range all {
		missing := func(name string) bool {
			return !slices.ContainsFunc(run, func(o *Label) bool { return o.Name == name })
		}
		if label.Plugin.Default == nil && !label.Off && label.fits(caps) &&
			len(label.Plugin.Needs) > 0 && !slices.ContainsFunc(label.Plugin.Needs, missing) {
			run = append(run, label)
		}
	}
	return run
}

// sort puts labels in the order in which they process records: each after the labels that it needs.
func (l *Labels) sort(all []*Label) {
	depth := func(o *Label) int { return len(l.with(o)) }
	slices.SortStableFunc(all, func(a, b *Label) int { return cmp.Or(depth(a)-depth(b), cmp.Compare(a.Name, b.Name)) })
}

// byDefault reports whether a run has the label without being asked.
func (l *Label) byDefault(c registry.Caps) bool {
	return l.Plugin.Default != nil && l.Plugin.Default(c)
}

// opened returns the labels in order and without duplicates.
func (l *Labels) opened(run []*Label) []engine.Label {
	l.sort(run)
	run = slices.Compact(run)
	var all []engine.Label
	for _, o := range run {
		all = append(all, engine.Label{
			Name: o.Name, Label: o.Plugin, Config: o.Config,
			Grouped: o.has(func(f *flow.Field) bool { return f.Dim&l.dims() != 0 }),
		})
	}
	return all
}
