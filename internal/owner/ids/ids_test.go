package ids

import (
	"slices"
	"testing"

	"github.com/pktstat/pktstat/flow"
)

var (
	web  = flow.Owner{PID: 10, Start: 1, Comm: "nginx", UID: 33, CgroupID: 5, Cgroup: "/web", Container: "docker:web"}
	web2 = flow.Owner{PID: 11, Start: 2, Comm: "nginx", UID: 33, CgroupID: 5, Cgroup: "/web", Container: "docker:web"}
	sh   = flow.Owner{PID: 12, Start: 3, Comm: "sh", CgroupID: 1, Cgroup: "/"}
)

// TestIdentity: owners with equal grouped fields share a number, others do not.
func TestIdentity(t *testing.T) {
	reused := web
	reused.Start = 99
	renamed := web
	renamed.Comm = "worker"
	moved := web
	moved.CgroupID, moved.Cgroup, moved.Container = 6, "/new", ""
	for _, tt := range []struct {
		by    flow.Dims
		other flow.Owner
		same  bool
	}{
		{flow.DimsFlow, web2, false},
		{flow.DimsFlow, reused, false},
		{flow.DimsFlow, renamed, true},
		{flow.DimsFlow, moved, false},
		{flow.DimPID, moved, true},
		{flow.DimPID, reused, false},
		{flow.DimPID | flow.DimComm, renamed, false},
		{flow.DimComm, web2, true},
		{flow.DimComm, renamed, false},
		{flow.DimCgroup, web2, true},
		{flow.DimCgroup, moved, false},
		{flow.DimContainer, web2, true},
		{flow.DimContainer, sh, false},
	} {
		tab := New(tt.by, 1<<20)
		a, b := tab.Number(&web), tab.Number(&tt.other)
		if a == 0 || (a == b) != tt.same {
			t.Errorf("by %v: %+v is %d, %+v is %d", tt.by, web, a, tt.other, b)
		}
	}
}

// TestReduce: the table keeps the grouped fields and the fields that follow from them.
func TestReduce(t *testing.T) {
	for _, tt := range []struct {
		by   flow.Dims
		want flow.Owner
	}{
		{flow.DimPID, web},
		{flow.DimComm, flow.Owner{Comm: "nginx"}},
		{flow.DimCgroup, flow.Owner{CgroupID: 5, Cgroup: "/web", Container: "docker:web"}},
		{flow.DimContainer | flow.DimComm, flow.Owner{Comm: "nginx", Container: "docker:web"}},
	} {
		tab := New(tt.by, 1<<20)
		if got := tab.Get(tab.Number(&web)); got != tt.want {
			t.Errorf("by %v: %+v, want %+v", tt.by, got, tt.want)
		}
	}
	tab := New(flow.DimContainer, 1<<20)
	if id := tab.Number(&sh); id != 0 {
		t.Errorf("a process in no container has the number %d", id)
	}
}

// TestNewestName: an exec in place gives the owner its new name.
func TestNewestName(t *testing.T) {
	tab := New(flow.DimsFlow, 1<<20)
	id := tab.Number(&sh)
	after := sh
	after.Comm = "curl"
	if tab.Number(&after) != id || tab.Get(id).Comm != "curl" {
		t.Errorf("after exec: %+v", tab.Get(id))
	}
}

// TestSweep: only the owners in use stay in memory, and they keep their numbers.
func TestSweep(t *testing.T) {
	tab := New(flow.DimsFlow, 1<<20)
	kept := tab.Number(&web)
	for i := range uint32(1000) {
		tab.Number(&flow.Owner{PID: 100 + i, Start: uint64(i)})
	}
	gen := tab.Generation()
	tab.Sweep(slices.Values([]uint32{kept, kept}))
	if tab.Len() != 1 || tab.Get(kept) != web || tab.Generation() == gen {
		t.Errorf("%d owners left, %+v", tab.Len(), tab.Get(kept))
	}
	for i := range uint32(1000) {
		if id := tab.Number(&flow.Owner{PID: 5000 + i, Start: 7}); id == kept {
			t.Fatal("a number in use was given again")
		}
	}
	if len(tab.owners) != 1001 {
		t.Errorf("freed numbers are not reused: room for %d owners", len(tab.owners))
	}
	if tab.Number(&web) != kept {
		t.Error("an owner in use has another number")
	}
}
