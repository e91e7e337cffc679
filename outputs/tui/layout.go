package tui

import (
	"cmp"

	"github.com/pktstat/pktstat/flow"
)

// layout is how the screen shows a column. Everything else comes from the field.
type layout struct {
	name   string // of the column in views; the field's name if field is ""
	field  string
	title  string // short; "": the field's title
	always bool   // shown even if no row has a value
	asked  bool   // shown only if rows are sorted by it
	usual  int    // the least width, if it fits

	// port is the field that shares the column, after a colon.
	port string
	// instead are alternatives if the row does not have the column's field. The first one that the
	// row has is shown, after its word.
	instead []alternative
	words   map[string]string // shorter words for values of the field
	none    string            // text if the row has none of the fields

	// goes is the order in which a narrow screen drops columns, 1 first; 0: never.
	goes int

	// A number that the screen computes: bytes of the rate layer.
	own   func(*list, *row) uint64
	write func([]byte, *list, *row, *format) []byte
	split bool                       // shown if the view separates incoming from outgoing traffic
	more  func([]byte, *cell) []byte // appends to the text of the field
}

type alternative struct{ field, word string }

// The places of fields without a layout, and of the sorted column.
const (
	goesFirst = -1
	goesLast  = 100
)

// Widths. An IPv4 address with a port fits without shortening.
const (
	ipv4Port  = len("255.255.255.255:65535")
	ipv4      = len("255.255.255.255")
	usualRate = len("1.43 Mbps")
	unknown   = 8 // or the title's width, with its arrow
)

// cgroup are the alternatives for a process outside of containers: the cgroup, or its id if the
// cgroup is gone.
var cgroup = []alternative{{"cgroup", ""}, {"cgroup_id", "cgroup "}}

// layouts never changes.
var layouts = [...]layout{
	{name: "proto", always: true, usual: 5, goes: 10},
	{name: "src", port: "src_port", always: true, usual: ipv4, none: "-"},
	{name: "dst", port: "dst_port", always: true, usual: ipv4, none: "-"},
	{name: "local", port: "local_port", always: true, usual: ipv4, none: "-"},
	{name: "remote", port: "remote_port", always: true, usual: ipv4, none: "-"},
	{name: "host", field: "src", title: "Host", always: true, usual: ipv4, none: "-"},
	{name: "port", field: "dst_port", title: "Port", always: true, usual: 5, none: "-"},
	{name: "info", usual: 12, goes: 4},
	{name: "direction", title: "Dir", usual: 3, goes: 6, words: map[string]string{"ingress": "in", "egress": "out"}},
	{name: "iface", title: "Iface", usual: 5, goes: 5, none: "-"},
	{name: "interface", field: "iface", always: true, usual: 9, none: "-", more: stackedOn},
	{name: "vlan", usual: 4, goes: 3, none: "-"},
	{name: "comm", usual: 8, goes: 8, none: "-"},
	{name: "process", field: "comm", always: true, usual: 12, none: "-"},
	{name: "pid", usual: 7, goes: 5, none: "-"},
	{name: "uid", usual: 6, goes: 2, none: "-"},
	{name: "uid of flow", field: "uid", asked: true, usual: 6, goes: 2, none: "-"},
	{name: "container", instead: cgroup, usual: 10, goes: 2, none: "-"},
	{name: "group", field: "container", instead: cgroup, always: true, usual: 12, none: "-"},
	{name: "match", usual: 6, goes: 1, none: "-"},
	{name: "netns", title: "NetNS", usual: 10, goes: 1, none: "-"},

	{name: "bps", usual: usualRate},
	{name: "in", title: "In", usual: usualRate, goes: 8, split: true, own: (*list).received, write: rateOfOwn((*list).received)},
	{name: "out", title: "Out", usual: usualRate, goes: 8, split: true, own: (*list).sent, write: rateOfOwn((*list).sent)},
	{name: "pps", title: "Pkts/s", usual: 7, goes: 9},
	{name: "packets", usual: 8, goes: 5},
	{name: "bytes", usual: 8, goes: 11},
	{name: "retransmits", title: "Retrans", usual: 7, goes: 1},
	{name: "frame_bytes", title: "L2 bytes", usual: 8, goes: 11},
	{name: "share", title: "Share", usual: 6, goes: 2, own: (*list).volume, write: share},
}

// The columns of the view of flows, and the last columns of every other view.
var (
	flowLabels         = []string{"proto", "src", "dst", "info", "direction", "iface", "vlan", "comm", "pid", "uid of flow", "container", "match", "netns"}
	conversationLabels = []string{"proto", "local", "remote", "info", "iface", "vlan", "comm", "pid", "uid of flow", "container", "match", "netns"}
	flowMeasures       = []string{"bps", "pps", "packets", "bytes", "frame_bytes", "retransmits", "share"}
	viewMeasures       = []string{"bps", "in", "out", "pps", "packets", "bytes", "frame_bytes", "retransmits", "share"}
)

// newColumns returns a column for each layout, and for each field without a layout.
func newColumns() map[string]*column {
	cols := map[string]*column{}
	for i := range layouts {
		cols[layouts[i].name] = newColumn(layouts[i])
	}
	for _, f := range flow.Fields.All() {
		if cols[f.Name] == nil {
			cols[f.Name] = newColumn(layout{name: f.Name, asked: partOf[f.Name] || f.InInfo, usual: max(unknown, textWidth(f.Title)+1), goes: goesFirst, none: "-"})
		}
	}
	return cols
}

// partOf are fields that other columns or the details show.
var partOf = map[string]bool{
	"src_port": true, "dst_port": true, "cgroup": true, "cgroup_id": true, "first": true, "last": true,
	"local_port": true, "remote_port": true, "ends_by": true,
	"out_packets": true, "out_bytes": true, "out_frame_bytes": true, "out_bps": true,
	"in_packets": true, "in_bytes": true, "in_frame_bytes": true, "in_bps": true,
}

func newColumn(l layout) *column {
	c := &column{layout: l}
	if l.own != nil {
		return c
	}
	f := flow.Fields.Find(cmp.Or(l.field, l.name))
	c.field, c.title = f, cmp.Or(l.title, f.Title)
	c.number = f.Role == flow.Measure || f.Role == flow.Rate
	c.fields = []*flow.Field{f}
	if c.port = flow.Fields.Find(l.port); c.port != nil {
		c.fields = append(c.fields, c.port)
	}
	for _, a := range l.instead {
		c.fields = append(c.fields, flow.Fields.Find(a.field))
	}
	return c
}

// unknownColumns returns the columns of fields without a layout: labels and measures. The view of
// flows has them all. They include columns that are shown only if rows are sorted by them.
func unknownColumns(cols map[string]*column) (labels, measures []*column) {
	for _, f := range flow.Fields.All() {
		switch c := cols[f.Name]; {
		case c.goes != goesFirst:
		case c.number:
			measures = append(measures, c)
		default:
			labels = append(labels, c)
		}
	}
	return labels, measures
}
