package plain

import (
	"net/netip"
	"strconv"
	"time"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/render/rowfields"
	"github.com/pktstat/pktstat/internal/render/termsafe"
)

// Six words are at the same place in every flow's line, so that awk can name
// them by number: direction, interface, protocol, source, ">", destination.
const (
	unknown  = "-" // the flow has none
	anyValue = "*" // flows are not grouped by it
)

func appendFlow(b []byte, r *flow.Report, row *flow.Row) []byte {
	has := rowfields.Of(r.Dims, row)
	word := func(dim flow.Dims, text string) {
		if !r.Dims.Has(dim) {
			text = anyValue
		}
		b = append(termsafe.AppendWord(b, text), ' ')
	}
	word(flow.DimDir, row.Dir.String())
	word(flow.DimIface, rowfields.IfaceName(row))
	word(flow.DimProto, row.Protocol())
	b = appendEndpoint(b, row.Src, r.Dims.Has(flow.DimSrc), has.Has(rowfields.SrcPort))
	b = append(b, " > "...)
	b = appendEndpoint(b, row.Dst, r.Dims.Has(flow.DimDst), has.Has(rowfields.DstPort))

	b = appendDetails(b, has, row)
	b = appendCounters(b, row.Counters)
	b = appendRates(b, r, row.Counters)
	return append(b, '\n')
}

// appendEndpoint appends "192.0.2.1:443", "[2001:db8::1]:443", or the address
// alone where there is no port.
func appendEndpoint(b []byte, a netip.AddrPort, byAddr, hasPort bool) []byte {
	switch {
	case byAddr && a.Addr().IsValid() && hasPort:
		return a.AppendTo(b)
	case byAddr && a.Addr().IsValid():
		return a.Addr().AppendTo(b)
	case byAddr:
		b = append(b, unknown...)
	default:
		b = append(b, anyValue...)
	}
	if hasPort {
		b = strconv.AppendUint(append(b, ':'), uint64(a.Port()), 10)
	}
	return b
}

// appendDetails appends what else identifies the flow, named as in the JSON report.
func appendDetails(b []byte, has rowfields.Set, row *flow.Row) []byte {
	if has.Has(rowfields.ICMP) {
		b = appendUint(b, "icmp_type", uint64(row.Subtype>>8&0xff))
		b = appendUint(b, "icmp_code", uint64(row.Subtype&0xff))
	}
	if has.Has(rowfields.SPI) {
		b = appendUint(b, "spi", uint64(row.Subtype))
	}
	if has.Has(rowfields.GREProto) {
		b = rowfields.AppendHex16(append(b, " gre_proto="...), uint16(row.Subtype))
	}
	if has.Has(rowfields.ARPOp) {
		b = appendUint(b, "arp_op", uint64(row.Subtype))
	}
	if has.Has(rowfields.Subtype) {
		b = appendUint(b, "subtype", uint64(row.Subtype))
	}
	if has.Has(rowfields.EtherType) {
		b = rowfields.AppendHex16(append(b, " ethertype="...), uint16(row.EtherType))
	}
	if has.Has(rowfields.VLAN) {
		b = appendUint(b, "vlan", uint64(row.VLAN))
	}
	if has.Has(rowfields.PID) {
		b = appendUint(b, "pid", uint64(row.Owner.PID))
	}
	if has.Has(rowfields.Comm) {
		b = termsafe.AppendWord(append(b, " comm="...), row.Owner.Comm)
	}
	if has.Has(rowfields.UID) {
		b = appendUint(b, "uid", uint64(row.Owner.UID))
	}
	if has.Has(rowfields.CgroupID) {
		b = appendUint(b, "cgroup_id", row.Owner.CgroupID)
	}
	if has.Has(rowfields.Cgroup) {
		b = termsafe.AppendWord(append(b, " cgroup="...), row.Owner.Cgroup)
	}
	if has.Has(rowfields.Container) {
		b = termsafe.AppendWord(append(b, " container="...), row.Owner.Container)
	}
	if has.Has(rowfields.Match) {
		b = append(append(b, " match="...), row.Match.String()...)
	}
	if has.Has(rowfields.Retransmits) {
		b = appendUint(b, "retransmits", row.Retransmits)
	}
	if has.Has(rowfields.NetNS) {
		b = appendUint(b, "netns", uint64(row.NetNS))
	}
	return b
}

// appendRetransmits appends those of a sum, if there are any.
func appendRetransmits(b []byte, n uint64) []byte {
	if n == 0 {
		return b
	}
	return appendUint(b, "retransmits", n)
}

// appendSums appends the lines after the flows. The last one, total, says what
// the numbers are of, and ends the report.
func appendSums(b []byte, r *flow.Report) []byte {
	again := &r.RetransmitSums
	if rest := r.FlowCount - len(r.Packed); rest > 0 || !r.Rest.IsZero() {
		b = appendUint(append(b, "rest"...), "flows", uint64(max(rest, 0)))
		b = append(appendCounters(appendRetransmits(b, again.Rest), r.Rest), '\n')
	}
	if !r.Overflow.IsZero() || again.Overflow > 0 {
		b = append(appendCounters(appendRetransmits(append(b, "overflow"...), again.Overflow), r.Overflow), '\n')
	}
	if !r.Lost.IsZero() || r.LostBytesUnknown {
		b = appendCounters(append(b, "lost"...), r.Lost)
		if r.LostBytesUnknown {
			b = append(b, " bytes_unknown=true"...)
		}
		b = append(b, '\n')
	}
	if r.Links != nil {
		b = appendLinks(b, r)
	}
	for _, note := range r.Notes {
		b = append(termsafe.Append(append(b, "note "...), note), '\n')
	}

	b = appendRetransmits(append(b, "total"...), again.Total)
	b = appendCounters(b, r.Total)
	b = appendRates(b, r, r.Total)
	b = appendUint(b, "flows", uint64(r.FlowCount))
	b = appendUint(b, "seq", r.Seq)
	b = strconv.AppendBool(append(b, " final="...), r.Final)
	b = appendTime(b, "start", r.Start)
	b = appendTime(b, "end", r.End)
	b = termsafe.AppendWord(append(b, " backend="...), r.Backend)
	b = termsafe.AppendWord(append(b, " attach="...), r.Attach)
	b = termsafe.AppendWord(append(b, " rate_layer="...), r.RateLayer.String())
	if r.PacketsInexact {
		b = append(b, " packets_exact=false"...)
	}
	return append(b, '\n')
}

// appendLinks appends a line for what was counted on each interface, and one for each
// packet once.
func appendLinks(b []byte, r *flow.Report) []byte {
	for i := range r.Links {
		l := &r.Links[i]
		name := l.Name
		if l.Index == 0 {
			name = unknown // gone, and forgotten
		}
		b = termsafe.AppendWord(append(b, "link iface="...), name)
		b = appendRates(appendCounters(b, l.Counters), r, l.Counters)
		for i, on := range l.StackedOn {
			lead := " stacked_on="
			if i > 0 {
				lead = ","
			}
			b = termsafe.AppendWord(append(b, lead...), on)
		}
		b = append(b, '\n')
	}
	b = appendCounters(append(b, "link_total"...), r.LinkTotal)
	return append(appendRates(b, r, r.LinkTotal), '\n')
}

func appendCounters(b []byte, c flow.Counters) []byte {
	b = appendUint(b, "packets", c.Packets)
	b = appendUint(b, "bytes", c.Bytes)
	return appendUint(b, "frame_bytes", c.FrameBytes)
}

func appendRates(b []byte, r *flow.Report, c flow.Counters) []byte {
	b = strconv.AppendFloat(append(b, " bps="...), r.BitRate(c), 'f', 0, 64)
	return strconv.AppendFloat(append(b, " pps="...), r.PacketRate(c), 'f', 2, 64)
}

func appendUint(b []byte, name string, v uint64) []byte {
	b = append(append(append(b, ' '), name...), '=')
	return strconv.AppendUint(b, v, 10)
}

func appendTime(b []byte, name string, t time.Time) []byte {
	if t.IsZero() {
		return b
	}
	b = append(append(append(b, ' '), name...), '=')
	return t.UTC().AppendFormat(b, time.RFC3339Nano)
}
