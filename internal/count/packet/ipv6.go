package packet

import (
	"encoding/binary"

	"github.com/pktstat/pktstat/flow"
)

const (
	ipv6Len        = 40
	maxExtHeaders  = 8
	minExtLen      = 8
	maxPlainPacket = ipv6Len + 0xffff
)

// Extension headers (IANA, IPv6 Extension Header Types).
const (
	hopByHop    flow.Proto = 0
	routing     flow.Proto = 43
	fragment    flow.Proto = 44
	destOptions flow.Proto = 60
	mobility    flow.Proto = 135
	hip         flow.Proto = 139
	shim6       flow.Proto = 140
)

// ipv6 parses an IPv6 header and its extension headers (RFC 8200). held is the number of bytes on
// the wire from d on. bytes is 0 if d is not IPv6.
func ipv6(d []byte, held int, k *flow.Packed) (bytes, header int, payload []byte) {
	if len(d) < ipv6Len || held < ipv6Len || d[0]>>4 != 6 {
		return 0, 0, nil
	}
	k.SetIPv6(d[8:40])
	bytes = ipv6Bytes(d, held)
	next := flow.Proto(d[6])
	if !isExtHeader(next) {
		k.Proto = next
		return bytes, ipv6Len, captured(d, ipv6Len, bytes)
	}
	proto, header, first := skipExtHeaders(d[:min(bytes, len(d))], next)
	k.Proto = proto
	if first {
		payload = captured(d, header, bytes)
	}
	return bytes, header, payload
}

// ipv6Bytes returns the layer-3 length by the header, but at most held.
func ipv6Bytes(d []byte, held int) int {
	bytes := ipv6Len + int(binary.BigEndian.Uint16(d[4:]))
	if bytes == ipv6Len {
		if n, ok := jumboLen(d); ok {
			bytes = ipv6Len + n
		} else if held > maxPlainPacket { // a GSO frame above 64 KiB without a jumbo option
			return held
		}
	}
	return min(bytes, held)
}

// jumboLen returns the length in a jumbo payload option (RFC 2675). The option must be the first
// one of a hop-by-hop header.
func jumboLen(d []byte) (int, bool) {
	const jumboOption, optionLen = 0xc2, 4
	if flow.Proto(d[6]) != hopByHop || len(d) < ipv6Len+minExtLen ||
		d[ipv6Len+2] != jumboOption || d[ipv6Len+3] != optionLen {
		return 0, false
	}
	return int(binary.BigEndian.Uint32(d[ipv6Len+4:])), true
}

// skipExtHeaders skips the extension headers of d, the captured part of an IPv6 packet. It
// returns the protocol and the offset of its header. first is false if d lacks that header: in
// later fragments, and if the capture ends before.
func skipExtHeaders(d []byte, next flow.Proto) (proto flow.Proto, off int, first bool) {
	off = ipv6Len
	for range maxExtHeaders {
		if !isExtHeader(next) {
			break
		}
		if len(d) < off+minExtLen {
			return next, off, false
		}
		h := d[off : off+minExtLen]
		header := next
		next = flow.Proto(h[0])
		switch header {
		case fragment:
			off += 8
			if offset := binary.BigEndian.Uint16(h[2:]) >> 3; offset != 0 {
				return next, off, false
			}
		case flow.AH:
			off += (int(h[1]) + 2) * 4
		default:
			off += (int(h[1]) + 1) * 8
		}
	}
	return next, off, true
}

func isExtHeader(p flow.Proto) bool {
	switch p {
	case hopByHop, routing, fragment, flow.AH, destOptions, mobility, hip, shim6:
		return true
	}
	return false
}
