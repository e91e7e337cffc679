// Package flow defines pktstat's data: the key of a flow, its counters, and the report that
// outputs get. It imports the standard library only, so any plugin can depend on it, in this
// repository or outside it.
package flow

import (
	"fmt"
	"net/netip"
)

// Key identifies one direction of one conversation. It is comparable. A zero field is unknown or
// not grouped by; [Report.Dims] lists the fields that rows are grouped by.
//
// Key is the readable form. Sources and tables use [Packed], which holds the same fields in 56
// bytes without pointers.
type Key struct {
	// Src and Dst are layer-3 addresses and layer-4 ports. The port is 0 for a protocol without
	// ports. IPv4 addresses are never v4-mapped IPv6. ARP rows have the sender's and the target's
	// protocol address.
	Src, Dst netip.AddrPort

	Proto     Proto     // IP protocol number; meaningless when EtherType is set
	EtherType EtherType // type of a frame that is not IP; 0 for IP
	Dir       Direction // as seen by the hook's interface or socket

	// Subtype refines protocols without ports: ICMP type<<8|code, ESP or AH SPI, GRE
	// flags and version<<16|protocol type, IGMP type, OSPF version<<8|type, ARP operation. The
	// ports of Src and Dst never hold these.
	Subtype uint32

	Ifindex uint32
	VLAN    uint16 // id of the outermost 802.1Q/802.1ad tag
	NetNS   uint32 // inode of the network namespace; only from hooks that see every namespace
	// OwnerID is the index of an [Owner] in [Report.Owners]. 0: no owner, or owners were not
	// looked up. It is valid within one report: the next report may give the number to another
	// owner. Code that keeps keys longer must replace it by a number of its own.
	OwnerID uint32
}

// Direction of a packet, relative to the interface or socket where the hook saw it.
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

// EtherType is the protocol of a frame that is not IP (IEEE 802 Numbers).
type EtherType uint16

// EtherTypes with a name in pktstat.
const (
	EtherTypeIPv4 EtherType = 0x0800
	EtherTypeARP  EtherType = 0x0806
	EtherTypeIPv6 EtherType = 0x86dd

	// EtherTypeLLC stands for all 802.3 frames, whose type field is a length
	// (ETH_P_802_2 in include/uapi/linux/if_ether.h).
	EtherTypeLLC EtherType = 0x0004
	// EtherTypeHDLC and EtherTypeARCNET mark frames of these links that are not IP (ETH_P_HDLC
	// and ETH_P_ARCNET, same file).
	EtherTypeHDLC   EtherType = 0x0019
	EtherTypeARCNET EtherType = 0x001a
	// 802.11 frames without a readable ethertype. IEEE 802 Numbers reserves 0x0101 to 0x01ff for
	// experiments (RFC 9542, appendix B.1).
	EtherTypeWifiManagement EtherType = 0x0180
	EtherTypeWifiControl    EtherType = 0x0181
	EtherTypeWifiData       EtherType = 0x0182
	EtherTypeWifiEncrypted  EtherType = 0x0183
	// EtherTypePPP and EtherTypeFrameRelay mark packets of these links that are not IP.
	EtherTypeFrameRelay EtherType = 0x6559 // RFC 1701
	EtherTypePPP        EtherType = 0x880b
	// EtherTypeRunt marks frames too short for a type, and packets without a link header that are
	// not IP. RFC 1701 reserves the value.
	EtherTypeRunt EtherType = 0xffff
)

// String returns the number as "0x88cc".
func (e EtherType) String() string { return fmt.Sprintf("0x%04x", uint16(e)) }

// Protocol returns the protocol's name: "ARP", "ETH" for other frames that are not IP, or the
// IANA keyword.
func (k *Key) Protocol() string {
	switch k.EtherType {
	case 0:
		return k.Proto.String()
	case EtherTypeARP:
		return "ARP"
	}
	return "ETH"
}

// HasPorts reports whether the flow's protocol has layer-4 ports.
func (k *Key) HasPorts() bool { return k.EtherType == 0 && k.Proto.HasPorts() }
