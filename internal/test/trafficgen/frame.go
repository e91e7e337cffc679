package trafficgen

import (
	"encoding/binary"
	"net/netip"
	"slices"
)

// EtherTypes and protocol numbers.
const (
	typeIPv4 = 0x0800
	typeARP  = 0x0806
	typeVLAN = 0x8100
	typeIPv6 = 0x86dd
	typeQinQ = 0x88a8
	typeLLDP = 0x88cc

	protoICMP   = 1
	protoIGMP   = 2
	protoTCP    = 6
	protoUDP    = 17
	protoGRE    = 47
	protoESP    = 50
	protoICMPv6 = 58
	protoDstOpt = 60
	protoSCTP   = 132
)

const (
	ethernetLen = 14
	ipv4Len     = 20
	ipv6Len     = 40
	udpLen      = 8
	minFrame    = 60 // without FCS
)

// mac is an Ethernet address.
type mac [6]byte

// builder builds a frame from the outside in: each method appends a header. done sets the lengths
// and checksums of IP headers.
type builder struct {
	b   []byte
	ips []ipHeader
}

type ipHeader struct {
	at       int
	fragment bool // its payload has no checksum
}

func (p *builder) reset() { p.b, p.ips = p.b[:0], p.ips[:0] }

func (p *builder) u16(v ...uint16) {
	for _, x := range v {
		p.b = binary.BigEndian.AppendUint16(p.b, x)
	}
}

func (p *builder) u32(v ...uint32) {
	for _, x := range v {
		p.b = binary.BigEndian.AppendUint32(p.b, x)
	}
}

func (p *builder) bytes(v ...byte) { p.b = append(p.b, v...) }

// fill appends n bytes of payload.
func (p *builder) fill(n int) {
	p.b = slices.Grow(p.b, n)
	for i := range n {
		p.b = append(p.b, byte(i)^0x5a)
	}
}

func (p *builder) ethernet(src, dst mac, etherType uint16) {
	p.bytes(dst[:]...)
	p.bytes(src[:]...)
	p.u16(etherType)
}

// tag appends the TCI and the EtherType of an 802.1Q or 802.1ad tag.
func (p *builder) tag(tci, etherType uint16) { p.u16(tci, etherType) }

// ip appends an IPv4 or IPv6 header without options.
func (p *builder) ip(src, dst netip.Addr, proto byte) { p.ipFragment(src, dst, proto, 0, 0) }

// ipFragment appends an IP header. For IPv4, field is flags and fragment offset.
func (p *builder) ipFragment(src, dst netip.Addr, proto byte, id, field uint16) {
	p.ips = append(p.ips, ipHeader{len(p.b), field != 0})
	if src.Is4() {
		p.bytes(0x45, 0, 0, 0)
		p.u16(id, field)
		p.bytes(64, proto, 0, 0)
	} else {
		p.bytes(0x60, 0, 0, 0, 0, 0, proto, 64)
	}
	p.addr(src)
	p.addr(dst)
}

// hopLimit sets the hop limit of the last IPv6 header.
func (p *builder) hopLimit(n byte) { p.b[p.ips[len(p.ips)-1].at+7] = n }

// routerAlert appends an option of four bytes to the last IPv4 header (RFC 2113).
func (p *builder) routerAlert() {
	p.b[p.ips[len(p.ips)-1].at]++
	p.bytes(0x94, 4, 0, 0)
}

func (p *builder) addr(a netip.Addr) {
	if a.Is4() {
		v := a.As4()
		p.bytes(v[:]...)
		return
	}
	v := a.As16()
	p.bytes(v[:]...)
}

func (p *builder) udp(src, dst uint16, payload int) {
	p.u16(src, dst, uint16(udpLen+payload), 0)
}

// TCP flags.
const (
	fin = 0x01
	syn = 0x02
	rst = 0x04
	psh = 0x08
	ack = 0x10
)

// tcp appends a header with a timestamp option, as nearly all traffic has one.
func (p *builder) tcp(src, dst uint16, seq, acked uint32, flags byte) {
	p.u16(src, dst)
	p.u32(seq, acked)
	if flags&syn != 0 { // maximum segment size, selective acknowledgements, timestamp, window scale
		p.bytes(10<<4, flags)
		p.u16(64240, 0, 0)
		p.bytes(2, 4, 0x05, 0xb4, 4, 2, 8, 10)
		p.u32(seq>>8, acked>>8)
		p.bytes(1, 3, 3, 7)
		return
	}
	p.bytes(8<<4, flags)
	p.u16(501, 0, 0)
	p.bytes(1, 1, 8, 10)
	p.u32(seq>>8, acked>>8)
}

// arp appends a request (1) or a reply (2) with Ethernet and IPv4 addresses.
func (p *builder) arp(op uint16, src, dst mac, srcIP, dstIP netip.Addr) {
	p.u16(1, typeIPv4)
	p.bytes(6, 4)
	p.u16(op)
	p.bytes(src[:]...)
	p.addr(srcIP)
	p.bytes(dst[:]...)
	p.addr(dstIP)
}

// echo appends an echo request or reply. typ decides whether it is ICMP or ICMPv6.
func (p *builder) echo(typ byte, id, seq uint16) {
	p.bytes(typ, 0, 0, 0)
	p.u16(id, seq)
}

// done sets the lengths and checksums, and returns the frame.
func (p *builder) done() []byte {
	for _, ip := range slices.Backward(p.ips) { // the innermost first: outer checksums cover it
		h := p.b[ip.at:]
		proto, header := h[9], int(h[0]&0xf)*4
		if h[0]>>4 == 6 {
			proto, header = h[6], ipv6Len
			binary.BigEndian.PutUint16(h[4:], uint16(len(h)-ipv6Len))
			if proto == protoDstOpt {
				proto, header = h[ipv6Len], header+8
			}
		} else {
			binary.BigEndian.PutUint16(h[2:], uint16(len(h)))
			binary.BigEndian.PutUint16(h[10:], 0)
			binary.BigEndian.PutUint16(h[10:], ^fold(sum(h[:header])))
		}
		if !ip.fragment {
			transportChecksum(h, h[header:], proto)
		}
	}
	return p.b
}

// transportChecksum sets the checksum in l4, the payload of the IP header at ip.
func transportChecksum(ip, l4 []byte, proto byte) {
	addrs := ip[12:20]
	if ip[0]>>4 == 6 {
		addrs = ip[8:40]
	}
	pseudo := sum(addrs) + uint32(proto) + uint32(len(l4))
	var at int
	switch proto {
	case protoTCP:
		at = 16
	case protoUDP:
		at = 6
	case protoICMPv6:
		at = 2
	case protoICMP:
		at, pseudo = 2, 0
	default:
		return
	}
	binary.BigEndian.PutUint16(l4[at:], 0)
	c := ^fold(pseudo + sum(l4))
	if c == 0 && proto == protoUDP {
		c = 0xffff // 0 means no checksum
	}
	binary.BigEndian.PutUint16(l4[at:], c)
}

// padded is done for a received frame, which has the minimum length of Ethernet.
func (p *builder) padded() []byte {
	b := p.done()
	for len(b) < minFrame {
		b = append(b, 0)
	}
	p.b = b
	return b
}

// sum and fold make the checksum of RFC 1071.
func sum(b []byte) uint32 {
	var s uint32
	for ; len(b) >= 2; b = b[2:] {
		s += uint32(b[0])<<8 | uint32(b[1])
	}
	if len(b) > 0 {
		s += uint32(b[0]) << 8
	}
	return s
}

func fold(s uint32) uint16 {
	s = s>>16 + s&0xffff
	return uint16(s>>16 + s&0xffff)
}
