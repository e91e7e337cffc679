package main

import (
	"encoding/binary"
	"encoding/hex"
	"slices"
	"strings"
)

// The builders prepend a header with correct lengths to their arguments. put, truncate and pad turn
// correct packets into unusual ones.

// Addresses and ports of all packets.
var (
	ip4Src = []byte{192, 0, 2, 1}
	ip4Dst = []byte{192, 0, 2, 2}
	ip6Src = raw("20010db8 00000000 00000000 00000001")
	ip6Dst = raw("20010db8 00000000 00000000 00000002")
)

const (
	portSrc = 40001
	portDst = 40002
)

func join(parts ...[]byte) []byte { return slices.Concat(parts...) }

// raw decodes hex digits; spaces are ignored.
func raw(s string) []byte {
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		panic(err) // only for literals in this program
	}
	return b
}

func be16(v int) []byte { return binary.BigEndian.AppendUint16(nil, uint16(v)) }
func be32(v int) []byte { return binary.BigEndian.AppendUint32(nil, uint32(v)) }

// fill returns n bytes of 0xee. They are not zero, so that a parser that reads them gives visible
// garbage.
func fill(n int) []byte { return slices.Repeat([]byte{0xee}, n) }

// pad extends a frame to at least n bytes.
func pad(n int, d []byte) []byte { return join(d, fill(max(0, n-len(d)))) }

// put overwrites the bytes at offset off.
func put(d []byte, off int, b ...byte) []byte {
	d = slices.Clone(d)
	copy(d[off:off+len(b)], b)
	return d
}

func eth(etherType int, rest ...[]byte) []byte {
	return join(raw("020000000002 020000000001"), be16(etherType), join(rest...))
}

// tag returns the rest of a VLAN tag, from the TCI on.
func tag(tci, etherType int) []byte { return join(be16(tci), be16(etherType)) }

func arp(op int) []byte {
	return join(raw("0001 0800 06 04"), be16(op),
		raw("020000000001"), ip4Src, raw("000000000000"), ip4Dst)
}

func ip4(proto byte, payload ...[]byte) []byte { return ip4Options(0, proto, payload...) }

// ip4Options has n bytes of options, all no-operations (RFC 791).
func ip4Options(n int, proto byte, payload ...[]byte) []byte {
	p := join(payload...)
	return join([]byte{byte(0x45 + n/4), 0}, be16(20+n+len(p)), raw("0000 0000 40"),
		[]byte{proto}, raw("0000"), ip4Src, ip4Dst, slices.Repeat([]byte{1}, n), p)
}

// ip4Fragment returns a fragment at offset*8 bytes.
func ip4Fragment(offset int, more bool, proto byte, payload ...[]byte) []byte {
	if more {
		offset |= 0x2000
	}
	return put(ip4(proto, payload...), 6, be16(offset)...)
}

func ip6(next byte, payload ...[]byte) []byte {
	p := join(payload...)
	return join(raw("60000000"), be16(len(p)), []byte{next, 64}, ip6Src, ip6Dst, p)
}

// ext returns an extension header of (n + 1) x 8 bytes, with padding as options.
func ext(next byte, n int) []byte {
	size := n*8 + 4 // PadN's length (RFC 8200)
	return join([]byte{next, byte(n), 1, byte(size)}, make([]byte, size))
}

// routeExt returns a routing header of (n + 1) x 8 bytes with no segments left.
func routeExt(next byte, n int) []byte {
	return join([]byte{next, byte(n), 253, 0}, make([]byte, n*8+4))
}

func fragExt(next byte, offset int, more bool) []byte {
	offset <<= 3
	if more {
		offset |= 1
	}
	return join([]byte{next, 0}, be16(offset), raw("00000007"))
}

// ahExt returns an authentication header of (n + 2) x 4 bytes.
func ahExt(next byte, n, spi int) []byte {
	return join([]byte{next, byte(n), 0, 0}, be32(spi), fill((n+2)*4-8))
}

// jumbo returns a hop-by-hop header with a jumbo payload option.
func jumbo(next byte, length int) []byte {
	return join([]byte{next, 0, 0xc2, 4}, be32(length))
}

func ports() []byte { return join(be16(portSrc), be16(portDst)) }

func udp(n int) []byte { return join(ports(), be16(8+n), raw("0000"), fill(n)) }

func tcp(n int) []byte { return tcpOptions(0, n) }

// tcpOptions has o bytes of options, all no-operations.
func tcpOptions(o, n int) []byte {
	return join(ports(), raw("00000001 00000001"), []byte{byte(0x50 + o<<2), 0x10},
		raw("ffff 0000 0000"), slices.Repeat([]byte{1}, o), fill(n))
}

// icmp returns an ICMP or ICMPv6 message with n bytes after its 8-byte header.
func icmp(typ, code byte, n int) []byte {
	return join([]byte{typ, code}, raw("0000 0001 0001"), fill(n))
}
