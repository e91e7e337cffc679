package packet

import "github.com/pktstat/pktstat/flow"

// The link types in this file are serial lines. Their headers were on the wire.

const (
	typePPPoEDiscovery flow.EtherType = 0x8863
	typePPPoESession   flow.EtherType = 0x8864
)

// ppp reads a PPP header (RFC 1661, section 2) with or without HDLC framing (RFC 1662). The
// protocol field has one or two bytes. Cisco's HDLC framing is recognized too.
func ppp(data []byte, origLen int, f *Frame) {
	n := 0
	switch {
	case len(data) >= 2 && data[0] == 0xff && data[1] == 0x03:
		n = 2
	case len(data) >= 1 && (data[0] == hdlcUnicast || data[0] == hdlcMulticast):
		ciscoHDLC(data, origLen, f)
		return
	}
	pppProtocol(data, origLen, n, f)
}

// pppd reads packets of pppd's filter: the first byte is the direction instead of 0xff.
func pppd(data []byte, origLen int, f *Frame) {
	n := 1
	if len(data) >= 2 && data[1] == 0x03 {
		n = 2
	}
	pppProtocol(data, origLen, n, f)
}

// pppProtocol reads the protocol field at offset n. An odd first byte is the whole field.
func pppProtocol(data []byte, origLen, n int, f *Frame) {
	var proto uint16
	switch {
	case len(data) > n && data[n]&1 != 0:
		proto, n = uint16(data[n]), n+1
	case len(data) >= n+2:
		proto, n = uint16(typeAt(data, n)), n+2
	default:
		opaque(flow.EtherTypeRunt, origLen, f)
		return
	}
	etherType, ok := etherTypeOfPPP(proto)
	if !ok {
		opaque(flow.EtherTypePPP, origLen, f)
		return
	}
	linked(data, origLen, n, etherType, f)
}

// pppoe reads a PPPoE header (RFC 2516, section 4) and the PPP protocol after it.
func pppoe(data []byte, origLen int, f *Frame) {
	const (
		header  = 6
		version = 0x11 // version and type
		session = 0
	)
	if len(data) < header || data[0] != version {
		opaque(flow.EtherTypeRunt, origLen, f)
		return
	}
	if data[1] != session {
		opaque(typePPPoEDiscovery, origLen, f)
		return
	}
	if len(data) >= header+2 {
		if etherType, ok := etherTypeOfPPP(uint16(typeAt(data, header))); ok {
			linked(data, origLen, header+2, etherType, f)
			return
		}
	}
	opaque(typePPPoESession, origLen, f)
}

// First byte of a frame in Cisco's HDLC framing (RFC 1547, section 4.3.1).
const (
	hdlcUnicast   = 0x0f
	hdlcMulticast = 0x8f
)

// ciscoHDLC reads address, control and ethertype. Cisco's keepalives use the ethertype of RARP.
func ciscoHDLC(data []byte, origLen int, f *Frame) {
	const (
		header    = 4
		keepalive = 0x8035 // SLARP
	)
	switch {
	case len(data) < header:
		opaque(flow.EtherTypeRunt, origLen, f)
	case typeAt(data, 2) == keepalive:
		opaque(flow.EtherTypeHDLC, origLen, f)
	default:
		linked(data, origLen, header, typeAt(data, 2), f)
	}
}

// frameRelay reads a Q.922 address of two to four bytes and the protocol: an NLPID (RFC 2427), or
// Cisco's ethertype.
func frameRelay(data []byte, origLen int, f *Frame) {
	const (
		lastAddressByte = 1
		unnumbered      = 0x03
		ipv4NLPID       = 0xcc
		ipv6NLPID       = 0x8e
		pppNLPID        = 0xcf // RFC 1973
		snapNLPID       = 0x80
	)
	n := 2
	for n < 4 && len(data) >= n && data[n-1]&lastAddressByte == 0 {
		n++
	}
	if len(data) < n+2 || data[0]&lastAddressByte != 0 || data[n-1]&lastAddressByte == 0 {
		opaque(flow.EtherTypeFrameRelay, origLen, f)
		return
	}
	if data[n] != unnumbered {
		if t := typeAt(data, n); t >= minType && data[0]>>2 != 0 {
			linked(data, origLen, n+2, t, f)
			return
		}
		opaque(flow.EtherTypeFrameRelay, origLen, f)
		return
	}
	n++
	if data[n] == 0 && len(data) > n+1 {
		n++ // padding
	}
	switch data[n] {
	case ipv4NLPID:
		linked(data, origLen, n+1, flow.EtherTypeIPv4, f)
	case ipv6NLPID:
		linked(data, origLen, n+1, flow.EtherTypeIPv6, f)
	case pppNLPID:
		pppProtocol(data, origLen, n+1, f)
	case snapNLPID:
		if !snapHeader(data, origLen, n+1, 0, f) {
			opaque(flow.EtherTypeFrameRelay, origLen, f)
		}
	default:
		opaque(flow.EtherTypeFrameRelay, origLen, f)
	}
}

// behindDirection returns an unwrap for a link type after a byte with the direction.
func behindDirection(inner LinkType) func([]byte, int) (LinkType, []byte, int, bool) {
	return func(data []byte, origLen int) (LinkType, []byte, int, bool) {
		if len(data) < 1 {
			return 0, nil, origLen - 1, false
		}
		return inner, data[1:], origLen - 1, true
	}
}

// firstByteDirection returns the direction in the first byte: 0 is received, any other value is
// sent.
func firstByteDirection(d []byte) flow.Direction {
	switch {
	case len(d) == 0:
		return flow.DirUnknown
	case d[0] == 0:
		return flow.Ingress
	}
	return flow.Egress
}
