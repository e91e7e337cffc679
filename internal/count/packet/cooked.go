package packet

import (
	"encoding/binary"
	"math/bits"

	"github.com/pktstat/pktstat/flow"
)

// The link types in this file have a header that was never on the wire.

const (
	nullLen  = 4
	encLen   = 12
	sllLen   = 16
	sll2Len  = 20
	ipnetLen = 24
)

// cooked removes a header of n bytes. It returns false if the header is incomplete.
func cooked(data []byte, origLen, n int, f *Frame) bool {
	if len(data) < n {
		opaque(flow.EtherTypeRunt, origLen-n, f)
		return false
	}
	*f = Frame{Data: data[n:], Len: origLen - n, Raw: true}
	return true
}

// null reads BSD's loopback header: an address family in host byte order.
func null(data []byte, origLen int, f *Frame) {
	if cooked(data, origLen, nullLen, f) {
		f.EtherType = familyType(hostOrder(data))
	}
}

// loop reads OpenBSD's loopback header: an address family in big-endian.
func loop(data []byte, origLen int, f *Frame) {
	if cooked(data, origLen, nullLen, f) {
		f.EtherType = familyType(binary.BigEndian.Uint32(data))
	}
}

// enc reads the header of OpenBSD's enc interface: address family, SPI and flags.
func enc(data []byte, origLen int, f *Frame) {
	if cooked(data, origLen, encLen, f) {
		f.EtherType = familyType(hostOrder(data))
	}
}

// pflog reads the header of OpenBSD's packet filter log (net/if_pflog.h), padded to 4 bytes.
func pflog(data []byte, origLen int, f *Frame) {
	const shortest = 48
	n := shortest
	if len(data) > 0 {
		n = max(n, (int(data[0])+3)&^3)
	}
	if cooked(data, origLen, n, f) {
		f.EtherType = familyType(uint32(data[1]))
	}
}

// hostOrder reads an address family in either byte order. Every family is below 2^16.
func hostOrder(d []byte) uint32 {
	family := binary.BigEndian.Uint32(d)
	if family > 0xffff {
		family = bits.ReverseBytes32(family)
	}
	return family
}

// familyType returns the ethertype of an address family. It returns 0 for a family that is not IP
// on any system; the packet's first bits then determine the type.
func familyType(family uint32) flow.EtherType {
	switch family {
	case 2: // AF_INET everywhere
		return flow.EtherTypeIPv4
	case 10, 23, 24, 28, 30: // AF_INET6 of Linux, Windows, NetBSD and OpenBSD, FreeBSD, Darwin
		return flow.EtherTypeIPv6
	}
	return 0
}

// ipnet reads the header of Solaris' ipnet devices (pcap/ipnet.h): version, family, and others.
func ipnet(data []byte, origLen int, f *Frame) {
	const solarisINET6 = 26
	switch {
	case !cooked(data, origLen, ipnetLen, f):
	case data[1] == solarisINET6:
		f.EtherType = flow.EtherTypeIPv6
	default:
		f.EtherType = familyType(uint32(data[1]))
	}
}

func sll(data []byte, origLen int, f *Frame) {
	if cooked(data, origLen, sllLen, f) {
		f.EtherType = realType(typeAt(data, 14))
		f.LinkLen = replacedLen(data[2:])
	}
}

func sll2(data []byte, origLen int, f *Frame) {
	if cooked(data, origLen, sll2Len, f) {
		f.EtherType = realType(typeAt(data, 0))
		f.LinkLen = replacedLen(data[8:])
	}
}

// realType returns the ethertype for a type field. Values below 0x0600 (ETH_P_802_3, ETH_P_802_2,
// ...) mark frames without ethertype. 0 has another meaning in Frame.
func realType(t flow.EtherType) flow.EtherType {
	if t >= minType {
		return t
	}
	return flow.EtherTypeLLC
}

// replacedLen returns the length of the link header that a cooked header replaces, by the
// device's ARPHRD number.
func replacedLen(b []byte) int {
	switch binary.BigEndian.Uint16(b) {
	case 1, 772: // ARPHRD_ETHER, ARPHRD_LOOPBACK
		return ethernetLen
	}
	return 0
}

func sllDirection(d []byte) flow.Direction {
	if len(d) < 2 || d[0] != 0 {
		return flow.DirUnknown
	}
	return DirectionOf(d[1])
}

func sll2Direction(d []byte) flow.Direction {
	if len(d) < 11 {
		return flow.DirUnknown
	}
	return DirectionOf(d[10])
}

// DirectionOf returns the direction of a packet type in linux/if_packet.h.
func DirectionOf(packetType byte) flow.Direction {
	switch packetType {
	case 0, 1, 2, 3: // PACKET_HOST, PACKET_BROADCAST, PACKET_MULTICAST, PACKET_OTHERHOST
		return flow.Ingress
	case 4: // PACKET_OUTGOING
		return flow.Egress
	}
	return flow.DirUnknown
}

// nflog reads packets that nfnetlink_log passes to libpcap: an address family, and attributes
// (linux/netfilter/nfnetlink_log.h) in host byte order.
func nflog(data []byte, origLen int, f *Frame) {
	const header = 4
	if len(data) >= header {
		for _, order := range []binary.ByteOrder{binary.LittleEndian, binary.BigEndian} {
			if nflogPayload(data[header:], origLen-header, order, f) {
				if f.EtherType == 0 {
					f.EtherType = familyType(uint32(data[0]))
				}
				return
			}
		}
	}
	opaque(flow.EtherTypeRunt, origLen, f)
}

// nflogPayload finds the payload attribute in d. held is the number of bytes on the wire from d
// on. Only the payload may be captured in part.
func nflogPayload(d []byte, held int, order binary.ByteOrder, f *Frame) bool {
	const (
		attribute  = 4 // length and type
		packetHdr  = 1 // NFULA_PACKET_HDR: ethertype, hook
		payload    = 9 // NFULA_PAYLOAD
		newestType = 64
	)
	var etherType flow.EtherType
	for len(d) >= attribute {
		n, kind := int(order.Uint16(d)), order.Uint16(d[2:])
		switch {
		case n < attribute, kind >= newestType:
			return false
		case kind == payload:
			n = min(n, held)
			end := min(n, len(d))
			*f = Frame{Data: d[attribute:end:end], Len: n - attribute, Raw: true}
			if etherType >= minType {
				f.EtherType = etherType
			}
			return true
		}
		padded := (n + 3) &^ 3
		if padded > len(d) {
			return false
		}
		if kind == packetHdr && n >= attribute+2 {
			etherType = typeAt(d, attribute)
		}
		d, held = d[padded:], held-padded
	}
	return false
}
