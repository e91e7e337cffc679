package flow

import (
	"fmt"
	"strings"
)

// Dims is the set of fields that flows are grouped by.
type Dims uint64

// The fields of --by.
const (
	DimSrc Dims = 1 << iota
	DimDst
	DimSrcPort
	DimDstPort
	DimProto   // with the ethertype of frames that are not IP
	DimSubtype // ICMP type and code, SPI, GRE protocol, ARP operation
	DimDir
	DimIface
	DimVLAN
	DimNetNS
	DimPID    // process: its id and start time
	DimCgroup // cgroup v2
	DimComm   // name of the process
	DimContainer

	// DimsFlow is the default: everything that makes a flow. Names are not part of
	// it: a process that takes another one is still the same.
	DimsFlow = DimComm - 1
	// DimsPacket are the fields that are read from packets. All others are of an [Owner].
	DimsPacket = DimPID - 1
	// DimsOwner are the fields of an [Owner] that need no [Labels].
	DimsOwner = DimPID | DimCgroup | DimComm | DimContainer
	// DimsAll is every field of this package. Labels add others.
	DimsAll = DimContainer<<1 - 1
)

// ParseDims reads the value of --by: "flow", or names and aliases of fields joined by
// commas.
func ParseDims(s string) (Dims, error) {
	var d Dims
	for name := range strings.SplitSeq(s, ",") {
		name = strings.TrimSpace(name)
		if name == "flow" {
			d |= DimsFlow
			continue
		}
		f := Fields.Find(name)
		if f == nil || f.Dim == 0 {
			return 0, fmt.Errorf("unknown field %q: use flow or any of %s", name, strings.Join(DimNames(), ", "))
		}
		d |= f.Dim
	}
	return d, nil
}

// DimNames lists the fields that --by takes.
func DimNames() []string { return Fields.dimNames(^Dims(0)) }

// Has reports whether all of x is in d.
func (d Dims) Has(x Dims) bool { return d&x == x }

// String returns what ParseDims reads.
func (d Dims) String() string {
	if d == DimsFlow {
		return "flow"
	}
	if d.Has(DimsFlow) {
		return "flow," + (d &^ DimsFlow).list()
	}
	return d.list()
}

func (d Dims) list() string { return strings.Join(Fields.dimNames(d), ",") }

// Projection maps keys onto the fields of a Dims.
type Projection struct {
	identity bool
	masks    [3][7]uint64 // by L4Kind
}

// Projection returns the mapping onto d.
func (d Dims) Projection() Projection {
	pr := Projection{identity: d.Has(DimsFlow)}
	for kind := range pr.masks {
		m := d.mask(L4Kind(kind))
		pr.masks[kind] = *m.words()
	}
	return pr
}

// mask returns a key whose set bits are kept.
func (d Dims) mask(kind L4Kind) Packed {
	const ones = ^uint64(0)
	var m Packed
	ff := func(b *[16]byte) {
		for i := range b {
			b[i] = 0xff
		}
	}
	if d.Has(DimSrc) {
		ff(&m.Src)
	}
	if d.Has(DimDst) {
		ff(&m.Dst)
	}
	if d&(DimSrc|DimDst) != 0 {
		m.Family = 0xff
	}
	switch kind {
	case L4Ports:
		if d.Has(DimSrcPort) {
			m.L4 |= Ports(0xffff, 0)
		}
		if d.Has(DimDstPort) {
			m.L4 |= Ports(0, 0xffff)
		}
	case L4Subtype:
		if d.Has(DimSubtype) {
			m.L4 = ^uint32(0)
		}
	}
	if m.L4 != 0 {
		m.L4Kind = 0xff
	}
	if d.Has(DimProto) {
		m.Proto, m.EtherType = 0xff, 0xffff
	}
	if d.Has(DimDir) {
		m.Dir = 0xff
	}
	if d.Has(DimIface) {
		m.Ifindex = uint32(ones & 0xffffffff)
	}
	if d.Has(DimVLAN) {
		m.VLAN = 0xffff
	}
	if d.Has(DimNetNS) {
		m.NetNS = uint32(ones & 0xffffffff)
	}
	if d&^DimsPacket != 0 { // the owner is reduced to what is grouped by when it gets its number
		m.OwnerID = uint32(ones & 0xffffffff)
	}
	return m
}

// IsIdentity reports whether Apply changes nothing.
func (pr *Projection) IsIdentity() bool { return pr.identity }

// Apply clears the fields of p that are not grouped by.
func (pr *Projection) Apply(p *Packed) {
	if pr.identity || int(p.L4Kind) >= len(pr.masks) {
		return
	}
	w, m := p.words(), &pr.masks[p.L4Kind]
	for i := range w {
		w[i] &= m[i]
	}
}
