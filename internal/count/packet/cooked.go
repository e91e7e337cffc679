package packet

import (
	"encoding/binary"
	"math/bits"

	"github.com/pktstat/pktstat/flow"
)

// The link types here have a header that was never on the wire.

const (
	nullLen  = 4
	encLen   = 12
	sllLen   = 16
	sll2Len  = 20
	ipnetLen = 24
)

// cooked takes n bytes of header off. It returns false if they are not there.
func cooked(data []byte, origLen, n int, f *Frame) bool {
	if len(data) < n {
		opaque(flow.EtherTypeRunt, origLen-n, f)
		return false
	}
	*f = Frame{Data: data[n:], Len: origLen - n, Raw: true}
	return true
}

// null reads BSD's loopback header: the address family in the byte order of the host.
func null(data []byte, origLen int, f *Frame) {
	if cooked(data, origLen, nullLen, f) {
		f.EtherType = familyType(hostOrder(data))
	}
}

// loop reads OpenBSD's loopback header: the address family, big-endian.
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

// hostOrder reads an address family in either byte order: all are below 2^16.
func hostOrder(d []byte) uint32 {
	family := binary.BigEndian.Uint32(d)
	if family > 0xffff {
		family = bits.ReverseBytes32(family)
	}
	return family
}

// familyType returns the ethertype of an address family: 0, so that the packet
// itself tells, for those that are not IP on any system.
func familyType(family uint32) flow.EtherType {
	switch family {
	case 2: // AF_INET everywhere
		return flow.EtherTypeIPv4
	case 10, 23, 24, 28, 30: // AF_INET6 of Linux, Windows, NetBSD and OpenBSD, FreeBSD, Darwin
		return flow.EtherTypeIPv6
	}
	return 0
}

// ipnet reads the header of Solaris' ipnet devices (pcap/ipnet.h): version, family, ...
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

// realType returns the ethertype for the type field of a header. Those below 0x0600
// (ETH_P_802_3, ETH_P_802_2, ...) are frames without an ethertype; 0 would have
// another meaning in Frame.
func realType(t flow.EtherType) flow.EtherType {
	if t >= minType {
		return t
	}
	return flow.EtherTypeLLC
}

// replacedLen returns the length of the link header that a cooked one stands
// for, by the ARPHRD number of the device.
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

// DirectionOf returns the direction of a packet type of linux/if_packet.h.
func DirectionOf(packetType byte) flow.Direction {
	switch packetType {
	case 0, 1, 2, 3: // to us, to all, to a group, to somebody else
		return flow.Ingress
	case 4: // from us
		return flow.Egress
	}
	return flow.DirUnknown
}

// nflog reads what the kernel's nfnetlink_log hands to libpcap: the address family, and
// attributes (linux/netfilter/nfnetlink_log.h) in the byte order of the host.
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

// nflogPayload looks for the payload attribute in d, of which held bytes are on the wire. Only
// of that attribute may the capture miss the end.
func nflogPayload(d []byte, held int, order binary.ByteOrder, f *Frame) bool {
	const (
		attribute  = 4 // length and type
		packetHdr  = 1 // NFULA_PACKET_HDR: the ethertype, the hook
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
