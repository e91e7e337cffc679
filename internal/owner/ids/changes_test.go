package ids

import (
	"testing"

	"github.com/pktstat/pktstat/flow"
)

// container puts an owner into a container.
func container(asked *int) func(o *flow.Owner) bool {
	return func(o *flow.Owner) bool {
		*asked++
		if o.CgroupID != 5 {
			return false
		}
		o.Container = "docker:new"
		return true
	}
}

func records(numbers ...uint32) []flow.Record {
	recs := make([]flow.Record, len(numbers))
	for i, n := range numbers {
		recs[i].Key.OwnerID = n
	}
	return recs
}

// TestChanges: an owner is changed once, until Forget or Sweep.
func TestChanges(t *testing.T) {
	tab := New(^flow.Dims(0), 100)
	asked := 0
	c := Changes{Tuples: tab, Change: container(&asked)}
	recs := records(tab.Number(&web), 0, tab.Number(&sh), tab.Number(&web))
	c.Records(recs)
	if got := tab.Get(recs[0].Key.OwnerID); got.Container != "docker:new" || got.PID != web.PID {
		t.Errorf("changed: %+v", got)
	}
	if recs[0].Key.OwnerID != recs[3].Key.OwnerID || recs[1].Key.OwnerID != 0 || tab.Get(recs[2].Key.OwnerID) != sh || asked != 2 {
		t.Errorf("%v, asked %d times", recs, asked)
	}
	c.Records(records(tab.Number(&web)))
	if asked != 2 {
		t.Error("an owner was changed twice")
	}
	c.Forget()
	c.Records(records(tab.Number(&web)))
	if asked != 3 {
		t.Errorf("after Forget: asked %d times", asked)
	}
	tab.Sweep(func(func(uint32) bool) {})
	recs = records(tab.Number(&sh)) // web may have had the same number
	c.Records(recs)
	if asked != 4 || tab.Get(recs[0].Key.OwnerID) != sh {
		t.Errorf("after Sweep: asked %d times, %+v", asked, tab.Get(recs[0].Key.OwnerID))
	}
}

// TestNoRoom: a full table refuses a new owner and counts that; the owner stays unchanged.
func TestNoRoom(t *testing.T) {
	tab := New(^flow.Dims(0), 2)
	one, two := tab.Number(&web), tab.Number(&sh)
	if got := tab.Number(&web2); one == 0 || two == 0 || got != 0 || tab.Refused() != 1 || tab.Len() != 2 {
		t.Errorf("numbers %d, %d and %d, refused %d of %d", one, two, got, tab.Refused(), tab.Len())
	}
	if tab.Number(&web) != one {
		t.Error("the full table refused an owner that it holds")
	}
	asked := 0
	c := Changes{Tuples: tab, Change: container(&asked)}
	recs := records(one)
	c.Records(recs)
	if recs[0].Key.OwnerID != one || tab.Refused() != 2 {
		t.Errorf("with a full table, %d became %d, refused %d", one, recs[0].Key.OwnerID, tab.Refused())
	}
	tab.Sweep(func(yield func(uint32) bool) { yield(one) })
	c.Records(recs)
	if got := tab.Get(recs[0].Key.OwnerID); got.Container != "docker:new" || tab.Refused() != 2 {
		t.Errorf("after a sweep: %+v, refused %d", got, tab.Refused())
	}
	if got := tab.Get(99); got != (flow.Owner{}) {
		t.Errorf("an unused number: %+v", got)
	}
}
