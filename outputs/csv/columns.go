package csv

import (
	"net/netip"
	"slices"
	"strconv"
	"time"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/render/rowfields"
)

// line is what a line of the file shows: a flow, or one of the report's sums.
type line struct {
	report *flow.Report
	kind   string // "flow", "rest", "overflow", "lost", "total", "link", "link_total"
	row    flow.Row
	has    rowfields.Set
	counts flow.Counters
	isFlow bool
}

func (l *line) flow(r *flow.Report) {
	l.kind, l.isFlow = "flow", true
	l.has, l.counts = rowfields.Of(r.Dims, &l.row), l.row.Counters
}

// link shows what was counted on an interface, in the flow's column of that.
func (l *line) link(link *flow.Link) {
	l.sum("link", link.Counters)
	l.row.Iface, l.row.Ifindex = link.Name, link.Index
	if link.Index != 0 {
		l.has = rowfields.Iface
	}
}

func (l *line) sum(kind string, c flow.Counters) {
	l.kind, l.isFlow, l.has, l.counts = kind, false, 0, c
}

// column has a name and appends its cell of a line; nothing where it does not apply.
type column struct {
	name   string
	append func([]byte, *line) []byte
}

// columns returns the columns of the file: always the same ones, whatever flows
// are grouped by, so that files can be put together.
func columns(intervals bool) []column {
	if !intervals {
		return slices.Concat(kindColumn, flowColumns)
	}
	return slices.Concat(kindColumn, reportColumns, flowColumns)
}

var kindColumn = []column{
	{"row", func(b []byte, l *line) []byte { return append(b, l.kind...) }},
}

var reportColumns = []column{
	{"seq", func(b []byte, l *line) []byte { return uintCell(b, l.report.Seq) }},
	{"final", func(b []byte, l *line) []byte { return strconv.AppendBool(b, l.report.Final) }},
	{"start", func(b []byte, l *line) []byte { return timeCell(b, l.report.Start) }},
	{"end", func(b []byte, l *line) []byte { return timeCell(b, l.report.End) }},
}

var flowColumns = []column{
	field("proto", rowfields.Proto, func(b []byte, l *line) []byte {
		return append(b, l.row.Protocol()...)
	}),
	field("src", rowfields.Src, func(b []byte, l *line) []byte { return addrCell(b, l.row.Src) }),
	field("src_port", rowfields.SrcPort, func(b []byte, l *line) []byte { return uintCell(b, uint64(l.row.Src.Port())) }),
	field("dst", rowfields.Dst, func(b []byte, l *line) []byte { return addrCell(b, l.row.Dst) }),
	field("dst_port", rowfields.DstPort, func(b []byte, l *line) []byte { return uintCell(b, uint64(l.row.Dst.Port())) }),
	field("icmp_type", rowfields.ICMP, func(b []byte, l *line) []byte { return uintCell(b, uint64(l.row.Subtype>>8&0xff)) }),
	field("icmp_code", rowfields.ICMP, func(b []byte, l *line) []byte { return uintCell(b, uint64(l.row.Subtype&0xff)) }),
	field("spi", rowfields.SPI, subCell),
	field("gre_proto", rowfields.GREProto, func(b []byte, l *line) []byte {
		return rowfields.AppendHex16(b, uint16(l.row.Subtype))
	}),
	field("arp_op", rowfields.ARPOp, subCell),
	field("subtype", rowfields.Subtype, subCell),
	field("ethertype", rowfields.EtherType, func(b []byte, l *line) []byte {
		return rowfields.AppendHex16(b, uint16(l.row.EtherType))
	}),
	field("vlan", rowfields.VLAN, func(b []byte, l *line) []byte { return uintCell(b, uint64(l.row.VLAN)) }),
	field("direction", rowfields.Dir, func(b []byte, l *line) []byte { return append(b, l.row.Dir.String()...) }),
	field("iface", rowfields.Iface, func(b []byte, l *line) []byte { return appendText(b, rowfields.IfaceName(&l.row)) }),

	{"packets", func(b []byte, l *line) []byte { return uintCell(b, l.counts.Packets) }},
	{"bytes", func(b []byte, l *line) []byte { return uintCell(b, l.counts.Bytes) }},
	{"frame_bytes", func(b []byte, l *line) []byte { return uintCell(b, l.counts.FrameBytes) }},
	{"bytes_unknown", func(b []byte, l *line) []byte {
		if l.kind == "lost" && l.report.LostBytesUnknown {
			return append(b, "true"...)
		}
		return b
	}},
	{"bps", func(b []byte, l *line) []byte { return floatCell(b, l.report.BitRate(l.counts)) }},
	{"pps", func(b []byte, l *line) []byte { return floatCell(b, l.report.PacketRate(l.counts)) }},
	{"first", func(b []byte, l *line) []byte {
		if !l.isFlow {
			return b
		}
		return timeCell(b, l.row.First)
	}},
	{"last", func(b []byte, l *line) []byte {
		if !l.isFlow {
			return b
		}
		return timeCell(b, l.row.Last)
	}},

	field("pid", rowfields.PID, func(b []byte, l *line) []byte { return uintCell(b, uint64(l.row.Owner.PID)) }),
	field("comm", rowfields.Comm, func(b []byte, l *line) []byte { return appendText(b, l.row.Owner.Comm) }),
	field("uid", rowfields.UID, func(b []byte, l *line) []byte { return uintCell(b, uint64(l.row.Owner.UID)) }),
	field("cgroup_id", rowfields.CgroupID, func(b []byte, l *line) []byte { return uintCell(b, l.row.Owner.CgroupID) }),
	field("cgroup", rowfields.Cgroup, func(b []byte, l *line) []byte { return appendText(b, l.row.Owner.Cgroup) }),
	field("container", rowfields.Container, func(b []byte, l *line) []byte { return appendText(b, l.row.Owner.Container) }),
	field("match", rowfields.Match, func(b []byte, l *line) []byte { return append(b, l.row.Match.String()...) }),
	field("retransmits", rowfields.Retransmits, func(b []byte, l *line) []byte { return uintCell(b, l.row.Retransmits) }),
	field("netns", rowfields.NetNS, func(b []byte, l *line) []byte { return uintCell(b, uint64(l.row.NetNS)) }),
}

// field is a column of flows that have f.
func field(name string, f rowfields.Set, cell func([]byte, *line) []byte) column {
	return column{name, func(b []byte, l *line) []byte {
		if !l.has.Has(f) {
			return b
		}
		return cell(b, l)
	}}
}

func subCell(b []byte, l *line) []byte { return uintCell(b, uint64(l.row.Subtype)) }

func uintCell(b []byte, v uint64) []byte { return strconv.AppendUint(b, v, 10) }

// floatCell never writes an exponent: spreadsheets would round it.
func floatCell(b []byte, v float64) []byte { return strconv.AppendFloat(b, v, 'f', -1, 64) }

func addrCell(b []byte, a netip.AddrPort) []byte { return a.Addr().AppendTo(b) }

func timeCell(b []byte, t time.Time) []byte {
	if t.IsZero() {
		return b
	}
	return t.UTC().AppendFormat(b, time.RFC3339Nano)
}
