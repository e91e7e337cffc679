package tui

import (
	"bytes"
	"cmp"
	"net/netip"
	"strconv"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/render/rowfields"
	"github.com/pktstat/pktstat/internal/render/termsafe"
)

// column is a kind of column.
type column struct {
	name, title string
	needs       rowfields.Set // shown if some row has one of these; 0: always
	dims        flow.Dims     // shown if rows are grouped by one of these; 0: always
	usual       int           // width that it has at least, if there is room

	// text appends a row's text; nil for numbers.
	text func([]byte, *cell) []byte
	// number appends a row's number.
	number func([]byte, *list, *row, *format) []byte

	compare func(*list, *row, *row) int

	// goes is the place in the order in which columns are given up on a narrow
	// screen, 1 first; 0: never.
	goes int
}

// numeric columns are aligned to the right, and their largest values come first.
func (c *column) numeric() bool { return c.text == nil }

// cell is a row in readable form, for columns of text.
type cell struct {
	row  flow.Row
	has  rowfields.Set
	dims flow.Dims
	on   []string // what the row's interface is stacked on
}

func (c *cell) set(l *list, r *row) {
	c.dims = l.view.shown(l.dims)
	c.row = flow.Row{Key: r.key.Key(), Owner: *r.owner, Match: r.match}
	c.on = l.stackedOn[c.row.Ifindex]
	if c.row.Ifindex != 0 {
		for i := range l.interfaces {
			if l.interfaces[i].Index == c.row.Ifindex {
				c.row.Iface = l.interfaces[i].Name
			}
		}
	}
	c.has = rowfields.Of(c.dims, &c.row)
}

// Widths: IPv4 with its port needs no shortening where there is room.
const (
	ipv4Port = len("255.255.255.255:65535")
	ipv4     = len("255.255.255.255")
)

// columnOf returns the column of that name.
func columnOf(name string) *column {
	for i := range columns {
		if columns[i].name == name {
			return &columns[i]
		}
	}
	return nil
}

// columns never change.
var columns = [...]column{
	{name: "proto", title: "Proto", dims: flow.DimProto, usual: 5, goes: 10, text: protoText,
		compare: func(_ *list, a, b *row) int {
			return cmp.Or(cmp.Compare(a.key.EtherType, b.key.EtherType), cmp.Compare(a.key.Proto, b.key.Proto))
		}},
	{name: "source", title: "Source", dims: flow.DimSrc | flow.DimSrcPort, usual: ipv4, text: sourceText, compare: compareSource},
	{name: "destination", title: "Destination", dims: flow.DimDst | flow.DimDstPort, usual: ipv4, text: destinationText, compare: compareDestination},
	{name: "host", title: "Host", usual: ipv4, text: sourceText, compare: compareSource},
	{name: "port", title: "Port", usual: 5, text: portText, compare: compareL4},
	{name: "info", title: "Info", needs: info, usual: 12, goes: 4, text: infoText, compare: compareL4},
	{name: "dir", title: "Dir", needs: rowfields.Dir, usual: 3, goes: 6, text: dirText,
		compare: func(_ *list, a, b *row) int { return cmp.Compare(a.key.Dir, b.key.Dir) }},
	{name: "iface", title: "Iface", needs: rowfields.Iface, usual: 5, goes: 5, text: ifaceText, compare: compareIface},
	{name: "interface", title: "Interface", usual: 9, text: linkText, compare: compareIface},
	{name: "vlan", title: "VLAN", needs: rowfields.VLAN, usual: 4, goes: 3, text: vlanText,
		compare: func(_ *list, a, b *row) int { return cmp.Compare(a.key.VLAN, b.key.VLAN) }},
	{name: "comm", title: "Process", needs: rowfields.Comm, usual: 8, goes: 8, text: commText, compare: compareComm},
	{name: "process", title: "Process", usual: 12, text: commText, compare: compareComm},
	{name: "pid", title: "PID", needs: rowfields.PID, usual: 7, goes: 5, text: pidText,
		compare: func(_ *list, a, b *row) int { return cmp.Compare(a.owner.PID, b.owner.PID) }},
	{name: "uid", title: "UID", needs: rowfields.UID, usual: 6, goes: 2, text: uidText,
		compare: func(_ *list, a, b *row) int { return cmp.Compare(a.owner.UID, b.owner.UID) }},
	{name: "container", title: "Container", needs: group, usual: 10, goes: 2, text: groupText, compare: compareGroup},
	{name: "group", title: "Container", usual: 12, text: groupText, compare: compareGroup},
	{name: "match", title: "Match", needs: rowfields.Match, usual: 6, goes: 1, text: matchText,
		compare: func(_ *list, a, b *row) int { return cmp.Compare(a.match, b.match) }},
	{name: "netns", title: "NetNS", needs: rowfields.NetNS, usual: 10, goes: 1, text: netnsText,
		compare: func(_ *list, a, b *row) int { return cmp.Compare(a.key.NetNS, b.key.NetNS) }},

	{name: "rate", title: "Rate", usual: 9, number: rateNumber,
		compare: func(l *list, a, b *row) int {
			return cmp.Compare(l.counters(a).At(l.rateLayer), l.counters(b).At(l.rateLayer))
		}},
	{name: "in", title: "In", usual: 9, goes: 8, needs: rowfields.Dir, number: inNumber,
		compare: func(l *list, a, b *row) int { return cmp.Compare(l.received(a), l.received(b)) }},
	{name: "out", title: "Out", usual: 9, goes: 8, needs: rowfields.Dir, number: outNumber,
		compare: func(l *list, a, b *row) int { return cmp.Compare(l.sent(a), l.sent(b)) }},
	{name: "pps", title: "Pkts/s", usual: 7, goes: 9, number: ppsNumber,
		compare: func(l *list, a, b *row) int { return cmp.Compare(l.counters(a).Packets, l.counters(b).Packets) }},
	{name: "packets", title: "Packets", usual: 8, goes: 5, number: packetsNumber,
		compare: func(_ *list, a, b *row) int { return cmp.Compare(a.total.Packets, b.total.Packets) }},
	{name: "bytes", title: "Bytes", usual: 8, goes: 11, number: bytesNumber,
		compare: func(_ *list, a, b *row) int { return cmp.Compare(a.total.Bytes, b.total.Bytes) }},
	{name: "retransmits", title: "Retrans", needs: rowfields.Retransmits, usual: 7, goes: 1,
		number:  func(b []byte, _ *list, r *row, _ *format) []byte { return strconv.AppendUint(b, r.again, 10) },
		compare: func(_ *list, a, b *row) int { return cmp.Compare(a.again, b.again) }},
	{name: "frame_bytes", title: "L2 bytes", usual: 9, goes: 1, number: frameNumber,
		compare: func(_ *list, a, b *row) int { return cmp.Compare(a.total.FrameBytes, b.total.FrameBytes) }},
	{name: "share", title: "Share", usual: 6, goes: 2, number: shareNumber,
		compare: func(l *list, a, b *row) int {
			return cmp.Compare(l.counters(a).At(l.rateLayer), l.counters(b).At(l.rateLayer))
		}},
}

func protoText(b []byte, c *cell) []byte {
	if !c.has.Has(rowfields.Proto) {
		return b
	}
	return append(b, c.row.Protocol()...)
}

func sourceText(b []byte, c *cell) []byte {
	return endpoint(b, c.row.Src, c.has.Has(rowfields.Src), c.has.Has(rowfields.SrcPort))
}

func destinationText(b []byte, c *cell) []byte {
	return endpoint(b, c.row.Dst, c.has.Has(rowfields.Dst), c.has.Has(rowfields.DstPort))
}

// endpoint is "192.0.2.1:443", the address alone where there is no port, "*:443"
// where flows are not grouped by address, "-" where there is neither.
func endpoint(b []byte, a netip.AddrPort, hasAddr, hasPort bool) []byte {
	switch {
	case hasAddr && hasPort:
		return a.AppendTo(b)
	case hasAddr:
		return a.Addr().AppendTo(b)
	case hasPort:
		return strconv.AppendUint(append(b, "*:"...), uint64(a.Port()), 10)
	}
	return append(b, '-')
}

func portText(b []byte, c *cell) []byte {
	if !c.has.Has(rowfields.DstPort) {
		return append(b, '-')
	}
	return strconv.AppendUint(b, uint64(c.row.Dst.Port()), 10)
}

func infoText(b []byte, c *cell) []byte { return append(b, c.has.Info(&c.row)...) }

func dirText(b []byte, c *cell) []byte {
	switch {
	case !c.has.Has(rowfields.Dir):
		return b
	case c.row.Dir == flow.Ingress:
		return append(b, "in"...)
	}
	return append(b, "out"...)
}

func ifaceText(b []byte, c *cell) []byte {
	if !c.has.Has(rowfields.Iface) {
		return append(b, '-')
	}
	return termsafe.Append(b, rowfields.IfaceName(&c.row))
}

// linkText tells what an interface is stacked on, too.
func linkText(b []byte, c *cell) []byte {
	b = ifaceText(b, c)
	for i, name := range c.on {
		lead := " on "
		if i > 0 {
			lead = ", "
		}
		b = termsafe.Append(append(b, lead...), name)
	}
	return b
}

func vlanText(b []byte, c *cell) []byte {
	return appendKnown(b, c.has.Has(rowfields.VLAN), uint64(c.row.VLAN))
}

func pidText(b []byte, c *cell) []byte {
	return appendKnown(b, c.has.Has(rowfields.PID), uint64(c.row.Owner.PID))
}

func uidText(b []byte, c *cell) []byte {
	return appendKnown(b, c.has.Has(rowfields.UID), uint64(c.row.Owner.UID))
}

func commText(b []byte, c *cell) []byte {
	if !c.has.Has(rowfields.Comm) {
		return append(b, '-')
	}
	return termsafe.Append(b, c.row.Owner.Comm)
}

// groupText is the container, or the cgroup of what is in none.
func groupText(b []byte, c *cell) []byte {
	o := &c.row.Owner
	switch {
	case c.has.Has(rowfields.Container):
		return termsafe.Append(b, o.Container)
	case c.has.Has(rowfields.Cgroup):
		return termsafe.Append(b, o.Cgroup)
	case c.has.Has(rowfields.CgroupID): // of a cgroup that has gone
		return strconv.AppendUint(append(b, "cgroup "...), o.CgroupID, 10)
	}
	return append(b, '-')
}

func matchText(b []byte, c *cell) []byte {
	if !c.has.Has(rowfields.Match) {
		return append(b, '-')
	}
	return append(b, c.row.Match.String()...)
}

func netnsText(b []byte, c *cell) []byte {
	return appendKnown(b, c.has.Has(rowfields.NetNS), uint64(c.row.NetNS))
}

func appendKnown(b []byte, known bool, v uint64) []byte {
	if !known {
		return append(b, '-')
	}
	return strconv.AppendUint(b, v, 10)
}

func compareSource(_ *list, a, b *row) int {
	return cmp.Or(cmp.Compare(a.key.Family, b.key.Family), bytes.Compare(a.key.Src[:], b.key.Src[:]), cmp.Compare(port(a, 16), port(b, 16)))
}

func compareDestination(_ *list, a, b *row) int {
	return cmp.Or(cmp.Compare(a.key.Family, b.key.Family), bytes.Compare(a.key.Dst[:], b.key.Dst[:]), cmp.Compare(port(a, 0), port(b, 0)))
}

func port(r *row, shift int) uint16 {
	if r.key.L4Kind != flow.L4Ports {
		return 0
	}
	return uint16(r.key.L4 >> shift)
}

func compareL4(_ *list, a, b *row) int {
	return cmp.Or(cmp.Compare(a.key.L4Kind, b.key.L4Kind), cmp.Compare(a.key.L4, b.key.L4))
}

func compareIface(_ *list, a, b *row) int { return cmp.Compare(a.key.Ifindex, b.key.Ifindex) }
func compareComm(_ *list, a, b *row) int  { return cmp.Compare(a.owner.Comm, b.owner.Comm) }

func compareGroup(_ *list, a, b *row) int {
	return cmp.Or(cmp.Compare(a.owner.Container, b.owner.Container), cmp.Compare(a.owner.Cgroup, b.owner.Cgroup),
		cmp.Compare(a.owner.CgroupID, b.owner.CgroupID))
}

// compareRest makes any order a total one.
func compareRest(a, b *row) int {
	if c := cmp.Compare(b.total.Packets, a.total.Packets); c != 0 {
		return c
	}
	x, y := &a.key, &b.key
	return cmp.Or(
		cmp.Compare(x.Family, y.Family), cmp.Compare(x.EtherType, y.EtherType), cmp.Compare(x.Proto, y.Proto),
		bytes.Compare(x.Src[:], y.Src[:]), bytes.Compare(x.Dst[:], y.Dst[:]),
		cmp.Compare(x.L4, y.L4), cmp.Compare(x.Dir, y.Dir), cmp.Compare(x.VLAN, y.VLAN),
		cmp.Compare(x.Ifindex, y.Ifindex), cmp.Compare(x.NetNS, y.NetNS), cmp.Compare(x.OwnerID, y.OwnerID),
		cmp.Compare(x.L4Kind, y.L4Kind),
	)
}
