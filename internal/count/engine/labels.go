package engine

import (
	"context"
	"fmt"
	"slices"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/owner/ids"
	"github.com/pktstat/pktstat/registry"
)

// Label is a label of the run.
type Label struct {
	Name    string
	Label   registry.Label
	Config  registry.LabelConfig
	Grouped bool // rows are grouped by one of its fields
}

// labels are the open labels of a run, in the order in which they get records.
type labels struct {
	open     []openLabel
	all      *ids.Table // numbers the values of all labels
	most     int        // maximum size of all, and of each view's table
	gen      uint64     // generation of all that the views' numbers belong to
	numbered bool       // the source numbers its own fields
}

type openLabel struct {
	Label
	labeler registry.Labeler
}

const (
	// sweepOwners is the number of entries above which the engine removes unused ones.
	sweepOwners = 4096
	// roomPerRow is the number of entries per row. More than one is needed, as unused entries
	// stay until the next sweep.
	roomPerRow = 4
)

// roomFor returns the maximum size of a table of owners.
func roomFor(maxFlows int) int { return roomPerRow * max(maxFlows, sweepOwners) }

func newLabels(maxFlows int) labels {
	most := roomFor(maxFlows)
	return labels{all: ids.New(^flow.Dims(0), most), most: most}
}

// openLabels opens the labels of a run with cand.
func (r *run) openLabels(ctx context.Context, cand Candidate) error {
	if r.c.Labels == nil {
		return nil
	}
	l := &r.labels
	env := registry.LabelEnv{
		Dims: r.allDims(), Backend: cand.Backend.Caps, Tuples: tuples{l.all}, NetNS: r.c.Env.NetNS, MaxFlows: r.c.MaxFlows,
		Now: r.c.Env.Now, Notify: r.c.Env.Notify, Debugf: r.c.Env.Debugf,
	}
	for _, label := range r.c.Labels(cand) {
		labeler, err := label.Config.Open(ctx, env)
		if err != nil {
			return fmt.Errorf("label %s: %w", label.Name, err)
		}
		l.open = append(l.open, openLabel{label, labeler})
	}
	return nil
}

// tuples is the part of a table that labels may use.
type tuples struct{ *ids.Table }

// window runs when the source has closed a window, before its first record.
func (r *run) window(ctx context.Context) {
	l := &r.labels
	for _, o := range l.open {
		if w, ok := o.labeler.(registry.Windowed); ok {
			w.Window(ctx)
		}
	}
	sweepAt := 0
	for _, v := range r.views {
		v.sweep()
		sweepAt = max(sweepAt, v.sweepAt)
	}
	if l.all.Len() > min(2*sweepAt, l.most/2) {
		l.all.Sweep(func(func(uint32) bool) {}) // the new generation makes labels number their values again
	}
}

// records lets labels put numbers of their values into the records' keys.
func (l *labels) records(recs []flow.Record, views []*view) {
	for i := range l.open {
		if o := &l.open[i]; o.Label.Label.Always || o.Grouped {
			o.labeler.Records(recs)
		}
	}
	if g := l.all.Generation(); g != l.gen {
		l.gen = g
		for _, v := range views {
			v.reduced = v.reduced[:0]
		}
	}
}

// number replaces the numbers in the records' keys by the view's.
func (l *labels) number(v *view, recs []flow.Record) {
	if len(l.open) == 0 && !l.numbered {
		return
	}
	for i := range recs {
		if k := &recs[i].Key; k.OwnerID != 0 {
			k.OwnerID = v.reduce(l.all, k.OwnerID)
		}
	}
}

// report adds owners, labels and the labels' notes to a report.
func (l *labels) report(v *view, r *flow.Report) {
	var display []registry.Labeler
	for i := range l.open {
		o := &l.open[i]
		if o.late() {
			display = append(display, o.labeler)
		}
		if n, ok := o.labeler.(registry.Noted); ok {
			r.Notes = slices.Concat(r.Notes, n.Notes())
		}
	}
	if n := l.all.Refused() + v.grouped.Refused(); n > 0 {
		r.Notes = slices.Concat(r.Notes, []string{fmt.Sprintf("labels: the table is full, %d labels of flows are missing", n)})
	}
	if len(display) > 0 {
		r.Label = func(rows []*flow.Row) {
			for _, d := range display {
				d.Rows(rows)
			}
		}
	}
	if len(l.open) == 0 && !l.numbered {
		return
	}
	r.Owners = map[uint32]flow.Owner{}
	for _, row := range r.Packed {
		if id := row.Key.OwnerID; id != 0 {
			if _, ok := r.Owners[id]; !ok {
				r.Owners[id] = v.grouped.Get(id)
			}
		}
	}
}

// late reports whether the label gets rows that an output shows, instead of records.
func (o *openLabel) late() bool { return !o.Label.Label.Always && !o.Grouped }

// lateBy returns the label that adds a field to rows that an output shows; nil if there is none.
func (l *labels) lateBy(f *flow.Field) registry.Labeler {
	for i := range l.open {
		o := &l.open[i]
		if o.late() && slices.ContainsFunc(o.Label.Label.Fields, func(of flow.Field) bool { return of.Name == f.Name }) {
			return o.labeler
		}
	}
	return nil
}

// close closes all labels and returns their errors.
func (l *labels) close() []error {
	var errs []error
	for _, o := range slices.Backward(l.open) {
		if err := o.labeler.Close(); err != nil {
			errs = append(errs, fmt.Errorf("label %s: close: %w", o.Name, err))
		}
	}
	return errs
}
