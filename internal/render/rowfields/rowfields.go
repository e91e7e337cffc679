// Package rowfields decides which fields of a row there are, for all outputs
// alike. A zero field of a [flow.Row] means "not known" or "not grouped by";
// what an output shows must be neither.
package rowfields

import (
	"strconv"

	"github.com/pktstat/pktstat/flow"
)

// Set is a set of fields.
type Set uint32

// The fields of a row. The counters and the times are always there.
const (
	Proto Set = 1 << iota
	EtherType
	Src
	SrcPort
	Dst
	DstPort
	ICMP // type and code
	SPI
	GREProto
	ARPOp
	Subtype // of a row that is not grouped by protocol: nobody can tell what it is
	VLAN
	Dir
	Iface
	NetNS
	PID
	Comm
	UID
	CgroupID
	Cgroup // path
	Container
	Match
	Retransmits
)

// Has reports whether all of x is in s.
func (s Set) Has(x Set) bool { return s&x == x }

// Any reports whether some of x is in s.
func (s Set) Any(x Set) bool { return s&x != 0 }

// Of returns the fields that r has in a report grouped by dims.
func Of(dims flow.Dims, r *flow.Row) Set {
	var s Set
	add := func(dim flow.Dims, known bool, field Set) {
		if known && dims.Has(dim) {
			s |= field
		}
	}
	add(flow.DimSrc, r.Src.Addr().IsValid(), Src)
	add(flow.DimDst, r.Dst.Addr().IsValid(), Dst)
	add(flow.DimSrcPort, r.Src.Port() != 0, SrcPort)
	add(flow.DimDstPort, r.Dst.Port() != 0, DstPort)
	add(flow.DimProto, true, Proto)
	add(flow.DimProto, r.EtherType != 0 && r.Protocol() == "ETH", EtherType)
	if dims.Has(flow.DimSubtype) {
		s |= subField(dims, r)
	}
	add(flow.DimDir, r.Dir != flow.DirUnknown, Dir)
	add(flow.DimIface, r.Ifindex != 0, Iface)
	add(flow.DimVLAN, r.VLAN != 0, VLAN)
	add(flow.DimNetNS, r.NetNS != 0, NetNS)
	if r.Retransmits != 0 {
		s |= Retransmits
	}
	return s | ownerFields(dims, r)
}

// ownerFields tells what of the owner rows are grouped by, and what follows from it:
// a process has one name, user, cgroup and container, a cgroup one container.
func ownerFields(dims flow.Dims, r *flow.Row) Set {
	var s Set
	o := &r.Owner
	add := func(by flow.Dims, known bool, field Set) {
		if known && dims&by != 0 {
			s |= field
		}
	}
	add(flow.DimPID, o.PID != 0, PID|UID)
	add(flow.DimPID|flow.DimComm, o.Comm != "", Comm)
	add(flow.DimPID|flow.DimCgroup, o.CgroupID != 0, CgroupID)
	add(flow.DimPID|flow.DimCgroup, o.Cgroup != "", Cgroup)
	add(flow.DimPID|flow.DimCgroup|flow.DimContainer, o.Container != "", Container)
	if r.Match != flow.MatchUnset {
		s |= Match
	}
	return s
}

// subField tells what Sub is. Of all protocols only ICMP has a meaning for 0:
// type 0 code 0 is the echo reply (RFC 792).
func subField(dims flow.Dims, r *flow.Row) Set {
	switch {
	case !dims.Has(flow.DimProto):
		if r.Subtype != 0 {
			return Subtype
		}
	case r.EtherType == 0 && r.Proto == flow.ICMP:
		return ICMP
	case r.Subtype == 0:
	case r.EtherType == flow.EtherTypeARP:
		return ARPOp
	case r.EtherType != 0:
	case r.Proto == flow.ICMPv6:
		return ICMP
	case r.Proto == flow.GRE:
		return GREProto
	case r.Proto == flow.ESP, r.Proto == flow.AH:
		return SPI
	}
	return 0
}

// IfaceName returns the name of the row's interface, or "if7" for an index
// without one, as iproute2 has it (ll_index_to_name).
func IfaceName(r *flow.Row) string {
	if r.Iface != "" || r.Ifindex == 0 {
		return r.Iface
	}
	return "if" + strconv.FormatUint(uint64(r.Ifindex), 10)
}

// AppendHex16 appends an ethertype or GRE protocol type as "0x88cc".
func AppendHex16(b []byte, v uint16) []byte {
	const digits = "0123456789abcdef"
	return append(b, '0', 'x', digits[v>>12], digits[v>>8&0xf], digits[v>>4&0xf], digits[v&0xf])
}
