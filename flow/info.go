package flow

import (
	"fmt"
	"strconv"
)

// info describes a row without ports for people: "echo-request", "spi 0x00001000", "who-has",
// "LLDP 0x88cc"; "" if there is nothing to describe. Fields that rows are not grouped by are
// already zero.
func (r *Row) info() string {
	switch {
	case r.EtherType == EtherTypeARP:
		if r.Subtype == 0 {
			return ""
		}
		if name := ARPOperations[r.Subtype]; name != "" {
			return name
		}
		return fmt.Sprintf("op %d", r.Subtype)
	case r.EtherType != 0:
		return etherTypeInfo(r.EtherType)
	case isICMP(r) && r.HasSubtype:
		return icmpInfo(r.Proto, uint8(r.Subtype>>8), uint8(r.Subtype))
	case r.Subtype == 0:
		return ""
	case isIP(r, ESP, AH):
		return fmt.Sprintf("spi 0x%08x", r.Subtype)
	case isIP(r, GRE, GRE):
		return greInfo(r.Subtype)
	case isIP(r, IGMP, IGMP):
		return named(IGMPTypes, uint8(r.Subtype))
	case isIP(r, OSPF, OSPF):
		return fmt.Sprintf("v%d %s", r.Subtype>>8, named(OSPFTypes, uint8(r.Subtype)))
	}
	return fmt.Sprintf("subtype 0x%x", r.Subtype)
}

func icmpInfo(p Proto, typ, code uint8) string {
	names := ICMPTypes
	if p == ICMPv6 {
		names = ICMPv6Types
	}
	name := named(names, typ)
	if code != 0 {
		name += "/" + strconv.Itoa(int(code))
	}
	return name
}

// named returns the name of a type, or "type 7".
func named(names map[uint8]string, typ uint8) string {
	if name := names[typ]; name != "" {
		return name
	}
	return "type " + strconv.Itoa(int(typ))
}

// greInfo returns "IPv4 0x0800", and flags and another version if there are any:
// "PPP 0x880b, v1 flags 0x3000".
func greInfo(subtype uint32) string {
	text := etherTypeInfo(EtherType(subtype))
	head := subtype >> 16
	if head&greVersion != 0 {
		text += fmt.Sprintf(", v%d", head&greVersion)
	}
	if flags := head &^ greVersion; flags != 0 {
		text += fmt.Sprintf(" flags 0x%04x", flags)
	}
	return text
}

func etherTypeInfo(t EtherType) string {
	if name := EtherTypes[t]; name != "" {
		return name + " " + t.String()
	}
	return t.String()
}

// ICMPTypes are names of IANA's ICMP Type Numbers; the usual ones as in tcpdump and ping.
var ICMPTypes = map[uint8]string{
	0: "echo-reply", 3: "unreachable", 4: "source-quench", 5: "redirect", 8: "echo-request",
	9: "router-advert", 10: "router-solicit", 11: "time-exceeded", 12: "param-problem",
	13: "timestamp", 14: "timestamp-reply",
}

// ICMPv6Types are names of IANA's ICMPv6 Type Numbers.
var ICMPv6Types = map[uint8]string{
	1: "unreachable", 2: "packet-too-big", 3: "time-exceeded", 4: "param-problem",
	128: "echo-request", 129: "echo-reply", 130: "mld-query", 131: "mld-report", 132: "mld-done",
	133: "router-solicit", 134: "router-advert", 135: "neighbor-solicit", 136: "neighbor-advert",
	137: "redirect", 143: "mldv2-report",
}

// IGMPTypes are names of IANA's IGMP Type Numbers, as in tcpdump.
var IGMPTypes = map[uint8]string{
	0x11: "query", 0x12: "v1-report", 0x13: "dvmrp", 0x14: "pim", 0x16: "v2-report", 0x17: "leave", 0x22: "v3-report",
}

// OSPFTypes are the types of RFC 2328, appendix A.3.1, and RFC 5340, appendix A.3.1.
var OSPFTypes = map[uint8]string{1: "hello", 2: "db-description", 3: "ls-request", 4: "ls-update", 5: "ls-ack"}

// ARPOperations are names of the operations of RFC 826 and RFC 903.
var ARPOperations = map[uint32]string{1: "who-has", 2: "is-at", 3: "reverse-request", 4: "reverse-reply"}

// EtherTypes are names of IEEE 802 Numbers.
var EtherTypes = map[EtherType]string{
	EtherTypeLLC: "LLC", EtherTypeIPv4: "IPv4", EtherTypeARP: "ARP", 0x0842: "WoL",
	0x6558: "TEB", 0x8035: "RARP", EtherTypeIPv6: "IPv6", 0x8100: "802.1Q", 0x8847: "MPLS",
	0x8848: "MPLS-mc", 0x8863: "PPPoE-disc", 0x8864: "PPPoE", 0x888e: "EAPOL", 0x88a8: "802.1ad",
	0x88be: "ERSPAN", 0x88cc: "LLDP", 0x88e5: "MACsec", 0x88f7: "PTP", 0x8906: "FCoE",
	EtherTypeHDLC: "HDLC", EtherTypeARCNET: "ARCNET", EtherTypePPP: "PPP", EtherTypeFrameRelay: "FrameRelay",
	EtherTypeWifiManagement: "802.11-mgmt", EtherTypeWifiControl: "802.11-ctrl",
	EtherTypeWifiData: "802.11-data", EtherTypeWifiEncrypted: "802.11-encrypted",
	EtherTypeRunt: "runt",
}
