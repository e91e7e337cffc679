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
	ends    bool   // the view separates received from sent traffic, wherever it was seen
	note    string // explanation of the view's numbers

	// project returns the row of the view to which a row of the report belongs. It returns two if a
	// packet counts at both ends.
	project func(*flow.Packed, *[2]projected) []projected
}

// projected is a part of a row of a view.
type projected struct {
	key flow.Packed
	dir flow.Direction // as the view shows it
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
		{name: "Flows", key: "F", either: true, dims: ^flow.Dims(0), project: identity,
			columns: slices.Concat(named(flowLabels...), labels, named(flowMeasures...), measures)},
		{name: "Hosts", one: "host", key: "H", either: true, dims: flow.DimSrc | flow.DimDst, makes: flow.DimSrc, hides: flow.DimDst, project: hosts, ends: true, columns: with("host"),
			note: "each packet counts at both of its ends"},
		{name: "Pairs", one: "pair", key: "A", dims: flow.DimSrc | flow.DimDst, project: by(flow.DimSrc | flow.DimDst), columns: with("src", "dst")},
		{name: "Ports", one: "port", key: "P", either: true, dims: flow.DimProto | flow.DimSrcPort | flow.DimDstPort, hides: flow.DimSrcPort, makes: flow.DimDstPort, project: servicePorts, columns: with("proto", "port"),
			note: "the lower of a packet's two ports, as a rule the service's"},
		{name: "Protocols", one: "protocol", key: "R", dims: flow.DimProto, project: by(flow.DimProto), columns: with("proto", "info")},
		{name: "Processes", one: "process", key: "E", either: true, dims: flow.DimPID | flow.DimComm, needs: []string{"comm"}, groups: byProcess,
			project: by(flow.DimPID), columns: with("process", "pid", "uid", "container")},
		{name: "Containers", one: "container", key: "C", either: true, dims: flow.DimPID | flow.DimCgroup | flow.DimContainer, needs: []string{"container", "cgroup_id"}, groups: byContainer,
			project: by(flow.DimCgroup), columns: with("group")},
		{name: "Interfaces", one: "interface", key: "I", dims: flow.DimIface, needs: []string{"iface"}, project: by(flow.DimIface), columns: with("interface")},
	}
}

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
func (v *view) splits(had fields) bool { return had["direction"] || v.ends }

// shown returns the fields of the view's rows in a report grouped by dims.
func (v *view) shown(dims flow.Dims) flow.Dims { return v.dims&dims&^v.hides | v.makes }

func identity(k *flow.Packed, to *[2]projected) []projected {
	to[0] = projected{*k, k.Dir}
	return to[:1]
}

// by returns the projection of --by.
func by(d flow.Dims) func(*flow.Packed, *[2]projected) []projected {
	pr := d.Projection()
	return func(k *flow.Packed, to *[2]projected) []projected {
		to[0] = projected{*k, k.Dir}
		pr.Apply(&to[0].key)
		return to[:1]
	}
}

// hosts counts a packet as sent by its source, and as received by its destination.
func hosts(k *flow.Packed, to *[2]projected) []projected {
	to[0] = projected{flow.Packed{Src: k.Src, Family: k.Family}, flow.Egress}
	to[1] = projected{flow.Packed{Src: k.Dst, Family: k.Family}, flow.Ingress}
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
		src, dst := k.L4>>16, k.L4&0xffff
		port := min(src, dst)
		if port == 0 {
			port = max(src, dst)
		}
		p.L4Kind, p.L4 = flow.L4Ports, port
	}
	to[0] = projected{p, k.Dir}
	return to[:1]
}
