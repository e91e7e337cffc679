package packet

import (
	"encoding/binary"
	"slices"

	"github.com/pktstat/pktstat/flow"
)

// header is a kind of header between the link header and layer 3. The first four bytes, under a
// mask, identify it.
type header struct {
	etherType   flow.EtherType
	mask, value uint32
	length      int
	next        flow.EtherType // type of the next header; 0: the last two bytes contain it
}

const (
	typeVLAN    flow.EtherType = 0x8100 // 802.1Q
	typeQinQ    flow.EtherType = 0x88a8 // 802.1ad
	typeOldQinQ flow.EtherType = 0x9100
	typeCMD     flow.EtherType = 0x8909 // Cisco metadata
	typePPPoE   flow.EtherType = 0x8864 // session
	typePBB     flow.EtherType = 0x88e7 // 802.1ah
	typeNSH     flow.EtherType = 0x894f
	typeArista  flow.EtherType = 0xd28b
	typeVNTag   flow.EtherType = 0x8926 // predecessor of 802.1BR
	typeETag    flow.EtherType = 0x893f // 802.1BR
	typeFabric  flow.EtherType = 0x8903 // Cisco FabricPath

	maxHeaders = 8
	vlanID     = 0xfff
	pppShort   = 0x0100      // set if the protocol field has one byte (RFC 1661, 6.5)
	nshMask    = 0xc03f_0fff // version, length, MD type, next protocol
)

// headers are the kinds of headers in docs/accounting.md.
var headers = [...]header{
	{etherType: typeVLAN, length: tagLen},
	{etherType: typeQinQ, length: tagLen},
	{etherType: typeOldQinQ, length: tagLen},
	{etherType: typeMPLS, length: labelLen},
	{etherType: typeMPLSMulticast, length: labelLen},
	{etherType: typePPPoE, mask: 0xffff_0000, value: 0x1100_0000, length: 8},
	{etherType: typeCMD, mask: 0xffff_ffff, value: 0x0101_0001, length: 8},
	{etherType: typePBB, length: 18},
	{etherType: typeVNTag, length: 6},
	{etherType: typeETag, length: 8},
	{etherType: typeFabric, length: 2 + ethernetLen},
	{etherType: typeArista, mask: 0xffff_feff, value: 0x0001_0010, length: 14},
	{etherType: typeArista, mask: 0xffff_feff, value: 0x0001_0020, length: 12},
	{etherType: typeNSH, mask: nshMask, value: 0x0006_0101, length: 24, next: flow.EtherTypeIPv4},
	{etherType: typeNSH, mask: nshMask, value: 0x0006_0102, length: 24, next: flow.EtherTypeIPv6},
	{etherType: typeNSH, mask: nshMask, value: 0x0006_0103, length: 24 + ethernetLen},
	{etherType: typeNSH, mask: nshMask, value: 0x0006_0105, length: 24, next: typeMPLS},
}

// HeaderTypes returns the ethertypes of the headers that Parse skips.
func HeaderTypes() []flow.EtherType {
	var types []flow.EtherType
	for i := range headers {
		if t := headers[i].etherType; !slices.Contains(types, t) {
			types = append(types, t)
		}
	}
	return types
}

// skipHeaders skips headers from off on; etherType is the type of the first one, and n is the
// number of headers before. It returns the ethertype and the offset of layer 3. It sets the key's
// VLAN if n is 0.
func skipHeaders(f *Frame, k *flow.Packed, n int, etherType flow.EtherType, off int) (flow.EtherType, int) {
	tagged := n > 0
	for ; n < maxHeaders; n++ {
		d := f.Data[off:]
		h := headerOf(d, etherType)
		if h == nil {
			break
		}
		switch etherType {
		case typeMPLS, typeMPLSMulticast:
			const bottom = 1 << 8
			off += labelLen
			if binary.BigEndian.Uint32(d)&bottom == 0 {
				continue
			}
			if t := ipAfterLabels(d[labelLen:], f.Len-off); t != 0 {
				etherType = t
			}
			return etherType, off
		case typeVLAN, typeQinQ, typeOldQinQ:
			if !tagged {
				k.VLAN = binary.BigEndian.Uint16(d) & vlanID
				tagged = true
			}
		}
		next, length := h.following(d)
		if length == 0 {
			break
		}
		etherType = next
		off += length
	}
	return etherType, off
}

// following returns the ethertype after the header at the start of d, and the header's length.
// The length is 0 if a PPP protocol has no ethertype.
func (h *header) following(d []byte) (next flow.EtherType, length int) {
	if h.next != 0 {
		return h.next, h.length
	}
	last := binary.BigEndian.Uint16(d[h.length-2:])
	if h.etherType != typePPPoE {
		return flow.EtherType(last), h.length
	}
	length = h.length
	if last&pppShort != 0 {
		last >>= 8
		length--
	}
	next, ok := etherTypeOfPPP(last)
	if !ok {
		return 0, 0
	}
	return next, length
}

// headerOf returns the kind of the header at the start of d. It returns nil for an unknown form
// or an incomplete header.
func headerOf(d []byte, etherType flow.EtherType) *header {
	for i := range headers {
		h := &headers[i]
		if h.etherType == etherType && len(d) >= h.length && binary.BigEndian.Uint32(d)&h.mask == h.value {
			return h
		}
	}
	return nil
}

const labelLen = 4

// ipAfterLabels returns the ethertype after the bottom of an MPLS stack, 0 if it is not certainly
// IP. held is the number of bytes on the wire from d on. A pseudowire without control word starts
// with a MAC address, whose first four bits may be 4 or 6 (RFC 8469).
func ipAfterLabels(d []byte, held int) flow.EtherType {
	const maxPadding = 64
	var etherType flow.EtherType
	var bytes int
	switch {
	case len(d) >= ipv4Len && d[0]>>4 == 4:
		header := int(d[0]&0xf) * 4
		bytes = int(binary.BigEndian.Uint16(d[2:]))
		if header < ipv4Len || bytes < header {
			return 0
		}
		etherType = flow.EtherTypeIPv4
	case len(d) >= ipv6Len && d[0]>>4 == 6:
		bytes = ipv6Len + int(binary.BigEndian.Uint16(d[4:]))
		etherType = flow.EtherTypeIPv6
	default:
		return 0
	}
	if bytes > held || held-bytes > maxPadding {
		return 0
	}
	return etherType
}
