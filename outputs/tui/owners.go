package tui

import (
	"iter"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/owner/ids"
)

// grouping tells which of an owner's properties the rows of a view are grouped by.
type grouping uint8

const (
	byOwner grouping = iota // all of them, as in the reports
	byProcess
	byContainer // or by the cgroup of what is in none
	groupings
)

// owners numbers the owners of a store's rows: the numbers in the reports' keys are
// given to others when the ledger has no row of an owner any more.
type owners struct {
	tables [groupings]*ids.Table
	of     [groupings][]*flow.Owner // by number; what it points to never changes
	group  [groupings][]uint32      // by number of byOwner
}

// newOwners is for reports with rows that are grouped by dims.
func newOwners(dims flow.Dims) owners {
	process := flow.DimPID
	if !dims.Has(flow.DimPID) {
		process = flow.DimComm
	}
	return owners{tables: [groupings]*ids.Table{
		ids.New(dims), ids.New(process), ids.New(flow.DimCgroup | flow.DimContainer),
	}}
}

// number returns the number of an owner.
func (w *owners) number(o *flow.Owner) uint32 {
	group := flow.Owner{Container: o.Container}
	if o.Container == "" {
		group = flow.Owner{CgroupID: o.CgroupID, Cgroup: o.Cgroup}
	}
	id := w.place(byOwner, o)
	w.set(byOwner, id, id)
	w.set(byProcess, id, w.place(byProcess, o))
	w.set(byContainer, id, w.place(byContainer, &group))
	return id
}

func (w *owners) place(g grouping, o *flow.Owner) uint32 {
	id := w.tables[g].ID(o)
	for len(w.of[g]) <= int(id) {
		w.of[g] = append(w.of[g], new(flow.Owner))
	}
	if now := w.tables[g].Get(id); *w.of[g][id] != now {
		w.of[g][id] = &now
	}
	return id
}

func (w *owners) set(g grouping, id, to uint32) {
	for len(w.group[g]) <= int(id) {
		w.group[g] = append(w.group[g], 0)
	}
	w.group[g][id] = to
}

// in returns the number that an owner has in a grouping.
func (w *owners) in(g grouping, id uint32) uint32 {
	if int(id) >= len(w.group[g]) {
		return 0
	}
	return w.group[g][id]
}

// get returns the owner with that number in a grouping. It never changes.
func (w *owners) get(g grouping, id uint32) *flow.Owner {
	if int(id) >= len(w.of[g]) {
		return &nobody
	}
	return w.of[g][id]
}

var nobody flow.Owner

// keep forgets all owners but those that are used.
func (w *owners) keep(used iter.Seq[uint32]) {
	for g, table := range w.tables {
		if table == nil {
			continue
		}
		table.Sweep(func(yield func(uint32) bool) {
			for id := range used {
				if !yield(w.in(grouping(g), id)) {
					return
				}
			}
		})
	}
}

// clone returns a copy that can be looked into.
func (w *owners) clone() owners {
	var c owners
	for g := range w.of {
		c.of[g] = append(c.of[g], w.of[g]...)
		c.group[g] = append(c.group[g], w.group[g]...)
	}
	return c
}
