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
	{Name: "local", Title: "Local", Help: "address of the local end; of the end that began where the direction is not known: see ends_by",
		Kind: Addr, By: DimEnds,
		Known: func(r *Row) bool { return r.Src.Addr().IsValid() },
		Addr:  func(r *Row) netip.Addr { return r.Src.Addr() }, Order: orderSrc},
	{Name: "local_port", Title: "Local port", Help: "port of the local end",
		By:    DimEndPorts,
		Known: func(r *Row) bool { return r.Src.Port() != 0 },
		Num:   func(r *Row) uint64 { return uint64(r.Src.Port()) }},
	{Name: "remote", Title: "Remote", Help: "address of the other end",
		Kind: Addr, By: DimEnds,
		Known: func(r *Row) bool { return r.Dst.Addr().IsValid() },
		Addr:  func(r *Row) netip.Addr { return r.Dst.Addr() }, Order: orderDst},
	{Name: "remote_port", Title: "Remote port", Help: "port of the other end",
		By:    DimEndPorts,
		Known: func(r *Row) bool { return r.Dst.Port() != 0 },
		Num:   func(r *Row) uint64 { return uint64(r.Dst.Port()) }},
	{Name: "host", Title: "Host", Noun: "host", Help: "address: a packet counts at its source and at its destination",
		Kind: Addr, Dim: DimHost, By: DimHost,
		Known: func(r *Row) bool { return r.Src.Addr().IsValid() },
		Addr:  func(r *Row) netip.Addr { return r.Src.Addr() }, Order: orderSrc},
	{Name: "port", Title: "Port", Noun: "service port", Help: "service port: the lower one of the two, as a rule the server's",
		Dim: DimService, By: DimService,
		Known: func(r *Row) bool { return r.Src.Port() != 0 },
		Num:   func(r *Row) uint64 { return uint64(r.Src.Port()) }},
	{Name: "icmp_type", Title: "ICMP type", Help: "type of an ICMP or ICMPv6 message",
		IPFIX: 176, By: DimSubtype, Applies: withProto, InInfo: true, Known: isICMP,
		Num: func(r *Row) uint64 { return uint64(r.Subtype >> 8 & 0xff) }},
	{Name: "icmp_code", Title: "ICMP code", Help: "code of an ICMP or ICMPv6 message",
		IPFIX: 177, By: DimSubtype, Applies: withProto, InInfo: true, Known: isICMP,
		Num: func(r *Row) uint64 { return uint64(r.Subtype & 0xff) }},
	{Name: "spi", Title: "SPI", Help: "security parameter index of ESP and AH",
		IPFIX: 295, By: DimSubtype, Applies: withProto, InInfo: true,
		Known: func(r *Row) bool { return isIP(r, ESP, AH) && r.Subtype != 0 },
		Num:   func(r *Row) uint64 { return uint64(r.Subtype) }},
	{Name: "gre_proto", Title: "GRE protocol", Help: "protocol type inside GRE",
		Kind: Hex16, By: DimSubtype, Applies: withProto, InInfo: true,
		Known: func(r *Row) bool { return isIP(r, GRE, GRE) && r.Subtype != 0 },
		Num:   func(r *Row) uint64 { return uint64(uint16(r.Subtype)) }},
	{Name: "gre_flags", Title: "GRE flags", Help: "flags of GRE: 0x8000 checksum, 0x2000 key, 0x1000 sequence number",
		Kind: Hex16, By: DimSubtype, Applies: withProto, InInfo: true,
		Known: func(r *Row) bool { return isIP(r, GRE, GRE) && r.Subtype != 0 },
		Num:   func(r *Row) uint64 { return uint64(r.Subtype>>16) &^ greVersion }},
	{Name: "gre_version", Title: "GRE version", Help: "version of GRE: 0, or 1 in PPTP",
		By: DimSubtype, Applies: withProto, InInfo: true,
		Known: func(r *Row) bool { return isIP(r, GRE, GRE) && r.Subtype != 0 },
		Num:   func(r *Row) uint64 { return uint64(r.Subtype>>16) & greVersion }},
	{Name: "igmp_type", Title: "IGMP type", Help: "type of an IGMP message",
		IPFIX: 33, By: DimSubtype, Applies: withProto, InInfo: true,
		Known: func(r *Row) bool { return isIP(r, IGMP, IGMP) && r.Subtype != 0 },
		Num:   func(r *Row) uint64 { return uint64(r.Subtype) }},
	{Name: "ospf_version", Title: "OSPF version", Help: "version of OSPF: 2, or 3 for IPv6",
		By: DimSubtype, Applies: withProto, InInfo: true,
		Known: func(r *Row) bool { return isIP(r, OSPF, OSPF) && r.Subtype != 0 },
		Num:   func(r *Row) uint64 { return uint64(r.Subtype >> 8) }},
	{Name: "ospf_type", Title: "OSPF type", Help: "type of an OSPF packet: 1 is hello",
		By: DimSubtype, Applies: withProto, InInfo: true,
		Known: func(r *Row) bool { return isIP(r, OSPF, OSPF) && r.Subtype != 0 },
		Num:   func(r *Row) uint64 { return uint64(r.Subtype & 0xff) }},
	{Name: "arp_op", Title: "ARP operation", Help: "operation of ARP: 1 request, 2 reply",
		By: DimSubtype, Applies: withProto, InInfo: true,
		Known: func(r *Row) bool { return r.EtherType == EtherTypeARP && r.Subtype != 0 },
		Num:   func(r *Row) uint64 { return uint64(r.Subtype) }},
	{Name: "subtype", Title: "Subtype", Noun: "subtype", Help: "ICMP type and code, SPI, GRE flags and protocol, IGMP type, OSPF version and type or ARP operation, of rows without protocol",
		Dim: DimSubtype, By: DimSubtype, InInfo: true, Applies: func(d Dims) bool { return !d.Has(DimProto) },
		Known: func(r *Row) bool { return r.Subtype != 0 },
		Num:   func(r *Row) uint64 { return uint64(r.Subtype) }},
	{Name: "ethertype", Title: "EtherType", Help: "type of a frame that is neither IP nor ARP",
		Kind: Hex16, IPFIX: 256, By: DimProto, InInfo: true,
		Known: func(r *Row) bool { return r.EtherType != 0 && r.Protocol() == "ETH" },
		Num:   func(r *Row) uint64 { return uint64(r.EtherType) }},
	{Name: "info", Title: "Info", Help: "type of an ICMP, ESP, AH, GRE, IGMP, OSPF, ARP or other packet, in words",
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
	{Name: "out_packets", Object: "out", Member: "packets", Title: "Packets out", Help: "packets that the local end has sent",
		Role: Measure, By: DimEnds | DimHost, Sum: func(t *Totals) uint64 { return t.Out.Packets }},
	{Name: "out_bytes", Object: "out", Member: "bytes", Title: "Bytes out", Help: "bytes of layer 3 that the local end has sent",
		Role: Measure, Kind: Bytes, Layer: LayerIP, By: DimEnds | DimHost, Sum: func(t *Totals) uint64 { return t.Out.Bytes }},
	{Name: "out_frame_bytes", Object: "out", Member: "frame_bytes", Title: "Frame bytes out", Help: "bytes of layer 2 that the local end has sent",
		Role: Measure, Kind: Bytes, Layer: LayerFrame, By: DimEnds | DimHost, Sum: func(t *Totals) uint64 { return t.Out.FrameBytes }},
	{Name: "in_packets", Object: "in", Member: "packets", Title: "Packets in", Help: "packets that the local end has received",
		Role: Measure, By: DimEnds | DimHost, Sum: func(t *Totals) uint64 { return t.In.Packets }},
	{Name: "in_bytes", Object: "in", Member: "bytes", Title: "Bytes in", Help: "bytes of layer 3 that the local end has received",
		Role: Measure, Kind: Bytes, Layer: LayerIP, By: DimEnds | DimHost, Sum: func(t *Totals) uint64 { return t.In.Bytes }},
	{Name: "in_frame_bytes", Object: "in", Member: "frame_bytes", Title: "Frame bytes in", Help: "bytes of layer 2 that the local end has received",
		Role: Measure, Kind: Bytes, Layer: LayerFrame, By: DimEnds | DimHost, Sum: func(t *Totals) uint64 { return t.In.FrameBytes }},
	{Name: "retransmits", Title: "Retransmits", Help: "retransmitted TCP segments",
		Role: Measure, Sparse: true, Sum: func(t *Totals) uint64 { return t.Retransmits }},
	{Name: "retransmit_bytes", Title: "Retransmitted bytes", Help: "bytes of TCP payload that were sent again",
		Role: Measure, Kind: Bytes, Sparse: true, Detail: true, Sum: func(t *Totals) uint64 { return t.RetransmitBytes }},
	{Name: "resets", Title: "Resets", Help: "TCP segments with RST",
		Role: Measure, Sparse: true, Detail: true, Sum: func(t *Totals) uint64 { return t.Resets }},
	{Name: "connect_failed", Title: "Connect failed", Help: "attempts to connect by TCP that were refused or not answered",
		Role: Measure, Sparse: true, Detail: true, Sum: func(t *Totals) uint64 { return t.ConnectFailed }},

	{Name: "tcp_flags", Aliases: []string{"flags"}, Title: "TCP flags", Help: "TCP flags of all packets: S SYN, A ACK, P PSH, F FIN, R RST, U URG, E ECE, C CWR",
		Role: Mark, Kind: Flags, Detail: true, IPFIX: 6,
		Known: func(r *Row) bool { return r.TCPFlags != 0 },
		Num:   func(r *Row) uint64 { return uint64(r.TCPFlags) },
		Text:  func(r *Row) string { return r.TCPFlags.String() },
		Order: []func(*PackedRow) uint64{func(p *PackedRow) uint64 { return uint64(p.TCPFlags) }}},

	{Name: "ends_by", Title: "Ends by", Help: "how the local end is known: direction, syn, port or order",
		Role: Mark, Kind: Word, Detail: true, By: DimEnds,
		Known: func(r *Row) bool { return r.EndsBy != EndsUnset },
		Text:  func(r *Row) string { return r.EndsBy.String() }},
	{Name: "retransmits_by", Title: "Retransmits by", Help: "how retransmits are known: sequence (numbers of the packets) or kernel (its own count)",
		Role: Mark, Kind: Word, Detail: true, Known: func(r *Row) bool { return r.RetransmitsBy != RetransmitsUnset },
		Text: func(r *Row) string { return r.RetransmitsBy.String() }},
	{Name: "rtt", Title: "RTT", Help: "round-trip time of TCP handshakes, the shortest of the row, in seconds",
		Role: Mark, Kind: Duration, Detail: true, Known: func(r *Row) bool { return r.RTT != 0 },
		Num: func(r *Row) uint64 { return uint64(r.RTT) }},
	{Name: "rtt_by", Title: "RTT by", Help: "how the round-trip time is known: handshake, refused (SYN to RST) or syn_ack (the initiator's part)",
		Role: Mark, Kind: Word, Detail: true, Known: func(r *Row) bool { return r.RTTBy != RTTUnset },
		Text: func(r *Row) string { return r.RTTBy.String() }},
	{Name: "tcp_state", Title: "State", Help: "state of TCP by the flags of all packets: syn, established, fin or reset",
		Role: Mark, Kind: Word, Detail: true, Known: func(r *Row) bool { return r.TCPFlags != 0 },
		Text: func(r *Row) string { return r.TCPFlags.State() }},

	{Name: "bps", Aliases: []string{"rate"}, Title: "Rate", Help: "bits a second of the rate layer, over the report",
		Role: Rate, Kind: BitRate, Rate: func(l Layer, t *Totals) uint64 { return t.At(l) }},
	{Name: "pps", Aliases: []string{"packet_rate"}, Title: "Packet rate", Help: "packets a second, over the report",
		Role: Rate, Kind: PacketRate, Rate: func(_ Layer, t *Totals) uint64 { return t.Packets }},
	{Name: "out_bps", Object: "out", Member: "bps", Aliases: []string{"rate_out"}, Title: "Rate out", Help: "bits a second that the local end has sent",
		Role: Rate, Kind: BitRate, By: DimEnds | DimHost, Rate: func(l Layer, t *Totals) uint64 { return t.Out.At(l) }},
	{Name: "in_bps", Object: "in", Member: "bps", Aliases: []string{"rate_in"}, Title: "Rate in", Help: "bits a second that the local end has received",
		Role: Rate, Kind: BitRate, By: DimEnds | DimHost, Rate: func(l Layer, t *Totals) uint64 { return t.In.At(l) }},
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

// greVersion is the part of the first two bytes of GRE that is its version (RFC 2784).
const greVersion = 7

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
