package packet

import (
	"encoding/binary"

	"github.com/pktstat/pktstat/flow"
)

// Marks returns the marks from a transport header. d may end inside the header.
func Marks(p flow.Proto, d []byte) flow.Marks {
	const tcpFlagsAt = 13
	if p == flow.TCP && len(d) > tcpFlagsAt {
		return flow.Marks{TCPFlags: flow.TCPFlags(d[tcpFlagsAt])}
	}
	return flow.Marks{}
}

// segment reads a TCP header that has flags. length is the length of header and payload.
func segment(d []byte, length int) Segment {
	header := int(d[12]>>4) * 4
	return Segment{Seq: binary.BigEndian.Uint32(d[4:]), Payload: uint32(max(length-header, 0))}
}

// greAck is the flag in the first four bytes of GRE that announces an acknowledgment (RFC 2637).
const greAck = 0x00800000

// transport sets the ports or the subtype from d, the captured part of the transport header. A
// missing field is 0.
func transport(d []byte, k *flow.Packed) {
	switch k.Proto {
	case flow.TCP, flow.UDP, flow.DCCP, flow.SCTP, flow.UDPLite:
		k.L4Kind = flow.L4Ports
		if len(d) >= 4 {
			k.L4 = binary.BigEndian.Uint32(d) // in the order of flow.Ports
		}
	case flow.ICMP, flow.ICMPv6:
		k.L4Kind = flow.L4Subtype
		if len(d) >= 2 {
			k.L4 = uint32(binary.BigEndian.Uint16(d)) // type, code
		}
	case flow.GRE:
		k.L4Kind = flow.L4Subtype
		if len(d) >= 4 {
			// Flags, version and protocol type. An acknowledgment (RFC 2637) does not
			// make another flow.
			k.L4 = binary.BigEndian.Uint32(d) &^ greAck
		}
	case flow.IGMP:
		k.L4Kind = flow.L4Subtype
		if len(d) >= 4 {
			k.L4 = uint32(d[0]) // type
		}
	case flow.OSPF:
		k.L4Kind = flow.L4Subtype
		if len(d) >= 4 {
			k.L4 = uint32(binary.BigEndian.Uint16(d)) // version, type
		}
	case flow.ESP:
		k.L4Kind = flow.L4Subtype
		if len(d) >= 4 {
			k.L4 = binary.BigEndian.Uint32(d) // SPI
		}
	case flow.AH:
		k.L4Kind = flow.L4Subtype
		// In IPv6, AH is an extension header. Here it is the ninth one.
		if k.Family == flow.FamilyIPv4 && len(d) >= 8 {
			k.L4 = binary.BigEndian.Uint32(d[4:]) // SPI
		}
	}
}
