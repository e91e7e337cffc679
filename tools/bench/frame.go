package bench

import "encoding/binary"

// packet is a kind of packet, defined by its headers.
type packet struct {
	name      string
	tags      []uint16 // the outer one first
	before    []byte   // a header from its type on, before the layer-3 type
	etherType uint16
	extended  []byte // next headers of IPv6 extension headers of 8 bytes
	proto     byte
}

// Numbers of IEEE 802 and IANA.
const (
	typeIPv4 = 0x0800
	typeIPv6 = 0x86dd
	typeARP  = 0x0806
	typeVLAN = 0x8100
	typeQinQ = 0x88a8

	protoHopByHop    = 0
	protoICMP        = 1
	protoTCP         = 6
	protoUDP         = 17
	protoFragment    = 44
	protoICMPv6      = 58
	protoDestination = 60
)

// packets are the kinds of packets that are measured.
var packets = []packet{
	{name: "TCP4", etherType: typeIPv4, proto: protoTCP},
	{name: "UDP4", etherType: typeIPv4, proto: protoUDP},
	{name: "TCP6", etherType: typeIPv6, proto: protoTCP},
	{name: "UDP6", etherType: typeIPv6, proto: protoUDP},
	{name: "VLAN UDP4", tags: []uint16{typeVLAN}, etherType: typeIPv4, proto: protoUDP},
	{name: "QinQ UDP4", tags: []uint16{typeQinQ, typeVLAN}, etherType: typeIPv4, proto: protoUDP},
	{name: "PPPoE UDP4", before: []byte{0x88, 0x64, 0x11, 0, 0, 7, 0, 30, 0, 0x21}, etherType: typeIPv4, proto: protoUDP},
	{name: "MPLS UDP4", before: []byte{0x88, 0x47, 0, 1, 1, 64}, etherType: typeIPv4, proto: protoUDP},
	{name: "ICMP", etherType: typeIPv4, proto: protoICMP},
	{name: "ICMPv6", etherType: typeIPv6, proto: protoICMPv6},
	{name: "ARP", etherType: typeARP},
	{name: "IPv6 ext UDP", etherType: typeIPv6, proto: protoUDP, extended: []byte{protoHopByHop, protoDestination, protoFragment}},
}

// The kinds whose source address the driver rewrites.
var (
	udp4 = packets[1]
	udp6 = packets[3]
)

// frame returns the packet in a frame of the given size, or of the least size for its headers.
// Checksums are 0, because no program reads them.
func (p packet) frame(size int) []byte {
	b := make([]byte, 0, max(size, 128))
	b = append(b, 2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1) // locally administered addresses
	for i, t := range p.tags {
		b = binary.BigEndian.AppendUint16(b, t)
		b = binary.BigEndian.AppendUint16(b, uint16(100+i))
	}
	if b = append(b, p.before...); p.before == nil {
		b = binary.BigEndian.AppendUint16(b, p.etherType)
	}
	l3 := len(b)
	switch p.etherType {
	case typeARP:
		b = append(b, 0, 1, 8, 0, 6, 4, 0, 1)
		b = append(b, 2, 0, 0, 0, 0, 1, 198, 18, 0, 1, 0, 0, 0, 0, 0, 0, 198, 18, 0, 2)
	case typeIPv4:
		b = append(b, 0x45, 0, 0, 0, 0, 0, 0, 0, 64, p.proto, 0, 0, 198, 18, 0, 1, 198, 18, 0, 2)
		b = p.transport(b)
	case typeIPv6:
		b = append(b, 0x60, 0, 0, 0, 0, 0, p.first(), 64)
		b = append(b, 0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1)
		b = append(b, 0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2)
		b = p.extensions(b)
		b = p.transport(b)
	}
	if len(b) < size {
		b = append(b, make([]byte, size-len(b))...)
	}
	switch p.etherType {
	case typeIPv4:
		binary.BigEndian.PutUint16(b[l3+2:], uint16(len(b)-l3))
	case typeIPv6:
		binary.BigEndian.PutUint16(b[l3+4:], uint16(len(b)-l3-40))
	}
	return b
}

func (p packet) first() byte {
	if len(p.extended) > 0 {
		return p.extended[0]
	}
	return p.proto
}

// extensions appends headers of 8 bytes with padding. A fragment header is for a first fragment.
func (p packet) extensions(b []byte) []byte {
	for i, h := range p.extended {
		next := p.proto
		if i+1 < len(p.extended) {
			next = p.extended[i+1]
		}
		if h == protoFragment {
			b = append(b, next, 0, 0, 1, 0, 0, 0, 7) // offset 0, more fragments
		} else {
			b = append(b, next, 0, 1, 4, 0, 0, 0, 0) // PadN
		}
	}
	return b
}

func (p packet) transport(b []byte) []byte {
	switch p.proto {
	case protoTCP:
		return append(b, 0x9c, 0x40, 0, 9, 0, 0, 0, 1, 0, 0, 0, 1, 0x50, 0x10, 16, 0, 0, 0, 0, 0)
	case protoUDP:
		return append(b, 0x9c, 0x40, 0, 9, 0, 8, 0, 0)
	case protoICMP:
		return append(b, 8, 0, 0, 0, 0, 1, 0, 1)
	case protoICMPv6:
		return append(b, 128, 0, 0, 0, 0, 1, 0, 1)
	}
	return b
}
