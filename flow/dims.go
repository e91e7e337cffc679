package flow

import (
	"bytes"
	"fmt"
	"slices"
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
	DimSubtype // [Key.Subtype]
	DimDir
	DimIface
	DimVLAN
	DimNetNS
	DimPID    // process: PID and start time
	DimCgroup // cgroup v2
	DimComm   // name of the process
	DimContainer

	DimEnds     // both addresses, whichever is the source
	DimEndPorts // their ports
	DimHost     // one address: a packet counts at its source and at its destination
	DimService  // the service port, whichever end has it; excludes other ports

	// DimsFlow is the default of most outputs: all fields that identify a flow. A process name
	// is not one of them, as a process may change its name.
	DimsFlow = DimComm - 1
	// DimsConversation joins the two directions of flows. The process is shown, but does
	// not tell conversations apart: it may become known late, or at one end only.
	DimsConversation = DimEnds | DimEndPorts | DimProto | DimIface | DimVLAN | DimNetNS | DimPID | DimCgroup
	// DimsPacket are the fields read from packets. All others belong to an [Owner].
	DimsPacket = DimPID - 1 | DimEnds | DimEndPorts | DimHost | DimService
	// DimsOwner are the fields of an [Owner] that need no [Labels].
	DimsOwner = DimPID | DimCgroup | DimComm | DimContainer
	// DimsAll is every field of this package. Labels add others.
	DimsAll = DimService<<1 - 1
)

// Grouping is a name that --by takes for several fields.
type Grouping struct {
	Name    string
	Aliases []string
	Dims    Dims
	Noun    string // what a row is
	Help    string
}

// Groupings are all of them.
var Groupings = []Grouping{
	{Name: "flow", Dims: DimsFlow, Noun: "flow",
		Help: "addresses, ports, protocol and all else that tells flows apart: one row for each direction"},
	{Name: "conversation", Aliases: []string{"conv"}, Dims: DimsConversation, Noun: "conversation",
		Help: "both directions of a flow in one row"},
	{Name: "pair", Dims: DimEnds, Noun: "pair", Help: "two addresses, whatever they exchange"},
}

// groupingOf returns the grouping with that name or alias, nil if there is none.
func groupingOf(name string) *Grouping {
	for i := range Groupings {
		if g := &Groupings[i]; g.Name == name || slices.Contains(g.Aliases, name) {
			return g
		}
	}
	return nil
}

// ParseDims reads a value of --by: names and aliases of groupings and fields, joined by
// commas. An unknown name is an error, and so are fields that exclude each other.
func ParseDims(s string) (Dims, error) {
	var d Dims
	for name := range strings.SplitSeq(s, ",") {
		name = strings.TrimSpace(name)
		if g := groupingOf(name); g != nil {
			d |= g.Dims
			continue
		}
		f := Fields.Find(name)
		if f == nil || f.Dim == 0 {
			return 0, fmt.Errorf("unknown field %q: use any of %s", name, strings.Join(DimNames(), ", "))
		}
		d |= f.Dim
	}
	return d, d.Valid()
}

// exclusive are fields that a row cannot have together: a row of both directions has no
// source, and a key has one place for ports.
var exclusive = [][2]Dims{
	{DimEnds | DimHost, DimSrc | DimDst | DimDir | DimSubtype},
	{DimEndPorts | DimService, DimSrcPort | DimDstPort},
	{DimEnds | DimHost, DimSrcPort | DimDstPort},
	{DimEnds, DimHost},
	{DimEndPorts, DimService},
}

// Valid returns an error that names two fields which exclude each other.
func (d Dims) Valid() error {
	for _, e := range exclusive {
		if a, b := d&e[0], d&e[1]; a != 0 && b != 0 {
			return fmt.Errorf("rows cannot be grouped by %s and by %s", d.nameOf(a), d.nameOf(b))
		}
	}
	return nil
}

// nameOf names what in d has one of some fields.
func (d Dims) nameOf(some Dims) string {
	for _, g := range Groupings {
		if d.Has(g.Dims) && g.Dims&some != 0 {
			return g.Name
		}
	}
	return Fields.dimNames(some)[0]
}

// Paired reports whether a row has both directions, with a local and a remote end.
func (d Dims) Paired() bool { return d.Has(DimEnds) }

// TwoSided reports whether a row tells what was sent from what was received.
func (d Dims) TwoSided() bool { return d&(DimEnds|DimHost) != 0 }

// Copies is how many rows a packet counts in.
func (d Dims) Copies() uint64 {
	if d.Has(DimHost) {
		return 2
	}
	return 1
}

// DimNames lists the groupings and the fields that --by takes.
func DimNames() []string {
	var names []string
	for _, g := range Groupings {
		names = append(names, g.Name)
	}
	return append(names, Fields.dimNames(^Dims(0))...)
}

// Has reports whether d contains all of x.
func (d Dims) Has(x Dims) bool { return d&x == x }

// String returns a value that ParseDims reads.
func (d Dims) String() string {
	var names []string
	for _, g := range Groupings {
		if d.Has(g.Dims) {
			names = append(names, g.Name)
			d &^= g.Dims
		}
	}
	return strings.Join(append(names, Fields.dimNames(d)...), ",")
}

// Projection clears the fields of keys that rows are not grouped by.
type Projection struct {
	identity bool
	dims     Dims
	masks    [3][7]uint64 // by L4Kind
}

// Projection returns the projection onto d.
func (d Dims) Projection() Projection {
	pr := Projection{identity: d.Has(DimsFlow), dims: d}
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
	if d&(DimSrc|DimEnds|DimHost) != 0 {
		ff(&m.Src)
	}
	if d&(DimDst|DimEnds) != 0 {
		ff(&m.Dst)
	}
	if d&(DimSrc|DimDst|DimEnds|DimHost) != 0 {
		m.Family = 0xff
	}
	switch kind {
	case L4Ports:
		if d&(DimSrcPort|DimEndPorts|DimService) != 0 {
			m.L4 |= Ports(0xffff, 0)
		}
		if d&(DimDstPort|DimEndPorts) != 0 {
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
	if d.OwnerTellsApart() { // the owner is reduced to what is grouped by when it gets its number
		m.OwnerID = uint32(ones & 0xffffffff)
	}
	return m
}

// Beyond returns the fields of d that no grouping in it has.
func (d Dims) Beyond() Dims {
	for _, g := range Groupings {
		if d.Has(g.Dims) {
			d &^= g.Dims
		}
	}
	return d
}

// OwnerTellsApart reports whether rows with different owners are different rows.
func (d Dims) OwnerTellsApart() bool {
	if d.Has(DimsConversation) {
		d &^= DimsConversation
	}
	return d&^DimsPacket != 0
}

// IsIdentity reports whether Apply changes nothing.
func (pr *Projection) IsIdentity() bool { return pr.identity }

// Apply clears the fields of p that are not grouped by. If the row is of two ends, it puts
// them in one order, and reports whether it exchanged them.
func (pr *Projection) Apply(p *Packed) (exchanged bool) {
	if pr.identity || int(p.L4Kind) >= len(pr.masks) {
		return false
	}
	if pr.dims.Has(DimService) && p.L4Kind == L4Ports {
		p.L4 = Ports(ServicePort(uint16(p.L4>>16), uint16(p.L4)), 0)
	}
	w, m := p.words(), &pr.masks[p.L4Kind]
	for i := range w {
		w[i] &= m[i]
	}
	if pr.dims.Has(DimEnds) && pr.inverted(p) {
		pr.Exchange(p)
		return true
	}
	return false
}

// inverted reports whether the end with the higher address comes first, or with the higher
// port where the addresses are equal.
func (pr *Projection) inverted(p *Packed) bool {
	if c := bytes.Compare(p.Src[:], p.Dst[:]); c != 0 {
		return c > 0
	}
	return pr.hasEndPorts(p) && uint16(p.L4>>16) > uint16(p.L4)
}

// Exchange makes the first end the second one and the other way round.
func (pr *Projection) Exchange(p *Packed) {
	p.Src, p.Dst = p.Dst, p.Src
	if pr.hasEndPorts(p) {
		p.L4 = p.L4<<16 | p.L4>>16
	}
}

func (pr *Projection) hasEndPorts(p *Packed) bool {
	return p.L4Kind == L4Ports && pr.dims.Has(DimEndPorts)
}
