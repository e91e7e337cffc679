package engine

import (
	"math/rand/v2"
	"slices"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/count/ledger"
	"github.com/pktstat/pktstat/internal/owner/ids"
)

// view is the run with its rows grouped by some fields. Outputs that group rows alike
// share one.
type view struct {
	dims    flow.Dims
	ledger  *ledger.Ledger
	workers workers // of the outputs

	// grouped numbers the values that rows are grouped by; keys in the ledger have the numbers.
	grouped *ids.Table
	reduced []uint32 // maps numbers of labels.all to numbers of grouped; 0: not looked up yet
	sweepAt int

	scratch []flow.Record
}

// newViews returns a view for each way in which outputs group rows; at least one.
func newViews(c *Config, all workers) []*view {
	var views []*view
	for _, w := range all.all {
		dims := c.dimsOf(&w.Output)
		i := slices.IndexFunc(views, func(v *view) bool { return v.dims == dims })
		if i < 0 {
			i = len(views)
			views = append(views, newView(dims, c.MaxFlows))
		}
		views[i].workers.all = append(views[i].workers.all, w)
	}
	if views == nil {
		views = append(views, newView(c.Dims, c.MaxFlows))
	}
	return views
}

func newView(dims flow.Dims, maxFlows int) *view {
	return &view{
		dims:    dims,
		ledger:  ledger.New(dims, maxFlows, flow.Seed{rand.Uint64(), rand.Uint64()}),
		grouped: ids.New(dims, roomFor(maxFlows)), sweepAt: sweepOwners,
	}
}

// dimsOf returns what the output groups rows by.
func (c *Config) dimsOf(o *Output) flow.Dims {
	if o.By != 0 {
		return o.By
	}
	return c.Dims
}

// allDims is everything that some output groups rows by.
func (r *run) allDims() (all flow.Dims) {
	for _, v := range r.views {
		all |= v.dims
	}
	return all
}

// merge adds records to the rows of all views.
func (r *run) merge(recs []flow.Record) {
	for i, v := range r.views {
		of := recs
		if i < len(r.views)-1 { // the ledger changes them
			v.scratch = append(v.scratch[:0], recs...)
			of = v.scratch
		}
		r.labels.number(v, of)
		v.ledger.Merge(of)
	}
}

// sweep forgets owners that no row has any more.
func (v *view) sweep() {
	if v.grouped.Len() > v.sweepAt {
		v.grouped.Sweep(v.ledger.Owners())
		v.sweepAt = max(sweepOwners, 2*v.grouped.Len())
	}
	v.reduced = v.reduced[:0] // fields that do not identify an owner may have changed: a path, a user id
}

// reduce maps a number of all to a number of grouped. It looks up each number once a window.
func (v *view) reduce(all *ids.Table, id uint32) uint32 {
	if int(id) >= len(v.reduced) {
		v.reduced = append(v.reduced, make([]uint32, int(id)+1-len(v.reduced)+len(v.reduced)/2)...)
	}
	const known = 1 << 31 // marks a result, as 0 is a valid one
	if v.reduced[id] == 0 {
		o := all.Get(id)
		v.reduced[id] = v.grouped.Number(&o) | known
	}
	return v.reduced[id] &^ known
}
