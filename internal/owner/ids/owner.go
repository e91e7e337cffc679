// Package ids numbers the owners of a run's flows, so that a key holds four
// bytes of them. Processes with the same PID but other start times get different
// numbers; what rows are not grouped by does not tell owners apart.
package ids

import (
	"iter"

	"github.com/pktstat/pktstat/flow"
)

// Table holds the owners of a run. It is not safe for concurrent use.
//
// Its memory is bounded by whoever calls [Table.Sweep]: owners that no row has any
// more are forgotten.
type Table struct {
	dims   flow.Dims
	ids    map[identity]uint32
	owners []flow.Owner // by number less 1
	free   []uint32
	gen    uint64
}

// identity is what tells owners apart.
type identity struct {
	start, cgroup   uint64
	pid             uint32
	comm, container string
}

// New returns a table of owners for rows that are grouped by dims.
func New(dims flow.Dims) *Table {
	return &Table{dims: dims, ids: map[identity]uint32{}}
}

// ID returns the number of the owner that o is when it is reduced to what rows are
// grouped by; 0 if nothing is left. The newest o gives the number's name and cgroup.
func (t *Table) ID(o *flow.Owner) uint32 {
	r := reduce(*o, t.dims)
	if r == (flow.Owner{}) {
		return 0
	}
	key := t.identity(&r)
	if id, ok := t.ids[key]; ok {
		t.owners[id-1] = r
		return id
	}
	var id uint32
	if n := len(t.free); n > 0 {
		id = t.free[n-1]
		t.free = t.free[:n-1]
		t.owners[id-1] = r
	} else {
		t.owners = append(t.owners, r)
		id = uint32(len(t.owners))
	}
	t.ids[key] = id
	return id
}

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

func (t *Table) identity(o *flow.Owner) identity {
	var k identity
	if t.dims.Has(flow.DimPID) {
		k.pid, k.start = o.PID, o.Start
	}
	if t.dims.Has(flow.DimComm) {
		k.comm = o.Comm
	}
	if t.dims.Has(flow.DimCgroup) {
		k.cgroup = o.CgroupID
	}
	if t.dims.Has(flow.DimContainer) {
		k.container = o.Container
	}
	return k
}

// reduce clears what rows are not grouped by and what does not follow from what
// they are grouped by.
func reduce(o flow.Owner, by flow.Dims) flow.Owner {
	if by.Has(flow.DimPID) {
		return o
	}
	r := flow.Owner{}
	if by.Has(flow.DimComm) {
		r.Comm = o.Comm
	}
	if by.Has(flow.DimCgroup) {
		r.CgroupID, r.Cgroup, r.Container = o.CgroupID, o.Cgroup, o.Container
	}
	if by.Has(flow.DimContainer) {
		r.Container = o.Container
	}
	return r
}
