package flow

import (
	"fmt"
	"testing"
)

func TestLabels(t *testing.T) {
	var l Labels
	for place, text := range []string{"", "https", "", "alice"} {
		l = l.with(place, text)
	}
	for place, want := range []string{"", "https", "", "alice", "", ""} {
		if got := l.at(place); got != want {
			t.Errorf("place %d: %q, want %q", place, got, want)
		}
	}
	if l = l.with(3, "").with(1, ""); l != "" {
		t.Errorf("without texts: %q", l)
	}
	if got := l.with(2, "a\x00b"); got.at(2) != "ab" || got.at(3) != "" {
		t.Errorf("a text with the end of texts: %q", got)
	}
	if a, b := l.with(0, "x").with(2, "y"), l.with(2, "y").with(0, "x"); a != b {
		t.Errorf("%q and %q", a, b)
	}
}

// Fields as labels register them: one is groupable, the other depends on the process.
var (
	siteField = Fields.Register(Field{Name: "test_site", Title: "Site", Help: "site", Kind: Text, Role: Label, Groupable: true, By: DimDst})
	teamField = Fields.Register(Field{Name: "test_team", Title: "Team", Help: "team", Kind: Text, Role: Label, By: DimPID})
)

// TestReducedAndIdentity: Reduced keeps the dimensions and what they determine. Identity keeps
// the dimensions only.
func TestReducedAndIdentity(t *testing.T) {
	full := Owner{PID: 1, Start: 2, Comm: "c", UID: 3, CgroupID: 4, Cgroup: "/g", Container: "docker:x"}
	full.SetLabel(siteField, "home")
	full.SetLabel(teamField, "red")
	labels := func(o Owner, site, team string) Owner {
		o.Labels = ""
		o.SetLabel(siteField, site)
		o.SetLabel(teamField, team)
		return o
	}
	for _, tt := range []struct {
		by                Dims
		reduced, identity Owner
	}{
		{DimsFlow, full, Owner{PID: 1, Start: 2, CgroupID: 4}},
		{DimsFlow | siteField.Dim, full, labels(Owner{PID: 1, Start: 2, CgroupID: 4}, "home", "")},
		{DimPID, labels(full, "", "red"), Owner{PID: 1, Start: 2}},
		{DimDst, labels(Owner{}, "home", ""), Owner{}},
		{DimSrc, Owner{}, Owner{}},
		{DimComm, Owner{Comm: "c"}, Owner{Comm: "c"}},
		{DimComm | siteField.Dim, labels(Owner{Comm: "c"}, "home", ""), labels(Owner{Comm: "c"}, "home", "")},
		{DimCgroup, Owner{CgroupID: 4, Cgroup: "/g", Container: "docker:x"}, Owner{CgroupID: 4}},
		{DimContainer, Owner{Container: "docker:x"}, Owner{Container: "docker:x"}},
		{siteField.Dim, labels(Owner{}, "home", ""), labels(Owner{}, "home", "")},
	} {
		r := full.Reduced(tt.by)
		if r != tt.reduced {
			t.Errorf("by %v: reduced to %+v, want %+v", tt.by, r, tt.reduced)
		}
		if id := r.Identity(tt.by); id != tt.identity {
			t.Errorf("by %v: identity %+v, want %+v", tt.by, id, tt.identity)
		}
	}
}

// TestProjectionOfLabels: keys keep OwnerID when rows are grouped by any label, even one that
// does not depend on the process.
func TestProjectionOfLabels(t *testing.T) {
	for _, tt := range []struct {
		by   Dims
		kept bool
	}{{DimSrc, false}, {DimPID, true}, {DimContainer, true}, {siteField.Dim, true}, {DimSrc | siteField.Dim, true}, {DimsFlow, true}} {
		p := Packed{Proto: TCP, OwnerID: 7}
		projection := tt.by.Projection()
		projection.Apply(&p)
		if (p.OwnerID == 7) != tt.kept || !tt.kept && p.OwnerID != 0 {
			t.Errorf("by %v: the number became %d", tt.by, p.OwnerID)
		}
	}
}

// TestNumbers: a row has the numbers that labels set, and no other label's.
func TestNumbers(t *testing.T) {
	fields := newFieldTable()
	delay := fields.Register(Field{Name: "test_delay", Title: "Delay", Help: "delay", Kind: Duration, Role: Label})
	window := fields.Register(Field{Name: "test_window", Title: "Window", Help: "window", Role: Label, Detail: true})
	phase := fields.Register(Field{Name: "test_phase", Title: "Phase", Help: "phase", Kind: Word, Role: Label})
	var row Row
	for _, f := range []*Field{delay, window, phase} {
		if f.Has(&row) {
			t.Errorf("a row without labels has %s", f.Name)
		}
	}
	row.SetNumber(window, 0)
	row.Owner.SetLabel(phase, "open")
	copied := row
	if delay.Has(&copied) || !window.Has(&copied) || string(window.AppendValue(nil, nil, &copied)) != "0" || phase.Text(&copied) != "open" {
		t.Errorf("a delay: %v, a window: %v, the phase %q", delay.Has(&copied), window.Has(&copied), phase.Text(&copied))
	}
	row.SetNumber(delay, 1500000)
	if got := string(delay.AppendValue(nil, nil, &row)); got != "0.0015" {
		t.Errorf("the delay is %q", got)
	}
	if row.ClearNumbers(); delay.Has(&row) || window.Has(&row) {
		t.Error("numbers are left")
	}
	if !window.Descending() || !delay.Descending() || phase.Descending() {
		t.Error("not the largest number comes first, or a text is no text")
	}
	defer func() {
		if recover() == nil {
			t.Error("there is room for any number of numbers")
		}
	}()
	for i := range mostNumbers {
		fields.Register(Field{Name: fmt.Sprintf("test_more%d", i), Title: "More", Help: "more", Role: Label})
	}
}
