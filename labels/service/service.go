// Package service labels flows with the name that IANA has assigned to their service port.
package service

import (
	"context"
	_ "embed"
	"flag"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/registry"
)

//go:embed services.txt
var list string

func init() {
	registry.Labels.Register("service", registry.Label{
		Summary: "the name that IANA has assigned to the lower of the two ports",
		Fields: []flow.Field{{
			Name: "service", Title: "Service", Noun: "service", Help: "name of the service port (IANA): the lower of the two ports, usually the server's",
			Kind: flow.Text, By: flow.DimSrcPort | flow.DimEndPorts | flow.DimService, Groupable: true,
			// A single port may be the client's, so both are needed.
			Applies: func(d flow.Dims) bool {
				return d.Has(flow.DimProto) && (d.Has(flow.DimSrcPort|flow.DimDstPort) || d&(flow.DimEndPorts|flow.DimService) != 0)
			},
		}},
		Toggle:  "service",
		Usage:   "name the service ports of flows; on unless --service=false is given",
		Default: func(registry.Caps) bool { return true },
		New:     func() registry.LabelConfig { return config{} },
	})
}

type config struct{}

var _ registry.LabelConfig = config{}

func (config) Flags(*flag.FlagSet) {}

func (config) Open(_ context.Context, env registry.LabelEnv) (registry.Labeler, error) {
	return &labeler{names: parse(list), field: flow.Fields.Find("service"), tuples: env.Tuples}, nil
}

type labeler struct {
	names  names // never changes
	field  *flow.Field
	tuples registry.Tuples

	numbers map[flowService]uint32 // of one generation
	gen     uint64
}

var _ registry.Labeler = (*labeler)(nil)

// flowService is a service of a flow, with the flow's other labels.
type flowService struct {
	before uint32 // the number that earlier labels have given
	name   string
}

// Records implements [registry.Labeler].
func (l *labeler) Records(recs []flow.Record) {
	if g := l.tuples.Generation(); g != l.gen || l.numbers == nil {
		l.gen, l.numbers = g, map[flowService]uint32{}
	}
	for i := range recs {
		k := &recs[i].Key
		if k.EtherType != 0 || k.L4Kind != flow.L4Ports {
			continue
		}
		name := l.names[servicePort(k.Proto, uint16(k.L4>>16), uint16(k.L4))]
		if name == "" {
			continue
		}
		of := flowService{k.OwnerID, name}
		id, ok := l.numbers[of]
		if !ok {
			o := l.tuples.Get(k.OwnerID)
			o.SetLabel(l.field, name)
			if id = l.tuples.Number(&o); id == 0 {
				continue // no room
			}
			l.numbers[of] = id
		}
		k.OwnerID = id
	}
}

// Rows implements [registry.Labeler].
func (l *labeler) Rows(rows []*flow.Row) {
	for _, r := range rows {
		if r.EtherType != 0 || !r.Proto.HasPorts() {
			continue
		}
		if name := l.names[servicePort(r.Proto, r.Src.Port(), r.Dst.Port())]; name != "" {
			r.Owner.SetLabel(l.field, name)
		}
	}
}

// Close implements [registry.Labeler].
func (l *labeler) Close() error { return nil }

// servicePort returns the lower of two ports, because clients use ports above the service ports
// (RFC 6335). Port 0 means none: rows are not grouped by it, or the packet is a later fragment.
func servicePort(p flow.Proto, src, dst uint16) portKey {
	return portKey{p, flow.ServicePort(src, dst)}
}
