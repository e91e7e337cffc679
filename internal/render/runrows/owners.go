package runrows

import (
	"math"

	"iter"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/owner/ids"
)

// Grouping is a set of owner fields that distinguish owners.
type Grouping struct {
	By flow.Dims
	// Of reduces an owner before it gets a number. If Of is nil, only By reduces it.
	Of func(*flow.Owner) flow.Owner
}

// Owners numbers the owners of the rows. It is needed because the numbers in a report are valid
// only in that report: the ledger reuses numbers. Grouping 0 has all fields that rows are grouped
// by.
type Owners struct {
	groupings []Grouping
	tables    []*ids.Table
	of        [][]*flow.Owner // by grouping and number; the owners themselves never change
	group     [][]uint32      // by grouping and number in grouping 0
}

func newOwners(groupings []Grouping) Owners {
	w := Owners{groupings: groupings, of: make([][]*flow.Owner, len(groupings)), group: make([][]uint32, len(groupings))}
	for _, g := range groupings {
		w.tables = append(w.tables, ids.New(g.By, math.MaxUint32))
	}
	return w
}

// number returns the number of an owner in grouping 0.
func (w *Owners) number(o *flow.Owner) uint32 {
	id := w.place(0, o)
	w.set(0, id, id)
	for g := 1; g < len(w.groupings); g++ {
		reduced := *o
		if of := w.groupings[g].Of; of != nil {
			reduced = of(o)
		}
		w.set(g, id, w.place(g, &reduced))
	}
	return id
}

func (w *Owners) place(g int, o *flow.Owner) uint32 {
	id := w.tables[g].Number(o)
	for len(w.of[g]) <= int(id) {
		w.of[g] = append(w.of[g], &noOwner)
	}
	if now := w.tables[g].Get(id); *w.of[g][id] != now {
		w.of[g][id] = &now
	}
	return id
}

func (w *Owners) set(g int, id, to uint32) {
	for len(w.group[g]) <= int(id) {
		w.group[g] = append(w.group[g], 0)
	}
	w.group[g][id] = to
}

// Group returns an owner's number in a grouping.
func (w *Owners) Group(g int, id uint32) uint32 {
	if g >= len(w.group) || int(id) >= len(w.group[g]) {
		return 0
	}
	return w.group[g][id]
}

// Owner returns the owner with a number in a grouping. The caller must not change it.
func (w *Owners) Owner(g int, id uint32) *flow.Owner {
	if g >= len(w.of) || int(id) >= len(w.of[g]) {
		return &noOwner
	}
	return w.of[g][id]
}

var noOwner flow.Owner

// sweep forgets all owners whose numbers are not in used.
func (w *Owners) sweep(used iter.Seq[uint32]) {
	for g, table := range w.tables {
		table.Sweep(func(yield func(uint32) bool) {
			for id := range used {
				if !yield(w.Group(g, id)) {
					return
				}
			}
		})
	}
}

// clone returns a read-only copy.
func (w *Owners) clone() Owners {
	c := Owners{of: make([][]*flow.Owner, len(w.of)), group: make([][]uint32, len(w.group))}
	for g := range w.of {
		c.of[g] = append(c.of[g], w.of[g]...)
		c.group[g] = append(c.group[g], w.group[g]...)
	}
	return c
}
