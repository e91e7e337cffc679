package influx

import (
	"math"
	"strconv"
	"unicode"

	"github.com/pktstat/pktstat/flow"
)

// appendFlow appends one point: the flow as tags, its counters as fields. Only
// what is known and grouped by (--by) becomes a tag.
func appendFlow(b []byte, measurement string, r *flow.Report, row *flow.Row) []byte {
	b = appendStart(b, measurement, r)
	tag := func(dim flow.Dims, known bool, key, value string) {
		if known && r.Dims.Has(dim) {
			b = appendTag(b, key, value)
		}
	}
	tag(flow.DimProto, true, "proto", row.Protocol())
	tag(flow.DimProto, row.EtherType != 0, "ethertype", row.EtherType.String())
	tag(flow.DimSrc, row.Src.Addr().IsValid(), "src", row.Src.Addr().String())
	tag(flow.DimSrcPort, row.Src.Port() != 0, "src_port", strconv.Itoa(int(row.Src.Port())))
	tag(flow.DimDst, row.Dst.Addr().IsValid(), "dst", row.Dst.Addr().String())
	tag(flow.DimDstPort, row.Dst.Port() != 0, "dst_port", strconv.Itoa(int(row.Dst.Port())))
	tag(flow.DimSubtype, row.Subtype != 0, "subtype", strconv.FormatUint(uint64(row.Subtype), 10))
	tag(flow.DimVLAN, row.VLAN != 0, "vlan", strconv.Itoa(int(row.VLAN)))
	tag(flow.DimDir, row.Dir != flow.DirUnknown, "direction", row.Dir.String())
	tag(flow.DimIface, row.Iface != "", "iface", row.Iface)
	tag(flow.DimIface, row.Ifindex != 0 && row.Iface == "", "ifindex", strconv.FormatUint(uint64(row.Ifindex), 10))
	tag(flow.DimNetNS, row.NetNS != 0, "netns", strconv.FormatUint(uint64(row.NetNS), 10))
	tag(flow.DimPID, row.Owner.PID != 0, "pid", strconv.FormatUint(uint64(row.Owner.PID), 10))
	tag(flow.DimCgroup, row.Owner.CgroupID != 0, "cgroup_id", strconv.FormatUint(row.Owner.CgroupID, 10))
	return appendFields(b, row.Counters, r)
}

// appendSum appends what flows and sums add up to, and what is in no flow.
func appendSum(b []byte, measurement string, r *flow.Report, kind string, c flow.Counters) []byte {
	b = appendTag(appendStart(b, measurement+"_sum", r), "sum", kind)
	return appendFields(b, c, r)
}

// appendStart appends what all points of a report share. An interval's points are
// deltas and the run's are totals: a tag keeps them apart.
func appendStart(b []byte, measurement string, r *flow.Report) []byte {
	b = appendEscaped(b, measurement)
	span := "interval"
	if r.Final {
		span = "run"
	}
	return appendTag(appendTag(b, "span", span), "backend", r.Backend)
}

func appendTag(b []byte, key, value string) []byte {
	b = append(append(append(b, ','), key...), '=')
	return appendEscaped(b, value)
}

func appendFields(b []byte, c flow.Counters, r *flow.Report) []byte {
	b = appendUint(append(b, " packets="...), c.Packets)
	b = appendUint(append(b, ",bytes="...), c.Bytes)
	b = appendUint(append(b, ",frame_bytes="...), c.FrameBytes)
	b = strconv.AppendInt(append(b, ' '), r.End.UnixNano(), 10)
	return append(b, '\n')
}

// appendUint appends an integer field. Unsigned fields need InfluxDB 2; signed
// ones are understood everywhere, and enough for a few exabytes.
func appendUint(b []byte, v uint64) []byte {
	suffix := byte('i')
	if v > math.MaxInt64 {
		suffix = 'u'
	}
	return append(strconv.AppendUint(b, v, 10), suffix)
}

// appendEscaped escapes what ends a measurement or a tag. A line break ends the
// point whatever is before it, and a backslash at the end escapes what follows:
// neither can be written, and nothing invisible should be.
func appendEscaped(b []byte, s string) []byte {
	for _, r := range s {
		switch {
		case r == ',' || r == '=' || r == ' ':
			b = append(b, '\\', byte(r))
		case r == '\\' || !unicode.IsPrint(r):
			b = append(b, '_')
		default:
			b = append(b, string(r)...)
		}
	}
	return b
}
