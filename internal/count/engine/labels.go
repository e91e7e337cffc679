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
	open []openLabel
	// all numbers the values of all labels. grouped numbers the values that rows are grouped by;
	// keys in the ledger have these numbers.
	all, grouped *ids.Table
	most         int      // maximum size of each table
	reduced      []uint32 // maps numbers of all to numbers of grouped; 0: not looked up yet
	gen          uint64   // generation of all that reduced belongs to
	sweepAt      int
	numbered     bool // the source numbers its own fields
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

func newLabels(dims flow.Dims, maxFlows int) labels {
	most := roomPerRow * max(maxFlows, sweepOwners)
	return labels{all: ids.New(^flow.Dims(0), most), grouped: ids.New(dims, most), most: most, sweepAt: sweepOwners}
}

// openLabels opens the labels of a run with cand.
func (r *run) openLabels(ctx context.Context, cand Candidate) error {
	if r.c.Labels == nil {
		return nil
	}
	l := &r.labels
	env := registry.LabelEnv{
		Dims: r.c.Dims, Tuples: tuples{l.all}, NetNS: r.c.Env.NetNS, MaxFlows: r.c.MaxFlows,
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
	if l.grouped.Len() > l.sweepAt {
		l.grouped.Sweep(r.ledger.Owners())
		l.sweepAt = max(sweepOwners, 2*l.grouped.Len())
	}
	if l.all.Len() > min(2*l.sweepAt, l.most/2) {
		l.all.Sweep(func(func(uint32) bool) {}) // the new generation makes labels number their values again
	}
	l.reduced = l.reduced[:0] // fields that do not identify an owner may have changed: a path, a user id
}

// records replaces the numbers in the records' keys by numbers of the values that rows are
// grouped by.
func (l *labels) records(recs []flow.Record) {
	numbered := l.numbered
	for i := range l.open {
		if o := &l.open[i]; o.Label.Label.Always || o.Grouped {
			o.labeler.Records(recs)
			numbered = true
		}
	}
	if !numbered {
		return
	}
	if g := l.all.Generation(); g != l.gen {
		l.gen, l.reduced = g, l.reduced[:0]
	}
	for i := range recs {
		if k := &recs[i].Key; k.OwnerID != 0 {
			k.OwnerID = l.reduce(k.OwnerID)
		}
	}
}

// reduce maps a number of all to a number of grouped. It looks up each number once a window.
func (l *labels) reduce(id uint32) uint32 {
	if int(id) >= len(l.reduced) {
		l.reduced = append(l.reduced, make([]uint32, int(id)+1-len(l.reduced)+len(l.reduced)/2)...)
	}
	const known = 1 << 31 // marks a result, as 0 is a valid one
	if l.reduced[id] == 0 {
		o := l.all.Get(id)
		l.reduced[id] = l.grouped.Number(&o) | known
	}
	return l.reduced[id] &^ known
}

// report adds owners, labels and the labels' notes to a report.
func (l *labels) report(r *flow.Report) {
	var display []registry.Labeler
	for i := range l.open {
		o := &l.open[i]
		if !o.Label.Label.Always && !o.Grouped {
			display = append(display, o.labeler)
		}
		if n, ok := o.labeler.(registry.Noted); ok {
			r.Notes = slices.Concat(r.Notes, n.Notes())
		}
	}
	if n := l.all.Refused() + l.grouped.Refused(); n > 0 {
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
				r.Owners[id] = l.grouped.Get(id)
			}
		}
	}
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
