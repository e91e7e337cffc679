package cmd

import (
	"errors"
	"testing"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/registry"
)

// zoneField is a groupable field of a label that depends on ports.
var zoneField = flow.Fields.Register(flow.Field{
	Name: "test_zone", Title: "Zone", Help: "zone", Kind: flow.Text, Role: flow.Label, Groupable: true, By: flow.DimSrcPort | flow.DimDstPort,
})

// delayField is a field of a label by which rows cannot be grouped.
var delayField = flow.Fields.Register(flow.Field{
	Name: "test_delay", Title: "Delay", Help: "delay", Kind: flow.Duration, Role: flow.Label, By: flow.DimSrcPort | flow.DimEndPorts,
})

// TestGroupBySort: --sort by a label groups flows by it. Other rows need the label in --by.
func TestGroupBySort(t *testing.T) {
	for _, tt := range []struct {
		by, sort string
		want     string // what rows are grouped by; "": refused
	}{
		{"flow", "", "flow"},
		{"flow", "bytes", "flow"},
		{"flow", "test_zone", "flow,test_zone"},
		{"flow,test_zone", "test_zone", "flow,test_zone"},
		{"test_zone", "test_zone", "test_zone"},
		{"src", "test_zone", ""},
		{"src_port", "test_zone", ""}, // the label would be set too late
		{"flow", "comm", "flow"},
		{"flow", "match", "flow"},
		{"src", "match", "src"},
		{"src", "comm", ""},
		{"comm", "container", ""},
		{"cgroup", "container", "cgroup"},
		{"pid", "uid", "pid"},
		{"flow", delayField.Name, "flow"},
		{"conversation", delayField.Name, "conversation"},
		{"src", delayField.Name, ""},
	} {
		dims, err := flow.ParseDims(tt.by)
		if err != nil {
			t.Fatal(err)
		}
		cl := &commandLine{dims: dims}
		if tt.sort != "" {
			cl.sort = flow.Fields.Find(tt.sort)
		}
		by, err := cl.groupBySort(cl.dims)
		if tt.want == "" {
			if !errors.Is(err, registry.ErrUsage) {
				t.Errorf("--by %s --sort %s: %v", tt.by, tt.sort, err)
			}
			continue
		}
		if err != nil || by.String() != tt.want {
			t.Errorf("--by %s --sort %s: by %s, %v, want %s", tt.by, tt.sort, by, err, tt.want)
		}
	}
}

// TestMountedLabels: a toggle turns a label on or off, and an option of the label turns it on.
func TestMountedLabels(t *testing.T) {
	for _, tt := range []struct {
		toggle, option string
		on, off        bool
	}{{"", "", false, false}, {"true", "", true, false}, {"false", "", false, true}, {"", "--zone-file", true, false}, {"false", "--zone-file", false, true}} {
		m := &mountedLabel{name: "zone", toggle: &toggle{}, options: []*option{{name: "zone-file", given: tt.option}}}
		if tt.toggle != "" {
			if err := m.toggle.Set(tt.toggle); err != nil {
				t.Fatal(err)
			}
		}
		cl := &commandLine{labels: []*mountedLabel{m}}
		all := cl.chosenLabels([]flow.Dims{zoneField.Dim})
		if l := all.All[0]; l.On != tt.on || l.Off != tt.off || len(all.By) != 1 || all.By[0] != zoneField.Dim {
			t.Errorf("toggle %q, option %q: on %t, off %t", tt.toggle, tt.option, l.On, l.Off)
		}
	}
}
