package sinktest

import (
	"maps"
	"slices"

	"github.com/pktstat/pktstat/flow"
)

// clone returns deep copies of reports.
func clone(reports []*flow.Report) []*flow.Report {
	var all []*flow.Report
	for _, r := range reports {
		c := *r
		c.Interfaces, c.Notes, c.Packed = slices.Clone(r.Interfaces), slices.Clone(r.Notes), nil
		c.Links = slices.Clone(r.Links)
		c.Files, c.Cgroups, c.Origin.Args = slices.Clone(r.Files), slices.Clone(r.Cgroups), slices.Clone(r.Origin.Args)
		c.Owners, c.Alternatives = maps.Clone(r.Owners), slices.Clone(r.Alternatives)
		for _, p := range r.Packed {
			row := *p
			c.Packed = append(c.Packed, &row)
		}
		all = append(all, &c)
	}
	return all
}

// overwrite changes every value that r holds or points to.
func overwrite(r *flow.Report) {
	for _, p := range r.Packed {
		*p = flow.PackedRow{Delta: flow.Counters{Packets: 666}, Total: flow.Counters{Packets: 666}}
	}
	for i := range r.Interfaces {
		r.Interfaces[i] = flow.Interface{Name: "overwritten"}
	}
	for id := range r.Owners {
		r.Owners[id] = flow.Owner{PID: 666, Comm: "overwritten", Cgroup: "overwritten", Container: "overwritten"}
	}
	for i := range r.Notes {
		r.Notes[i] = "overwritten"
	}
	for _, names := range [][]string{r.Files, r.Cgroups, r.Origin.Args} {
		for i := range names {
			names[i] = "overwritten"
		}
	}
	for i := range r.Alternatives {
		r.Alternatives[i] = flow.Alternative{Backend: "overwritten"}
	}
	for i := range r.Links {
		r.Links[i] = flow.Link{Interface: flow.Interface{Name: "overwritten"}}
	}
	*r = flow.Report{Backend: "overwritten"}
}
