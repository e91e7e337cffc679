package flow

import (
	"encoding/binary"
	"net/netip"
	"strconv"
	"time"
)

// packetFields are the fields read from packets, and their counters.
var packetFields = []Field{
	{Name: "proto", Title: "Proto", Noun: "protocol", Help: "IP protocol, ARP, or ETH for other frames",
		Kind: Word, IPFIX: 4, Dim: DimProto, By: DimProto,
		Text: func(r *Row) string { return r.Protocol() }, Order: orderProtocol},
	{Name: "src", Aliases: []string{"source", "saddr"}, Title: "Source", Noun: "source", Help: "source address",
		Kind: Addr, IPFIX: 8, Dim: DimSrc, By: DimSrc,
		Known: func(r *Row) bool { return r.Src.Addr().IsValid() },
		Addr:  func(r *Row) netip.Addr { return r.Src.Addr() }, Order: orderSrc},
	{Name: "src_port", Aliases: []string{"sport"}, Title: "Source port", Noun: "source port", Help: "source port",
		IPFIX: 7, Dim: DimSrcPort, By: DimSrcPort,
		Known: func(r *Row) bool { return r.Src.Port() != 0 },
		Num:   func(r *Row) uint64 { return uint64(r.Src.Port()) }},
	{Name: "dst", Aliases: []string{"destination", "daddr"}, Title: "Destination", Noun: "destination", Help: "destination address",
		Kind: Addr, IPFIX: 12, Dim: DimDst, By: DimDst,
		Known: func(r *Row) bool { return r.Dst.Addr().IsValid() },
		Addr:  func(r *Row) netip.Addr { return r.Dst.Addr() }, Order: orderDst},
	{Name: "dst_port", Aliases: []string{"dport"}, Title: "Destination port", Noun: "destination port", Help: "destination port",
		IPFIX: 11, Dim: DimDstPort, By: DimDstPort,
		Known: func(r *Row) bool { return r.Dst.Port() != 0 },
		Num:   func(r *Row) uint64 { return uint64(r.Dst.Port()) }},
	{Name: "icmp_type", Title: "ICMP type", Help: "type of an ICMP or ICMPv6 message",
		IPFIX: 176, By: DimSubtype, Applies: withProto, Known: isICMP,
		Num: func(r *Row) uint64 { return uint64(r.Subtype >> 8 & 0xff) }},
	{Name: "icmp_code", Title: "ICMP code", Help: "code of an ICMP or ICMPv6 message",
		IPFIX: 177, By: DimSubtype, Applies: withProto, Known: isICMP,
		Num: func(r *Row) uint64 { return uint64(r.Subtype & 0xff) }},
	{Name: "spi", Title: "SPI", Help: "security parameter index of ESP and AH",
		IPFIX: 295, By: DimSubtype, Applies: withProto,
		Known: func(r *Row) bool { return isIP(r, ESP, AH) && r.Subtype != 0 },
		Num:   func(r *Row) uint64 { return uint64(r.Subtype) }},
	{Name: "gre_proto", Title: "GRE protocol", Help: "protocol type inside GRE",
		Kind: Hex16, By: DimSubtype, Applies: withProto,
		Known: func(r *Row) bool { return isIP(r, GRE, GRE) && r.Subtype != 0 },
		Num:   func(r *Row) uint64 { return uint64(uint16(r.Subtype)) }},
	{Name: "arp_op", Title: "ARP operation", Help: "operation of ARP: 1 request, 2 reply",
		By: DimSubtype, Applies: withProto,
		Known: func(r *Row) bool { return r.EtherType == EtherTypeARP && r.Subtype != 0 },
		Num:   func(r *Row) uint64 { return uint64(r.Subtype) }},
	{Name: "subtype", Title: "Subtype", Noun: "subtype", Help: "ICMP type and code, SPI, GRE protocol or ARP operation, of rows without protocol",
		Dim: DimSubtype, By: DimSubtype, Applies: func(d Dims) bool { return !d.Has(DimProto) },
		Known: func(r *Row) bool { return r.Subtype != 0 },
		Num:   func(r *Row) uint64 { return uint64(r.Subtype) }},
	{Name: "ethertype", Title: "EtherType", Help: "type of a frame that is neither IP nor ARP",
		Kind: Hex16, IPFIX: 256, By: DimProto,
		Known: func(r *Row) bool { return r.EtherType != 0 && r.Protocol() == "ETH" },
		Num:   func(r *Row) uint64 { return uint64(r.EtherType) }},
	{Name: "info", Title: "Info", Help: "type of an ICMP, ESP, AH, GRE, ARP or other packet, in words",
		Kind: Word, By: DimSubtype | DimProto, Derived: true, Text: (*Row).info,
		Known: func(r *Row) bool { return r.info() != "" }},
	{Name: "vlan", Title: "VLAN", Noun: "VLAN", Help: "id of the outermost 802.1Q or 802.1ad tag",
		IPFIX: 58, Dim: DimVLAN, By: DimVLAN,
		Known: func(r *Row) bool { return r.VLAN != 0 },
		Num:   func(r *Row) uint64 { return uint64(r.VLAN) }},
	{Name: "direction", Aliases: []string{"dir"}, Title: "Direction", Noun: "direction", Help: "ingress or egress, as the interface or socket sees it",
		Kind: Word, IPFIX: 61, Dim: DimDir, By: DimDir,
		Known: func(r *Row) bool { return r.Dir != DirUnknown },
		Text:  func(r *Row) string { return r.Dir.String() },
		Order: []func(*PackedRow) uint64{func(p *PackedRow) uint64 { return uint64(p.Key.Dir) }}},
	{Name: "iface", Aliases: []string{"interface"}, Title: "Interface", Noun: "interface", Help: "network interface",
		Kind: Text, IPFIX: 82, Dim: DimIface, By: DimIface,
		Known: func(r *Row) bool { return r.Ifindex != 0 },
		Text:  (*Row).IfaceName},
	{Name: "netns", Title: "Namespace", Noun: "network namespace", Help: "network namespace, by inode number",
		Dim: DimNetNS, By: DimNetNS,
		Known: func(r *Row) bool { return r.NetNS != 0 },
		Num:   func(r *Row) uint64 { return uint64(r.NetNS) }},

	{Name: "packets", Title: "Packets", Help: "packets on the wire; a merged frame counts as its segments",
		Role: Measure, IPFIX: 2, Sum: func(t *Totals) uint64 { return t.Packets }},
	{Name: "bytes", Title: "Bytes", Help: "bytes of layer 3",
		Role: Measure, Kind: Bytes, Layer: LayerIP, IPFIX: 1, Sum: func(t *Totals) uint64 { return t.Bytes }},
	{Name: "frame_bytes", Title: "Frame bytes", Help: "bytes of layer 2, without preamble and FCS",
		Role: Measure, Kind: Bytes, Layer: LayerFrame, IPFIX: 352, Sum: func(t *Totals) uint64 { return t.FrameBytes }},
	{Name: "retransmits", Title: "Retransmits", Help: "retransmitted TCP segments",
		Role: Measure, Sparse: true, Sum: func(t *Totals) uint64 { return t.Retransmits }},

	{Name: "tcp_flags", Aliases: []string{"flags"}, Title: "TCP flags", Help: "TCP flags of all packets: S SYN, A ACK, P PSH, F FIN, R RST, U URG, E ECE, C CWR",
		Role: Mark, Kind: Flags, Detail: true, IPFIX: 6,
		Known: func(r *Row) bool { return r.TCPFlags != 0 },
		Num:   func(r *Row) uint64 { return uint64(r.TCPFlags) },
		Text:  func(r *Row) string { return r.TCPFlags.String() },
		Order: []func(*PackedRow) uint64{func(p *PackedRow) uint64 { return uint64(p.TCPFlags) }}},

	{Name: "bps", Aliases: []string{"rate"}, Title: "Rate", Help: "bits a second of the rate layer, over the report",
		Role: Rate, Kind: BitRate, Rate: func(l Layer, c *Counters) uint64 { return c.At(l) }},
	{Name: "pps", Aliases: []string{"packet_rate"}, Title: "Packet rate", Help: "packets a second, over the report",
		Role: Rate, Kind: PacketRate, Rate: func(_ Layer, c *Counters) uint64 { return c.Packets }},
	{Name: "first", Title: "First seen", Help: "time of the first packet", Role: When, Kind: Time, IPFIX: 152,
		Time:  func(r *Row) time.Time { return r.First },
		Order: []func(*PackedRow) uint64{func(p *PackedRow) uint64 { return uint64(p.First) }}},
	{Name: "last", Title: "Last seen", Help: "time of the last packet", Role: When, Kind: Time, IPFIX: 153,
		Time:  func(r *Row) time.Time { return r.Last },
		Order: []func(*PackedRow) uint64{func(p *PackedRow) uint64 { return uint64(p.Last) }}},
}

// withProto reports whether rows are grouped by the protocol, which gives Key.Subtype its
// meaning.
func withProto(d Dims) bool { return d.Has(DimProto) }

func isIP(r *Row, a, b Proto) bool { return r.EtherType == 0 && (r.Proto == a || r.Proto == b) }

// isICMP reports whether the row has an ICMP type and code. Only in ICMP is 0 a valid type: the
// echo reply (RFC 792).
func isICMP(r *Row) bool {
	return r.EtherType == 0 && (r.Proto == ICMP || r.Proto == ICMPv6 && r.Subtype != 0)
}

// IfaceName returns the name of the row's interface. An index without a name reads "if7", as in
// iproute2 (ll_index_to_name).
func (r *Row) IfaceName() string {
	if r.Iface != "" || r.Ifindex == 0 {
		return r.Iface
	}
	return "if" + strconv.FormatUint(uint64(r.Ifindex), 10)
}

// Sort keys of fields whose value does not fit into one number.
var (
	orderSrc = []func(*PackedRow) uint64{
		func(p *PackedRow) uint64 { return binary.BigEndian.Uint64(p.Key.Src[:8]) },
		func(p *PackedRow) uint64 { return binary.BigEndian.Uint64(p.Key.Src[8:]) },
	}
	orderDst = []func(*PackedRow) uint64{
		func(p *PackedRow) uint64 { return binary.BigEndian.Uint64(p.Key.Dst[:8]) },
		func(p *PackedRow) uint64 { return binary.BigEndian.Uint64(p.Key.Dst[8:]) },
	}
	orderProtocol = []func(*PackedRow) uint64{
		func(p *PackedRow) uint64 { return protocolName(p, 0) },
		func(p *PackedRow) uint64 { return protocolName(p, 8) },
	}
)

// protocolName returns eight bytes of the protocol's name.
func protocolName(p *PackedRow, from int) uint64 {
	k := Key{Proto: p.Key.Proto, EtherType: p.Key.EtherType}
	var b [16]byte
	copy(b[:], k.Protocol())
	return binary.BigEndian.Uint64(b[from:])
}
