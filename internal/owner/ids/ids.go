// Package ids numbers the owners of a run's flows, with all their labels, so that a key
// holds four bytes of them. Processes with the same PID but other start times get different
// numbers; what rows are not grouped by does not tell owners apart.
package ids

import (
	"iter"

	"github.com/pktstat/pktstat/flow"
)

// Table holds the owners of a run. It is not safe for concurrent use.
//
// It holds at most as many as it was made for. Whoever calls [Table.Sweep] makes room:
// owners that no row has any more are forgotten.
type Table struct {
	dims    flow.Dims
	most    int
	ids     map[flow.Owner]uint32 // by identity
	owners  []flow.Owner          // by number less 1
	free    []uint32
	gen     uint64
	refused uint64
}

// New returns a table of at most most owners, for rows that are grouped by dims.
func New(dims flow.Dims, most int) *Table {
	return &Table{dims: dims, most: most, ids: map[flow.Owner]uint32{}}
}

// Number returns the number of the owner that o is when it is reduced to what rows are
// grouped by; 0 if nothing is left, or if the table is full. The newest o gives the
// number's name and cgroup.
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

// Refused is how often there was no room for a number.
func (t *Table) Refused() uint64 { return t.refused }

// Get returns the owner with a number; the zero value for 0.
func (t *Table) Get(id uint32) flow.Owner {
	if id == 0 || int(id) > len(t.owners) {
		return flow.Owner{}
	}
	return t.owners[id-1]
}

// Len is how many owners the table holds.
func (t *Table) Len() int { return len(t.ids) }

// Generation changes when numbers have been given up: who keeps numbers asks for
// them anew then.
func (t *Table) Generation() uint64 { return t.gen }

// Sweep forgets all owners but those that are used.
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
