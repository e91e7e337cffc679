package table

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/render/rowfields"
	"github.com/pktstat/pktstat/internal/render/termsafe"
	"github.com/pktstat/pktstat/internal/render/units"
)

// column is a kind of column.
type column struct {
	name  string // in the option columns
	title string
	dims  flow.Dims // it has something to show if flows are grouped by one of these
	extra bool      // shown only when asked for

	// cell is the text of a flow; nil for numbers, which number gives of flows
	// and sums alike.
	cell   func(row *flow.Row, has rowfields.Set, dims flow.Dims) string
	number func(r *flow.Report, c flow.Counters, u units.System) string
	sum    func(s *sum) string // what a column of text has of sums; nil: nothing

	// goes is the place in the order in which columns are given up on a narrow
	// terminal, 1 first; 0: never.
	goes int
	// squeeze is the width to which addresses are rather shortened than that the
	// column goes; 0: they are not.
	squeeze int
	// shrinks: cells may be shortened in the middle.
	shrinks bool
}

// Widths of addresses: IPv4 with its port is never shortened for the sake of
// another column, IPv6 must keep enough to be told apart.
const (
	ipv4Width   = len("255.255.255.255:65535")
	comfortable = 24
)

var allColumns = []*column{
	{name: "proto", title: "Proto", dims: flow.DimProto, cell: func(row *flow.Row, has rowfields.Set, _ flow.Dims) string {
		if !has.Has(rowfields.Proto) {
			return ""
		}
		return row.Protocol()
	}},
	{name: "source", title: "Source", dims: flow.DimSrc | flow.DimSrcPort, shrinks: true,
		cell: func(row *flow.Row, has rowfields.Set, _ flow.Dims) string {
			return endpoint(row.Src, has.Has(rowfields.Src), has.Has(rowfields.SrcPort))
		}},
	{name: "destination", title: "Destination", dims: flow.DimDst | flow.DimDstPort, shrinks: true,
		cell: func(row *flow.Row, has rowfields.Set, _ flow.Dims) string {
			return endpoint(row.Dst, has.Has(rowfields.Dst), has.Has(rowfields.DstPort))
		}},
	{name: "info", title: "Info", dims: flow.DimSubtype | flow.DimProto, goes: 7, cell: func(row *flow.Row, has rowfields.Set, _ flow.Dims) string {
		return has.Info(row)
	}},
	{name: "dir", title: "Dir", dims: flow.DimDir, goes: 9, cell: func(row *flow.Row, _ rowfields.Set, _ flow.Dims) string {
		return row.Dir.String()
	}},
	{name: "iface", title: "Iface", dims: flow.DimIface, goes: 5, cell: func(row *flow.Row, _ rowfields.Set, _ flow.Dims) string {
		return termsafe.String(rowfields.IfaceName(row))
	}},
	{name: "vlan", title: "VLAN", dims: flow.DimVLAN, goes: 4, cell: func(row *flow.Row, _ rowfields.Set, _ flow.Dims) string {
		return nonZero(uint64(row.VLAN))
	}},
	{name: "pid", title: "PID", dims: flow.DimPID, goes: 13, cell: func(row *flow.Row, _ rowfields.Set, _ flow.Dims) string {
		return nonZero(uint64(row.Owner.PID))
	}},
	{name: "comm", title: "Process", dims: flow.DimPID | flow.DimComm, goes: 14, cell: func(row *flow.Row, _ rowfields.Set, _ flow.Dims) string {
		return termsafe.String(row.Owner.Comm)
	}},
	{name: "uid", title: "UID", dims: flow.DimPID, goes: 2, cell: func(row *flow.Row, has rowfields.Set, _ flow.Dims) string {
		if !has.Has(rowfields.UID) {
			return ""
		}
		return strconv.FormatUint(uint64(row.Owner.UID), 10)
	}},
	{name: "cgroup", title: "Cgroup", dims: flow.DimPID | flow.DimCgroup, goes: 3, cell: func(row *flow.Row, _ rowfields.Set, _ flow.Dims) string {
		if row.Owner.Cgroup == "" && row.Owner.CgroupID != 0 {
			return "id " + strconv.FormatUint(row.Owner.CgroupID, 10)
		}
		return termsafe.String(row.Owner.Cgroup)
	}},
	{name: "container", title: "Container", dims: flow.DimsOwner &^ flow.DimComm, goes: 6, cell: func(row *flow.Row, _ rowfields.Set, _ flow.Dims) string {
		return termsafe.String(row.Owner.Container)
	}},
	{name: "match", title: "Match", goes: 8, cell: func(row *flow.Row, _ rowfields.Set, _ flow.Dims) string {
		return row.Match.String()
	}},
	{name: "retransmits", title: "Retrans", goes: 8, sum: func(s *sum) string { return nonZero(s.retransmits) }, cell: func(row *flow.Row, _ rowfields.Set, _ flow.Dims) string {
		return nonZero(row.Retransmits)
	}},
	{name: "netns", title: "NetNS", dims: flow.DimNetNS, goes: 1, cell: func(row *flow.Row, _ rowfields.Set, _ flow.Dims) string {
		return nonZero(uint64(row.NetNS))
	}},
	{name: "packets", title: "Packets", goes: 12, squeeze: comfortable, number: func(_ *flow.Report, c flow.Counters, _ units.System) string {
		return strconv.FormatUint(c.Packets, 10)
	}},
	{name: "bytes", title: "Bytes", goes: 15, squeeze: ipv4Width, number: func(_ *flow.Report, c flow.Counters, u units.System) string {
		return u.Bytes(c.Bytes)
	}},
	{name: "frame_bytes", title: "Frame bytes", goes: 11, extra: true, number: func(_ *flow.Report, c flow.Counters, u units.System) string {
		return u.Bytes(c.FrameBytes)
	}},
	{name: "rate", title: "Rate", number: func(r *flow.Report, c flow.Counters, _ units.System) string {
		return units.BitRate(r.BitRate(c))
	}},
	{name: "pps", title: "Packet rate", goes: 10, extra: true, number: func(r *flow.Report, c flow.Counters, _ units.System) string {
		return units.PacketRate(r.PacketRate(c))
	}},
}

// labelColumn holds "rest", "total" where no other column of text is free for it.
var labelColumn = &column{cell: func(*flow.Row, rowfields.Set, flow.Dims) string { return "" }}

func columnNames() string {
	names := make([]string, len(allColumns))
	for i, c := range allColumns {
		names[i] = c.name
	}
	return strings.Join(names, ", ")
}

func parseColumns(s string) ([]*column, error) {
	var cols []*column
next:
	for name := range strings.SplitSeq(s, "+") {
		for _, c := range allColumns {
			if c.name == name {
				cols = append(cols, c)
				continue next
			}
		}
		return nil, fmt.Errorf("unknown column %q: there are %s", name, columnNames())
	}
	return cols, nil
}

// endpoint is "192.0.2.1:443", "[2001:db8::1]:443", the address alone where there
// is no port, "*:443" where flows are not grouped by address.
func endpoint(a netip.AddrPort, hasAddr, hasPort bool) string {
	switch {
	case hasAddr && hasPort:
		return a.String()
	case hasAddr:
		return a.Addr().String()
	case hasPort:
		return "*:" + strconv.Itoa(int(a.Port()))
	}
	return ""
}

func nonZero(v uint64) string {
	if v == 0 {
		return ""
	}
	return strconv.FormatUint(v, 10)
}
