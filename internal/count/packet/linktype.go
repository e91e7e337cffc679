package packet

import (
	"encoding/binary"
	"math/bits"
	"strconv"

	"github.com/pktstat/pktstat/flow"
)

// LinkType is the link-layer header type of a capture file
// (https://www.tcpdump.org/linktypes.html).
type LinkType uint32

// The link types that can be parsed.
const (
	LinkTypeNull      LinkType = 0
	LinkTypeEthernet  LinkType = 1
	LinkTypeRaw       LinkType = 101
	LinkTypeLoop      LinkType = 108
	LinkTypeLinuxSLL  LinkType = 113
	LinkTypeIPv4      LinkType = 228
	LinkTypeIPv6      LinkType = 229
	LinkTypeLinuxSLL2 LinkType = 276
)

const (
	nullLen = 4
	sllLen  = 16
	sll2Len = 20
)

// Supported reports whether Frame knows the link type.
func (l LinkType) Supported() bool { return l.name() != "" }

// String returns the name without "LINKTYPE_", or "linktype N" for others than
// the supported ones.
func (l LinkType) String() string {
	if s := l.name(); s != "" {
		return s
	}
	return "linktype " + strconv.FormatUint(uint64(l), 10)
}

func (l LinkType) name() string {
	switch l {
	case LinkTypeNull:
		return "NULL"
	case LinkTypeEthernet:
		return "ETHERNET"
	case LinkTypeRaw:
		return "RAW"
	case LinkTypeLoop:
		return "LOOP"
	case LinkTypeLinuxSLL:
		return "LINUX_SLL"
	case LinkTypeIPv4:
		return "IPV4"
	case LinkTypeIPv6:
		return "IPV6"
	case LinkTypeLinuxSLL2:
		return "LINUX_SLL2"
	}
	return ""
}

// Frame sets every field of f to a captured packet of this link type, without
// copying data: a header that is the capture's and was not on the wire (NULL,
// LOOP, SLL, SLL2) is taken off. A packet that ends inside such a header has the
// ethertype flow.EtherTypeRunt. origLen is the length on the wire that the
// capture gives, that header included; one below len(data) counts as len(data).
//
// It returns false, with f unchanged, if the link type is not Supported.
func (l LinkType) Frame(data []byte, origLen int, f *Frame) bool {
	origLen = max(origLen, len(data))
	if l == LinkTypeEthernet {
		*f = Frame{Data: data, Len: origLen}
		return true
	}
	switch l {
	case LinkTypeRaw:
		*f = Frame{Data: data, Len: origLen, Raw: true}
	case LinkTypeIPv4:
		*f = Frame{Data: data, Len: origLen, Raw: true, EtherType: flow.EtherTypeIPv4}
	case LinkTypeIPv6:
		*f = Frame{Data: data, Len: origLen, Raw: true, EtherType: flow.EtherTypeIPv6}
	case LinkTypeNull, LinkTypeLoop:
		if cooked(data, origLen, nullLen, f) {
			f.EtherType = familyType(l, binary.BigEndian.Uint32(data))
		}
	case LinkTypeLinuxSLL:
		if cooked(data, origLen, sllLen, f) {
			f.EtherType = sllType(data[14:])
			f.LinkLen = replacedLen(data[2:])
		}
	case LinkTypeLinuxSLL2:
		if cooked(data, origLen, sll2Len, f) {
			f.EtherType = sllType(data)
			f.LinkLen = replacedLen(data[8:])
		}
	default:
		return false
	}
	return true
}

// cooked takes n bytes of header off. It returns false if they are not there.
func cooked(data []byte, origLen, n int, f *Frame) bool {
	if len(data) < n {
		*f = Frame{Len: max(origLen-n, 0), Raw: true, EtherType: flow.EtherTypeRunt}
		return false
	}
	*f = Frame{Data: data[n:], Len: origLen - n, Raw: true}
	return true
}

// familyType returns the ethertype of an address family: 0, so that the packet
// itself tells, for those that are not IP on any system. NULL's is in the byte
// order of the host that wrote it; all families are below 2^16.
func familyType(l LinkType, family uint32) flow.EtherType {
	if l == LinkTypeNull && family > 0xffff {
		family = bits.ReverseBytes32(family)
	}
	switch family {
	case 2: // AF_INET everywhere
		return flow.EtherTypeIPv4
	case 10, 23, 24, 28, 30: // AF_INET6 of Linux, Windows, NetBSD and OpenBSD, FreeBSD, Darwin
		return flow.EtherTypeIPv6
	}
	return 0
}

// sllType returns the protocol field of a cooked header. Those below 0x0600
// (ETH_P_802_3, ETH_P_802_2, ...) are frames without an ethertype; 0 would have
// another meaning in Frame.
func sllType(b []byte) flow.EtherType {
	if t := flow.EtherType(binary.BigEndian.Uint16(b)); t >= minType {
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
