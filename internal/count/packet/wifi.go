package packet

import (
	"encoding/binary"

	"github.com/pktstat/pktstat/flow"
)

// wifi reads an 802.11 frame. In unencrypted data frames it reads LLC and SNAP.
func wifi(data []byte, origLen int, f *Frame) { wifiFrame(data, origLen, false, f) }

// Bits of the frame control field (IEEE 802.11-2020, 9.2.4.1).
const (
	wifiVersion = 0x03 // first byte
	wifiType    = 0x0c
	wifiControl = 0x04
	wifiData    = 0x08
	wifiNoData  = 0x40
	wifiQoS     = 0x80

	wifiToDS      = 0x01 // second byte
	wifiFromDS    = 0x02
	wifiProtected = 0x40
	wifiOrder     = 0x80
)

// wifiFrame reads an 802.11 frame. padded: the capture has padding after the header, up to a
// multiple of four bytes, that was not on the wire.
func wifiFrame(data []byte, origLen int, padded bool, f *Frame) {
	const (
		sequenceField = 22
		header        = 24
		fragment      = 0x0f // bits of the sequence field
	)
	if len(data) < 2 || data[0]&wifiVersion != 0 {
		opaque(flow.EtherTypeRunt, origLen, f)
		return
	}
	switch {
	case data[0]&wifiType == wifiControl:
		opaque(flow.EtherTypeWifiControl, origLen, f)
		return
	case data[0]&wifiType != wifiData:
		opaque(flow.EtherTypeWifiManagement, origLen, f)
		return
	}
	n, aggregate := wifiHeader(data)
	padding := 0
	if padded {
		padding = -n & 3
	}
	switch {
	case data[1]&wifiProtected != 0:
		opaque(flow.EtherTypeWifiEncrypted, origLen-padding, f)
	case data[0]&wifiNoData != 0, aggregate, len(data) < n+padding,
		len(data) >= header && data[sequenceField]&fragment != 0:
		opaque(flow.EtherTypeWifiData, origLen-padding, f)
	default:
		llc(data, origLen, n+padding, f)
		if f.LinkLen > 0 {
			f.LinkLen -= padding
		} else {
			f.Len -= padding
		}
	}
}

// wifiHeader returns the header length of a data frame, and whether its body is an A-MSDU
// (9.3.2.2).
func wifiHeader(data []byte) (n int, aggregate bool) {
	const (
		header        = 24
		fourthAddress = 6
		qosControl    = 2
		htControl     = 4
		isAggregate   = 0x80 // bit of the first byte of the QoS control
	)
	n = header
	if data[1]&(wifiToDS|wifiFromDS) == wifiToDS|wifiFromDS {
		n += fourthAddress
	}
	if data[0]&wifiQoS != 0 {
		aggregate = len(data) > n && data[n]&isAggregate != 0
		n += qosControl
		if data[1]&wifiOrder != 0 {
			n += htControl
		}
	}
	return n, aggregate
}

// radiotap reads an 802.11 frame after a radiotap header (https://www.radiotap.org).
func radiotap(data []byte, origLen int, f *Frame) {
	const (
		header  = 8
		atEnd   = 0x10 // flags: the frame ends with the FCS
		datapad = 0x20
	)
	if len(data) < header || data[0] != 0 {
		opaque(flow.EtherTypeRunt, origLen, f)
		return
	}
	n := int(binary.LittleEndian.Uint16(data[2:]))
	if n < header || n > len(data) {
		opaque(flow.EtherTypeRunt, origLen-n, f)
		return
	}
	flags := radiotapFlags(data[:n])
	data, origLen = data[n:], origLen-n
	if flags&atEnd != 0 {
		data, origLen = cutFCS(data, origLen, fcsLen)
	}
	wifiFrame(data, origLen, flags&datapad != 0, f)
}

// radiotapFlags returns the field "flags" of a radiotap header, 0 if there is none. Fields are in
// the order of their presence bits and aligned to their size. Only TSFT (8 bytes) lies before the
// flags.
func radiotapFlags(h []byte) byte {
	const (
		present  = 4
		hasTSFT  = 1 << 0
		hasFlags = 1 << 1
		another  = 1 << 31 // another word of presence bits follows
	)
	bits := binary.LittleEndian.Uint32(h[present:])
	if bits&hasFlags == 0 {
		return 0
	}
	at := present + 4
	for word := bits; word&another != 0 && at+4 <= len(h); at += 4 {
		word = binary.LittleEndian.Uint32(h[at:])
	}
	if bits&hasTSFT != 0 {
		at = (at+7)&^7 + 8
	}
	if at >= len(h) {
		return 0
	}
	return h[at]
}

// prism reads an 802.11 frame after a Prism or AVS header.
func prism(data []byte, origLen int, f *Frame) {
	const (
		prismLen  = 144
		avsMagic  = 0x8021_1000
		avsMask   = 0xffff_f000
		avsLength = 4
	)
	n := prismLen
	if len(data) >= avsLength+4 && binary.BigEndian.Uint32(data)&avsMask == avsMagic {
		n = int(binary.BigEndian.Uint32(data[avsLength:]) & 0xffff)
	}
	if n > len(data) {
		opaque(flow.EtherTypeRunt, origLen-n, f)
		return
	}
	wifiFrame(data[n:], origLen-n, false, f)
}
