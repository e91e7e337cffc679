// Package flow is the vocabulary of pktstat: what a flow is, what is counted of
// it, and the report that outputs get. It imports the standard library only, so
// that any backend or output, in this repository or outside it, can depend on it.
package flow

import (
	"fmt"
	"net/netip"
)

// Key identifies one direction of one conversation. It is comparable. A zero
// field means "not known" or "not grouped by"; [Report.Dims] tells which.
//
// Key is the readable form. Tables and sources work with [Packed], which holds
// the same fields in 56 bytes without pointers.
type Key struct {
	// Src and Dst are the layer-3 addresses and layer-4 ports; the port is 0
	// where the protocol has none. IPv4 is IPv4, never v4-mapped IPv6. For ARP
	// they are the sender's and the target's protocol address.
	Src, Dst netip.AddrPort

	Proto     Proto     // IP protocol number; meaningless when EtherType is set
	EtherType EtherType // what a frame carries that is not IP; 0 for IP
	Dir       Direction // as seen by the hook's interface or socket

	// Subtype refines protocols without ports: ICMP type<<8|code, ESP and AH SPI,
	// GRE protocol type, ARP operation. Ports never carry these.
	Subtype uint32

	Ifindex uint32
	VLAN    uint16 // id of the outermost 802.1Q/802.1ad tag
	NetNS   uint32 // network namespace inode; only from hooks that see all of them
	// OwnerID is the number of an [Owner] in [Report.Owners]; 0: none, or not looked for.
	// It is valid within one report: the next one may give it to another owner. Whoever
	// keeps keys for longer replaces it by a number of their own.
	OwnerID uint32
}

// Direction of a packet relative to the interface or socket it was seen at.
type Direction uint8

// Directions.
const (
	DirUnknown Direction = iota
	Ingress
	Egress
)

// String returns "ingress", "egress" or "".
func (d Direction) String() string {
	switch d {
	case Ingress:
		return "ingress"
	case Egress:
		return "egress"
	}
	return ""
}

// EtherType is the protocol of a frame that is not IP (IEEE 802 numbers).
type EtherType uint16

// EtherTypes that pktstat knows by name.
const (
	EtherTypeIPv4 EtherType = 0x0800
	EtherTypeARP  EtherType = 0x0806
	EtherTypeIPv6 EtherType = 0x86dd

	// EtherTypeLLC stands for all 802.3 frames, whose type field is a length
	// (ETH_P_802_2 in include/uapi/linux/if_ether.h).
	EtherTypeLLC EtherType = 0x0004
	// EtherTypeHDLC and EtherTypeARCNET are what frames of these links are when they are not
	// IP (ETH_P_HDLC and ETH_P_ARCNET there).
	EtherTypeHDLC   EtherType = 0x0019
	EtherTypeARCNET EtherType = 0x001a
	// 802.11 frames that have no ethertype, or none that can be read. IEEE 802 Numbers has
	// 0x0101 to 0x01ff for experiments (RFC 9542, appendix B.1).
	EtherTypeWifiManagement EtherType = 0x0180
	EtherTypeWifiControl    EtherType = 0x0181
	EtherTypeWifiData       EtherType = 0x0182
	EtherTypeWifiEncrypted  EtherType = 0x0183
	// EtherTypePPP and EtherTypeFrameRelay are what else these links carry than IP.
	EtherTypeFrameRelay EtherType = 0x6559 // RFC 1701
	EtherTypePPP        EtherType = 0x880b
	// EtherTypeRunt marks frames too short to have a type, and packets without
	// a link header that are not IP. The value is reserved by RFC 1701.
	EtherTypeRunt EtherType = 0xffff
)

// String returns the number as "0x88cc".
func (e EtherType) String() string { return fmt.Sprintf("0x%04x", uint16(e)) }

// Protocol returns the IANA keyword of the flow's protocol, "ARP", or "ETH" for
// any other frame that is not IP.
func (k *Key) Protocol() string {
	switch k.EtherType {
	case 0:
		return k.Proto.String()
	case EtherTypeARP:
		return "ARP"
	}
	return "ETH"
}

// HasPorts reports whether the flow's protocol has ports.
func (k *Key) HasPorts() bool { return k.EtherType == 0 && k.Proto.HasPorts() }
