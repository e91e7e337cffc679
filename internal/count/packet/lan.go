package packet

import (
	"encoding/binary"

	"github.com/pktstat/pktstat/flow"
)

// The link types in this file are local networks. The ethertype follows their addresses, or LLC
// and SNAP. Their headers were on the wire.

const (
	llcLen  = 3
	snapLen = 5
	fcsLen  = 4
)

// llc reads the LLC header at offset n (IEEE 802.2) and SNAP after it (RFC 1042). A frame without
// SNAP is a flow.EtherTypeLLC.
func llc(data []byte, origLen, n int, f *Frame) {
	if len(data) < n {
		opaque(flow.EtherTypeRunt, origLen, f)
		return
	}
	d := data[n:]
	if len(d) >= llcLen && d[0] == 0xaa && d[1] == 0xaa && d[2] == 0x03 &&
		snapHeader(data, origLen, n+llcLen, bridgePadding, f) {
		return
	}
	opaque(flow.EtherTypeLLC, origLen, f)
}

// bridgePadding lies between SNAP and a bridged Ethernet frame, except on Frame Relay (RFC 2684).
const bridgePadding = 2

// snapHeader reads a SNAP header at offset n: an ethertype, or a bridged Ethernet frame. It
// returns false for other contents.
func snapHeader(data []byte, origLen, n, padding int, f *Frame) bool {
	if len(data) < n+snapLen {
		return false
	}
	const (
		encapsulated = 0x0000_00 // RFC 1042
		tunneled     = 0x0000_f8 // IEEE 802.1H
		bridged      = 0x0080_c2 // RFC 2427, RFC 2684
		withFCS      = 1
		withoutFCS   = 7
	)
	oui, pid := binary.BigEndian.Uint32(data[n:])>>8, typeAt(data, n+3)
	n += snapLen
	switch {
	case oui == encapsulated || oui == tunneled:
		linked(data, origLen, n, pid, f)
		return true
	case oui == bridged && (pid == withFCS || pid == withoutFCS) && len(data) >= n+padding:
		n += padding
		if pid == withFCS {
			data, origLen = cutFCS(data, origLen, fcsLen)
		}
		n = min(n, len(data))
		*f = Frame{Data: data[n:], Len: origLen - n, LinkLen: n}
		return true
	}
	return false
}

// cutFCS removes the last n bytes on the wire.
func cutFCS(data []byte, origLen, n int) (cut []byte, wireLen int) {
	wireLen = max(origLen-n, 0)
	return data[:min(len(data), wireLen)], wireLen
}

// snap reads LLC and SNAP at the start of the packet (RFC 2684).
func snap(data []byte, origLen int, f *Frame) { llc(data, origLen, 0, f) }

// atmCLIP reads LLC and SNAP, or IP without them (RFC 2225).
func atmCLIP(data []byte, origLen int, f *Frame) {
	if ipVersion(data) != flow.EtherTypeRunt {
		raw(data, origLen, f)
		return
	}
	llc(data, origLen, 0, f)
}

// fddi reads frame control, addresses and LLC (ISO 9314-2).
func fddi(data []byte, origLen int, f *Frame) {
	const (
		header  = 13
		format  = 0x70
		llcType = 0x50
	)
	if len(data) < header || data[0]&format != llcType {
		opaque(flow.EtherTypeRunt, origLen, f)
		return
	}
	llc(data, origLen, header, f)
}

// tokenRing reads access control, frame control, addresses, source routing and LLC (IEEE 802.5).
func tokenRing(data []byte, origLen int, f *Frame) {
	const (
		header       = 14
		source       = 8
		sourceRouted = 0x80
		frameType    = 0xc0
		llcType      = 0x40
		routeLen     = 0x1f
	)
	if len(data) < header || data[1]&frameType != llcType {
		opaque(flow.EtherTypeRunt, origLen, f)
		return
	}
	n := header
	if data[source]&sourceRouted != 0 && len(data) > header {
		n += int(data[header] & routeLen)
	}
	llc(data, origLen, n, f)
}

// fibreChannel reads the network header and LLC of IP over Fibre Channel (RFC 2625).
func fibreChannel(data []byte, origLen int, f *Frame) { llc(data, origLen, 16, f) }

// firewire reads IP over IEEE 1394 as captured by macOS: two addresses and an ethertype.
func firewire(data []byte, origLen int, f *Frame) { typed(data, origLen, 16, 2, f) }

// infiniband reads IP over InfiniBand: a global routing header and the header of RFC 4391.
func infiniband(data []byte, origLen int, f *Frame) { typed(data, origLen, 40, 4, f) }

// typed reads an ethertype at an offset. field is the length of the field that contains it.
func typed(data []byte, origLen, at, field int, f *Frame) {
	if len(data) < at+field {
		opaque(flow.EtherTypeRunt, origLen, f)
		return
	}
	linked(data, origLen, at+field, typeAt(data, at), f)
}

// Tags of Ethernet switches (Linux, net/dsa/tag_*.c) lie between the addresses and the ethertype,
// or before the frame.
const (
	addressesLen         = 12
	switchTagLen         = 4
	switchEtherTypeTagLn = 8
)

func broadcomTag(data []byte, origLen int, f *Frame) {
	typed(data, origLen, addressesLen+switchTagLen, 2, f)
}

func marvellTag(data []byte, origLen int, f *Frame) {
	typed(data, origLen, addressesLen+switchTagLen, 2, f)
}

func marvellEtherTypeTag(data []byte, origLen int, f *Frame) {
	typed(data, origLen, addressesLen+switchEtherTypeTagLn, 2, f)
}

func broadcomPrepended(data []byte, origLen int, f *Frame) {
	if len(data) < switchTagLen {
		opaque(flow.EtherTypeRunt, origLen, f)
		return
	}
	*f = Frame{Data: data[switchTagLen:], Len: origLen - switchTagLen, LinkLen: switchTagLen}
}

// arcnetLinux reads addresses, offset and type in the order of Linux (RFC 1051 and RFC 1201). RFC
// 1201 adds a flag and a sequence number; its later fragments have no IP header.
func arcnetLinux(data []byte, origLen int, f *Frame) {
	const (
		oldHeader = 5
		newHeader = 8
		typeField = 4
	)
	if len(data) <= typeField {
		opaque(flow.EtherTypeRunt, origLen, f)
		return
	}
	n := newHeader
	var t flow.EtherType
	switch data[typeField] {
	case 0xf0:
		t, n = flow.EtherTypeIPv4, oldHeader
	case 0xf1:
		t, n = flow.EtherTypeARP, oldHeader
	case 0xd4:
		t = flow.EtherTypeIPv4
	case 0xd5:
		t = flow.EtherTypeARP
	case 0xc4:
		t = flow.EtherTypeIPv6
	}
	laterFragment := n == newHeader && len(data) >= newHeader && data[5]&1 == 0 && data[5] != 0
	if t == 0 || laterFragment || len(data) < n {
		opaque(flow.EtherTypeARCNET, origLen, f)
		return
	}
	linked(data, origLen, n, t, f)
}
