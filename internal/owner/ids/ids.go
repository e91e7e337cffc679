// Package ids numbers the owners of a run's flows, with all their labels, so that a key holds four
// bytes of them. Processes with the same PID and different start times get different numbers.
// Owners that differ only in fields that are not in --by share a number.
package ids

import (
	"iter"

	"github.com/pktstat/pktstat/flow"
)

// Table numbers the owners of a run. It is not safe for concurrent use.
//
// It holds a limited number of owners. [Table.Sweep] makes room: it forgets owners that no row has
// any more.
type Table struct {
	dims    flow.Dims
	most    int
	ids     map[flow.Owner]uint32 // by the fields that rows are grouped by
	owners  []flow.Owner          // at index number-1
	free    []uint32
	gen     uint64
	refused uint64
}

// New returns a table of at most most owners, for rows that are grouped by dims.
func New(dims flow.Dims, most int) *Table {
	return &Table{dims: dims, most: most, ids: map[flow.Owner]uint32{}}
}

// Number returns the number of an owner. It reduces o to the fields that rows are grouped by, and
// returns 0 if none is left or the table is full. An owner that the table knows gets the other
// fields of o, such as the name after an exec.
func (t *Table) Number(o *flow.Owner) uint32 {
	r := o.Reduced(t.dims)
	if r == (flow.Owner{}) {
		return 0
	}
	key := r.Identity(t.dims)
	if id, ok := t.ids[key]; ok {
		t.owners[id-1] = r
		return id
	}
	var id uint32
	switch n := len(t.free); {
	case n > 0:
		id = t.free[n-1]
		t.free = t.free[:n-1]
		t.owners[id-1] = r
	case len(t.owners) >= t.most:
		t.refused++
		return 0
	default:
		t.owners = append(t.owners, r)
		id = uint32(len(t.owners))
	}
	t.ids[key] = id
	return id
}

// Refused returns how often Number found the table full.
func (t *Table) Refused() uint64 { return t.refused }

// Get returns the owner with a number; the zero value for 0 or an unused number.
func (t *Table) Get(id uint32) flow.Owner {
	if id == 0 || int(id) > len(t.owners) {
		return flow.Owner{}
	}
	return t.owners[id-1]
}

// Len returns how many owners the table holds.
func (t *Table) Len() int { return len(t.ids) }

// Generation changes when Sweep frees numbers. A caller that keeps numbers must get new ones then.
func (t *Table) Generation() uint64 { return t.gen }

// Sweep forgets all owners whose numbers are not in used.
func (t *Table) Sweep(used iter.Seq[uint32]) {
	keep := make([]bool, len(t.owners)+1)
	for id := range used {
		keep[id] = true
	}
	for key, id := range t.ids {
		if !keep[id] {
			delete(t.ids, key)
			t.owners[id-1] = flow.Owner{}
			t.free = append(t.free, id)
		}
	}
	t.gen++
}
