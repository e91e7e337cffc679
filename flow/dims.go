package flow

import (
	"fmt"
	"strings"
)

// Dims is the set of fields that flows are grouped by.
type Dims uint64

// The fields of --by. Labels add further bits; see [FieldTable.Register].
const (
	DimSrc Dims = 1 << iota
	DimDst
	DimSrcPort
	DimDstPort
	DimProto   // and the ethertype of frames that are not IP
	DimSubtype // ICMP type and code, SPI, GRE protocol, ARP operation
	DimDir
	DimIface
	DimVLAN
	DimNetNS
	DimPID    // process: PID and start time
	DimCgroup // cgroup v2
	DimComm   // name of the process
	DimContainer

	// DimsFlow is the default: all fields that identify a flow. A process name is not one of
	// them, as a process may change its name.
	DimsFlow = DimComm - 1
	// DimsPacket are the fields read from packets. All others belong to an [Owner].
	DimsPacket = DimPID - 1
	// DimsOwner are the fields of an [Owner] that need no [Labels].
	DimsOwner = DimPID | DimCgroup | DimComm | DimContainer
	// DimsAll are all fields of this package.
	DimsAll = DimContainer<<1 - 1
)

// ParseDims reads a value of --by: "flow", or field names and aliases joined by commas. An
// unknown name is an error.
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

// DimNames lists the names that --by takes.
func DimNames() []string { return Fields.dimNames(^Dims(0)) }

// Has reports whether d contains all of x.
func (d Dims) Has(x Dims) bool { return d&x == x }

// String returns a value that ParseDims reads.
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

// Projection clears the fields of keys that rows are not grouped by.
type Projection struct {
	identity bool
	masks    [3][7]uint64 // by L4Kind
}

// Projection returns the projection onto d.
func (d Dims) Projection() Projection {
	pr := Projection{identity: d.Has(DimsFlow)}
	for kind := range pr.masks {
		m := d.mask(L4Kind(kind))
		pr.masks[kind] = *m.words()
	}
	return pr
}

// mask returns a key with all bits set that d keeps.
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
	if d&^DimsPacket != 0 { // the number stands for an owner reduced to d
		m.OwnerID = uint32(ones & 0xffffffff)
	}
	return m
}

// IsIdentity reports whether Apply changes nothing.
func (pr *Projection) IsIdentity() bool { return pr.identity }

// Apply clears the fields of p that are not in the projection.
func (pr *Projection) Apply(p *Packed) {
	if pr.identity || int(p.L4Kind) >= len(pr.masks) {
		return
	}
	w, m := p.words(), &pr.masks[p.L4Kind]
	for i := range w {
		w[i] &= m[i]
	}
}
