package tui

import (
	"slices"
	"strings"

	"github.com/pktstat/pktstat/flow"
)

// view is a way of grouping the reports' rows.
type view struct {
	name    string
	one     string    // word for a row; "": the word of the reports
	key     string    // opens the view
	dims    flow.Dims // fields by which the view groups
	either  bool      // one of dims suffices, else all are required
	hides   flow.Dims // the fields of dims that the view's rows lack
	makes   flow.Dims // the fields that the view's rows have instead
	needs   []string  // fields of which at least one row must have one
	groups  int       // grouping of owners
	columns []*column
	ends    bool // the view separates received from sent traffic, wherever it was seen
	whole   bool // its rows are the reports' rows
	// only says for which groupings the view is there; nil: all.
	only func(flow.Dims) bool
	note string // explanation of the view's numbers

	// project returns the row of the view to which a row of the report belongs. It returns two if a
	// packet counts at both ends.
	project func(*flow.Packed, *[2]projected) []projected
}

// projected is a part of a row of a view.
type projected struct {
	key flow.Packed
	dir flow.Direction // as the view shows it
	far bool           // of a row of two ends: the remote one, which sent what came in
}

// allViews returns the views in the order of the tabs.
func allViews() []*view {
	cols := newColumns()
	labels, measures := unknownColumns(cols)
	named := func(names ...string) []*column {
		list := make([]*column, len(names))
		for i, n := range names {
			list[i] = cols[n]
		}
		return list
	}
	with := func(names ...string) []*column {
		return slices.Concat(named(names...), named(viewMeasures...), measures)
	}
	return []*view{
		{name: "Conversations", key: "F", whole: true, only: flow.Dims.Paired, either: true, dims: ^flow.Dims(0), project: identity,
			columns: slices.Concat(named(conversationLabels...), labels, named(viewMeasures...), measures)},
		{name: "Flows", key: "F", whole: true, only: directed, either: true, dims: ^flow.Dims(0), project: identity,
			columns: slices.Concat(named(flowLabels...), labels, named(flowMeasures...), measures)},
		{name: "Hosts", one: "host", key: "H", either: true, dims: flow.DimSrc | flow.DimDst | flow.DimEnds | flow.DimHost, makes: flow.DimSrc,
			hides: flow.DimDst | flow.DimEnds | flow.DimHost, project: hosts, ends: true, columns: with("host"), note: "each packet counts at both of its ends"},
		{name: "Pairs", one: "pair", key: "A", only: flow.Dims.Paired, dims: flow.DimEnds, project: pairs, columns: with("local", "remote")},
		{name: "Pairs", one: "pair", key: "A", only: directed, dims: flow.DimSrc | flow.DimDst, project: by(flow.DimSrc | flow.DimDst), columns: with("src", "dst")},
		{name: "Ports", one: "port", key: "P", either: true, dims: flow.DimProto | flow.DimSrcPort | flow.DimDstPort | flow.DimEndPorts, hides: flow.DimSrcPort | flow.DimEndPorts, makes: flow.DimDstPort, project: servicePorts, columns: with("proto", "port"),
			note: "the lower of a packet's two ports, as a rule the service's"},
		{name: "Protocols", one: "protocol", key: "R", dims: flow.DimProto, project: by(flow.DimProto), columns: with("proto", "info")},
		{name: "Processes", one: "process", key: "E", either: true, dims: flow.DimPID | flow.DimComm, needs: []string{"comm"}, groups: byProcess,
			project: by(flow.DimPID), columns: with("process", "pid", "uid", "container")},
		{name: "Containers", one: "container", key: "C", either: true, dims: flow.DimPID | flow.DimCgroup | flow.DimContainer, needs: []string{"container", "cgroup_id"}, groups: byContainer,
			project: by(flow.DimCgroup), columns: with("group")},
		{name: "Interfaces", one: "interface", key: "I", dims: flow.DimIface, needs: []string{"iface"}, project: by(flow.DimIface), columns: with("interface")},
	}
}

// directed reports whether rows are of one direction.
func directed(dims flow.Dims) bool { return !dims.Paired() }

// columnOf returns the view's column of a field, nil if it has none.
func (v *view) columnOf(field string) *column {
	for _, c := range v.columns {
		if c.field != nil && c.field.Name == field {
			return c
		}
	}
	return nil
}

// offered reports whether the reports are grouped by the view's fields, and rows have them.
func (v *view) offered(dims flow.Dims, had fields) bool {
	if v.only != nil && !v.only(dims) {
		return false
	}
	if v.either && dims&v.dims&^flow.DimProto == 0 || !v.either && !dims.Has(v.dims) {
		return false
	}
	return had.anyNamed(v.needs)
}

// rows returns the word for n rows of the view, in a report grouped by dims.
func (v *view) rows(dims flow.Dims, n int) string {
	one, many := dims.Nouns()
	if v.one != "" {
		one, many = v.one, strings.ToLower(v.name)
	}
	if n == 1 {
		return one
	}
	return many
}

// splits reports whether the view separates incoming from outgoing traffic.
func (v *view) splits(dims flow.Dims, had fields) bool {
	return had["direction"] || v.ends || dims.TwoSided()
}

// shown returns the fields of the view's rows in a report grouped by dims.
func (v *view) shown(dims flow.Dims) flow.Dims { return v.dims&dims&^v.hides | v.makes }

func identity(k *flow.Packed, to *[2]projected) []projected {
	to[0] = projected{key: *k, dir: k.Dir}
	return to[:1]
}

// pairs leaves of two ends the addresses.
func pairs(k *flow.Packed, to *[2]projected) []projected {
	to[0] = projected{key: flow.Packed{Src: k.Src, Dst: k.Dst, Family: k.Family}}
	return to[:1]
}

// by returns the projection of --by.
func by(d flow.Dims) func(*flow.Packed, *[2]projected) []projected {
	pr := d.Projection()
	return func(k *flow.Packed, to *[2]projected) []projected {
		to[0] = projected{key: *k, dir: k.Dir}
		pr.Apply(&to[0].key)
		return to[:1]
	}
}

// hosts counts a packet as sent by its source, and as received by its destination.
func hosts(k *flow.Packed, to *[2]projected) []projected {
	to[0] = projected{key: flow.Packed{Src: k.Src, Family: k.Family}, dir: flow.Egress}
	to[1] = projected{key: flow.Packed{Src: k.Dst, Family: k.Family}, dir: flow.Ingress, far: true}
	if k.Family == flow.FamilyNone {
		to[0].dir = k.Dir
		return to[:1] // not IP, so no addresses
	}
	return to[:2]
}

// servicePorts puts both directions of a conversation into one row. It takes the lower port as the
// service's, because clients use higher ports than services (RFC 6335).
func servicePorts(k *flow.Packed, to *[2]projected) []projected {
	p := flow.Packed{Proto: k.Proto, EtherType: k.EtherType}
	if k.L4Kind == flow.L4Ports {
		p.L4Kind, p.L4 = flow.L4Ports, flow.Ports(0, flow.ServicePort(uint16(k.L4>>16), uint16(k.L4)))
	}
	to[0] = projected{key: p, dir: k.Dir}
	return to[:1]
}
