package packet

import (
	"encoding/binary"

	"github.com/pktstat/pktstat/flow"
)

const (
	ethernetLen = 14
	tagLen      = 4
	arpLen      = 28 // with Ethernet and IPv4 addresses

	minType flow.EtherType = 0x0600 // lower values are a length (802.3)
)

// link parses everything before layer 3. It returns the ethertype and the offset of layer 3, and
// sets the key's VLAN.
func link(f *Frame, k *flow.Packed) (flow.EtherType, int) {
	d, off := f.Data, 0
	var etherType flow.EtherType
	switch {
	case !f.Raw:
		if len(d) < ethernetLen {
			etherType = flow.EtherTypeRunt
			break
		}
		etherType, off = flow.EtherType(binary.BigEndian.Uint16(d[12:])), ethernetLen
	case f.Opaque:
		return f.EtherType, 0
	case f.EtherType != 0:
		etherType = f.EtherType
	default:
		etherType = ipVersion(d)
	}

	n := 0 // number of headers before layer 3
	if f.Tagged {
		k.VLAN = f.TCI & vlanID
		n = 1
	}
	for ; n < maxHeaders && (etherType == typeVLAN || etherType == typeQinQ); n++ {
		if len(d) < off+tagLen {
			return etherType, off
		}
		if n == 0 {
			k.VLAN = binary.BigEndian.Uint16(d[off:]) & vlanID
		}
		etherType = flow.EtherType(binary.BigEndian.Uint16(d[off+2:]))
		off += tagLen
	}
	switch etherType {
	case flow.EtherTypeIPv4, flow.EtherTypeIPv6, flow.EtherTypeARP:
		return etherType, off
	}
	etherType, off = skipHeaders(f, k, n, etherType, off)
	if etherType < minType {
		etherType = flow.EtherTypeLLC
	}
	return etherType, off
}

// ipVersion returns the ethertype by the first four bits.
func ipVersion(d []byte) flow.EtherType {
	if len(d) > 0 {
		switch d[0] >> 4 {
		case 4:
			return flow.EtherTypeIPv4
		case 6:
			return flow.EtherTypeIPv6
		}
	}
	return flow.EtherTypeRunt
}

// arp sets the addresses and the operation of ARP with Ethernet and IPv4 addresses (RFC 826). It
// sets nothing for other ARP.
func arp(d []byte, k *flow.Packed) {
	k.L4Kind = flow.L4Subtype
	if len(d) < arpLen {
		return
	}
	const ethernetIPv4 = 0x0800_06_04 // protocol type, hlen, plen
	if binary.BigEndian.Uint32(d[2:]) != ethernetIPv4 {
		return
	}
	copy(k.Src[:4], d[14:18])
	copy(k.Dst[:4], d[24:28])
	k.Family = flow.FamilyIPv4
	k.L4 = uint32(binary.BigEndian.Uint16(d[6:]))
}
