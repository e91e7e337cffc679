package table

import (
	"slices"

	"github.com/pktstat/pktstat/flow"
)

// layout is how the table shows a known field. Everything else comes from the field.
type layout struct {
	name  string // of the field
	title string // short; "": the field's title
	total string // title behind columns of the two directions
	asked bool   // shown only if the user names it, or when rows are sorted by it

	// port is the field that shares the column, after a colon, unless the user names it.
	port string
	// instead is the field that is shown, after word, if a row does not have this one.
	instead, word string

	// goes is the order in which a narrow terminal drops columns, 1 first; 0: never.
	goes int
	// squeeze is how far addresses are shortened before this column goes; 0: not at all.
	squeeze int
	// shrinks: cells may be shortened in the middle.
	shrinks bool
}

// The places of fields without a layout, and of the one that rows are sorted by.
const (
	goesFirst = -1
	goesLast  = 100
)

// Widths of addresses. To keep other columns, IPv4 addresses with ports are never shortened, and
// IPv6 addresses only while they stay distinguishable.
const (
	ipv4Width   = len("255.255.255.255:65535")
	comfortable = 24
)

// The layouts, in the order of the columns. Fields without a layout follow their kind: measures
// after measures, rates after rates, others after labels.
var (
	labelLayouts = []layout{
		{name: "proto"},
		{name: "src", port: "src_port", shrinks: true},
		{name: "src_port", asked: true},
		{name: "dst", port: "dst_port", shrinks: true},
		{name: "dst_port", asked: true},
		{name: "local", port: "local_port", shrinks: true},
		{name: "local_port", asked: true},
		{name: "remote", port: "remote_port", shrinks: true},
		{name: "remote_port", asked: true},
		{name: "host", shrinks: true},
		{name: "port"},
		{name: "info", goes: 7},
		{name: "direction", title: "Dir", goes: 9},
		{name: "iface", title: "Iface", goes: 5},
		{name: "vlan", goes: 4},
		{name: "pid", goes: 13},
		{name: "comm", goes: 14},
		{name: "uid", goes: 2},
		{name: "cgroup", instead: "cgroup_id", word: "id ", goes: 3},
		{name: "cgroup_id", asked: true},
		{name: "container", goes: 6},
		{name: "match", goes: 8},
		{name: "netns", title: "NetNS", goes: 1},
		{name: "first", asked: true},
		{name: "last", asked: true},
	}
	measureLayouts = []layout{
		{name: "packets", goes: 12, squeeze: comfortable},
		{name: "in_packets", asked: true},
		{name: "out_packets", asked: true},
		{name: "in_bytes", title: "In", goes: 17},
		{name: "in_frame_bytes", title: "In", goes: 17},
		{name: "out_bytes", title: "Out", goes: 17},
		{name: "out_frame_bytes", title: "Out", goes: 17},
		{name: "bytes", total: "Total", goes: 15, squeeze: ipv4Width},
		{name: "frame_bytes", title: "L2 bytes", total: "Total", goes: 15, squeeze: ipv4Width},
		{name: "retransmits", title: "Retrans", goes: 8},
	}
	rateLayouts = []layout{
		{name: "bps", goes: 11},
		{name: "in_bps", goes: 16, squeeze: ipv4Width},
		{name: "out_bps", goes: 16, squeeze: ipv4Width},
		{name: "pps", asked: true, goes: 10},
	}
	allLayouts = slices.Concat(labelLayouts, measureLayouts, rateLayouts)
)

// layoutOf returns the layout of a field, also of an unknown one.
func layoutOf(f *flow.Field) layout {
	if i := slices.IndexFunc(allLayouts, func(l layout) bool { return l.name == f.Name }); i >= 0 {
		return allLayouts[i]
	}
	return layout{name: f.Name, goes: goesFirst, asked: f.Detail || f.InInfo}
}

// columnsOf returns the chosen columns, or all that the report's rows may have.
func columnsOf(r *flow.Report, chosen []*flow.Field) []*column {
	if chosen != nil {
		cols := make([]*column, len(chosen))
		for i, f := range chosen {
			cols[i] = newColumn(f, layoutOf(f))
			if p := cols[i].port; p != nil && slices.Contains(chosen, p) {
				cols[i].port = nil
			}
		}
		return nameEnds(r, cols)
	}
	return slices.Concat(nameEnds(r, arranged(r, labelLayouts, func(f *flow.Field) bool { return !isAmount(f) })), measures(r))
}

// measures returns the columns of numbers, which sums also have. It has the bytes of the rate
// layer. It adds bytes of the other layer if rows are sorted by them.
func measures(r *flow.Report) []*column {
	counts := arranged(r, measureLayouts, func(f *flow.Field) bool { return f.Role == flow.Measure })
	counts = slices.DeleteFunc(counts, func(c *column) bool { return !c.field.Beside(r.RateLayer) && c.name != r.Sort })
	rates := arranged(r, rateLayouts, func(f *flow.Field) bool { return f.Role == flow.Rate })
	for _, c := range slices.Concat(counts, rates) {
		switch {
		case r.Dims.TwoSided() && c.total != "":
			c.title, c.goes = c.total, max(c.goes, 18)
		case c.name == "bps" && !r.Dims.TwoSided():
			c.goes = 0 // the only rate
		}
	}
	return slices.Concat(counts, rates)
}

// nameEnds gives the two ends their titles.
func nameEnds(r *flow.Report, cols []*column) []*column {
	local, remote := r.EndTitles()
	for _, c := range cols {
		switch c.name {
		case "local":
			c.title = local
		case "remote":
			c.title = remote
		}
	}
	return cols
}

// isAmount reports whether the field is a measure or a rate, not an id.
func isAmount(f *flow.Field) bool { return f.Role == flow.Measure || f.Role == flow.Rate }

// arranged returns the columns of known layouts, then those unknown fields that kind accepts.
func arranged(r *flow.Report, known []layout, kind func(*flow.Field) bool) []*column {
	var cols []*column
	add := func(f *flow.Field, l layout) {
		if f.Name == r.Sort && !isPart(f.Name) {
			l.asked = false
			if l.goes != 0 {
				l.goes = goesLast
			}
		}
		c := newColumn(f, l)
		if !l.asked && (f.In(r.Dims) || c.port != nil && c.port.In(r.Dims)) {
			cols = append(cols, c)
		}
	}
	for _, l := range known {
		add(flow.Fields.Find(l.name), l)
	}
	for _, f := range flow.Fields.All() {
		if l := layoutOf(f); l.goes == goesFirst && kind(f) {
			add(f, l)
		}
	}
	return cols
}

// isPart reports whether the column of another field shows the field.
func isPart(name string) bool {
	return slices.ContainsFunc(allLayouts, func(l layout) bool { return l.port == name || l.instead == name })
}
