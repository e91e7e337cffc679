package engine

import (
	"context"
	"fmt"
	"slices"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/owner/ids"
	"github.com/pktstat/pktstat/registry"
)

// Label is a label that a run has.
type Label struct {
	Name    string
	Label   registry.Label
	Config  registry.LabelConfig
	Grouped bool // rows are grouped by one of its fields
}

// labels are the open labels of a run, in the order in which they see records.
type labels struct {
	open []openLabel
	// all numbers everything that labels know of a flow, and grouped what rows are
	// grouped by. The keys of the ledger have the second number.
	all, grouped *ids.Table
	most         int      // numbers that each of them holds
	reduced      []uint32 // grouped's number by all's, as far as it is known; 0: not
	gen          uint64   // of all, that reduced is of
	sweepAt      int
	numbered     bool // the source numbers fields of its own
}

type openLabel struct {
	Label
	labeler registry.Labeler
}

const (
	// sweepOwners is how many numbers there are before those that no row has any more
	// are looked for.
	sweepOwners = 4096
	// roomPerRow bounds the numbers by the bound on rows: between two sweeps there may be
	// some that no row has.
	roomPerRow = 4
)

func newLabels(dims flow.Dims, maxFlows int) labels {
	most := roomPerRow * max(maxFlows, sweepOwners)
	return labels{all: ids.New(^flow.Dims(0), most), grouped: ids.New(dims, most), most: most, sweepAt: sweepOwners}
}

// openLabels opens the labels that a run with cand has.
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

// tuples is a table of owners as labels see it.
type tuples struct{ *ids.Table }

// window is called when the source has closed a window, before its first record.
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
		l.all.Sweep(func(func(uint32) bool) {}) // whoever keeps numbers asks for them anew
	}
	l.reduced = l.reduced[:0] // what does not tell owners apart may have changed: a path, a user id
}

// records numbers what rows are grouped by into the records' keys.
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

// reduce returns the number of what rows are grouped by. It looks each up once a window.
func (l *labels) reduce(id uint32) uint32 {
	if int(id) >= len(l.reduced) {
		l.reduced = append(l.reduced, make([]uint32, int(id)+1-len(l.reduced)+len(l.reduced)/2)...)
	}
	const known = 1 << 31 // 0 may be the answer
	if l.reduced[id] == 0 {
		o := l.all.Get(id)
		l.reduced[id] = l.grouped.Number(&o) | known
	}
	return l.reduced[id] &^ known
}

// report gives a report its owners, its labels and what labels have to say.
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
		r.Notes = slices.Concat(r.Notes, []string{fmt.Sprintf("labels: there was no room for %d labels of flows", n)})
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

// close closes all and returns what went wrong.
func (l *labels) close() []error {
	var errs []error
	for _, o := range slices.Backward(l.open) {
		if err := o.labeler.Close(); err != nil {
			errs = append(errs, fmt.Errorf("label %s: close: %w", o.Name, err))
		}
	}
	return errs
}
