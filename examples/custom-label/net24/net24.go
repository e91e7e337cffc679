// Package net24 is a label of pktstat outside its repository. It labels a flow with the network of
// the far end. The network is a /24 for IPv4 and a /48 for IPv6, unless an option changes that.
package net24

import (
	"context"
	"flag"
	"fmt"
	"net/netip"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/registry"
)

// A label registers itself in an init function. Its name has lower-case letters and digits. Its
// fields join the table of fields, so that --by, --sort and every output have them.
func init() {
	registry.Labels.Register("net24", registry.Label{
		Summary: "the network of the far end",
		Fields: []flow.Field{{
			Name: "net24", Title: "Network", Noun: "network", Help: "network of the far end: the destination of outgoing packets, else the source",
			// Rows that have an address have the text, and rows can be grouped by it.
			Kind: flow.Text, By: flow.DimSrc | flow.DimDst, Groupable: true,
		}},
		Toggle:  "net24",
		Usage:   "name the network of the far end; on unless --net24=false is given",
		Default: func(registry.Caps) bool { return true },
		New:     func() registry.LabelConfig { return &config{v4: 24, v6: 48} },
	})
}

// config holds the options. New sets their defaults.
type config struct{ v4, v6 int }

var _ registry.LabelConfig = (*config)(nil)

// Flags declares --net24-v4 and --net24-v6.
func (c *config) Flags(fs *flag.FlagSet) {
	fs.IntVar(&c.v4, "v4", c.v4, "`BITS` of an IPv4 network")
	fs.IntVar(&c.v6, "v6", c.v6, "`BITS` of an IPv6 network")
}

// Open reports errors before pktstat counts anything.
func (c *config) Open(_ context.Context, env registry.LabelEnv) (registry.Labeler, error) {
	if c.v4 < 0 || c.v4 > 32 || c.v6 < 0 || c.v6 > 128 {
		return nil, fmt.Errorf("%w: an IPv4 network has 0 to 32 bits and an IPv6 network 0 to 128, not %d and %d", registry.ErrUsage, c.v4, c.v6)
	}
	return &labeler{config: *c, field: flow.Fields.Find("net24"), tuples: env.Tuples}, nil
}

// labeler labels flows with networks. Rows may run concurrently, so it uses only fields that never
// change.
type labeler struct {
	config
	field  *flow.Field
	tuples registry.Tuples

	numbers map[known]uint32 // of one generation
	gen     uint64
}

var _ registry.Labeler = (*labeler)(nil)

// known is a network of a flow, with the flow's other labels.
type known struct {
	before uint32 // the number that earlier labels have given
	net    netip.Prefix
}

// Records sets the network in the owners of the keys. pktstat calls it when rows are grouped by the
// label.
func (l *labeler) Records(recs []flow.Record) {
	if g := l.tuples.Generation(); g != l.gen || l.numbers == nil {
		l.gen, l.numbers = g, map[known]uint32{} // the old numbers now belong to other owners
	}
	for i := range recs {
		k := &recs[i].Key
		key := k.Key()
		net := l.network(&key)
		if !net.IsValid() {
			continue
		}
		of := known{k.OwnerID, net}
		id, ok := l.numbers[of]
		if !ok {
			o := l.tuples.Get(k.OwnerID) // keep what earlier labels have set
			o.SetLabel(l.field, net.String())
			if id = l.tuples.Number(&o); id == 0 {
				continue // no room: the record keeps its number
			}
			l.numbers[of] = id
		}
		k.OwnerID = id
	}
}

// Rows sets the network of shown rows. pktstat calls it when rows are not grouped by the label, and
// may call it concurrently.
func (l *labeler) Rows(rows []*flow.Row) {
	for _, r := range rows {
		if net := l.network(&r.Key); net.IsValid() {
			r.Owner.SetLabel(l.field, net.String())
		}
	}
}

// Close implements [registry.Labeler].
func (l *labeler) Close() error { return nil }

// network returns the network of the far end, or an invalid prefix if the flow has no address.
func (l *labeler) network(k *flow.Key) netip.Prefix {
	far := k.Src.Addr()
	if k.Dir == flow.Egress || !far.IsValid() {
		far = k.Dst.Addr()
	}
	bits := l.v6
	if far.Is4() {
		bits = l.v4
	}
	net, err := far.Prefix(bits)
	if err != nil {
		return netip.Prefix{} // no address: not an IP packet
	}
	return net
}
