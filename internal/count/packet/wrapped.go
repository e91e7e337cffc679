package packet

import (
	"encoding/binary"

	"github.com/pktstat/pktstat/flow"
)

// ppi removes a Per-Packet Information header (PPI Packet Header 1.0.9). The header has its
// length, the inner link type and fields. One field has the FCS flag of 802.11 frames.
func ppi(data []byte, origLen int) (LinkType, []byte, int, bool) {
	const (
		header      = 8
		fieldHeader = 4
		wifiCommon  = 2 // type of a field
		flagsAt     = fieldHeader + 8
		hasFCS      = 1
	)
	if len(data) < header {
		return 0, nil, origLen - header, false
	}
	n := int(binary.LittleEndian.Uint16(data[2:]))
	if n < header || n > len(data) {
		return 0, nil, origLen - max(n, header), false
	}
	inner := LinkType(binary.LittleEndian.Uint32(data[4:]))
	fields := data[header:n]
	data, origLen = data[n:], origLen-n
	for inner == linkTypeWifi && len(fields) >= flagsAt+2 {
		if binary.LittleEndian.Uint16(fields) == wifiCommon {
			if fields[flagsAt]&hasFCS != 0 {
				data, origLen = cutFCS(data, origLen, fcsLen)
			}
			break
		}
		fields = fields[min(len(fields), fieldHeader+int(binary.LittleEndian.Uint16(fields[2:]))):]
	}
	return inner, data, origLen, true
}

// Fields of Darwin's struct pktap_header (bsd/net/pktap.h), in little-endian.
const (
	pktapLen     = 108
	pktapType    = 4 // type of the next header
	pktapLink    = 8
	pktapFlags   = 36
	pktapPacket  = 1 // type: a packet
	pktapInbound = 1 << 0
	pktapSent    = 1 << 1
)

// isPktap reports whether d starts with such a header. Link type 149 is for private use, so other
// contents are possible.
func isPktap(d []byte) bool {
	return len(d) >= pktapLen && binary.LittleEndian.Uint32(d[pktapType:]) == pktapPacket
}

// pktap removes the header of macOS' pktap interfaces.
func pktap(data []byte, origLen int) (LinkType, []byte, int, bool) {
	if !isPktap(data) {
		return 0, nil, origLen, false
	}
	n := binary.LittleEndian.Uint32(data)
	if n < pktapLen || n > uint32(len(data)) {
		return 0, nil, origLen - pktapLen, false
	}
	return LinkType(binary.LittleEndian.Uint32(data[pktapLink:])), data[n:], origLen - int(n), true
}

func pktapDirection(d []byte) flow.Direction {
	if !isPktap(d) {
		return flow.DirUnknown
	}
	switch binary.LittleEndian.Uint32(d[pktapFlags:]) & (pktapInbound | pktapSent) {
	case pktapInbound:
		return flow.Ingress
	case pktapSent:
		return flow.Egress
	}
	return flow.DirUnknown
}
