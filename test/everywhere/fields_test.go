// Package everywhere checks that all outputs have a registered field: no output, option or document
// has its own list of fields. Its fields need a process of their own, because a process has one
// table of fields.
package everywhere

import (
	"context"
	"flag"
	"net/netip"
	"os"
	"time"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/registry"
)

// allKinds is an environment variable. With it, a process also has a field of every role and kind.
const allKinds = "PKTSTAT_EVERYWHERE_KINDS"

func init() {
	flow.Fields.Register(flow.Field{
		Name: "port_class", Aliases: []string{"class"}, Title: "Port class", Help: "range of the source port (RFC 6335)",
		Kind: flow.Word, By: flow.DimSrcPort,
		Known: func(r *flow.Row) bool { return r.Src.Port() != 0 },
		Text:  func(r *flow.Row) string { return portClass(r.Src.Port()) },
	})
	flow.Fields.Register(flow.Field{
		Name: "doubled", Aliases: []string{"twice"}, Title: "Doubled", Help: "packets, each counted twice", Role: flow.Measure,
		Sum: func(t *flow.Totals) uint64 { return 2 * t.Packets },
	})
	registry.Labels.Register("realm", registry.Label{
		Summary: "the version of IP that the source has",
		Fields: []flow.Field{{
			Name: "realm", Aliases: []string{"kingdom"}, Title: "Realm", Help: "where the source is",
			Kind: flow.Text, By: flow.DimSrc, Groupable: true,
		}},
		Toggle: "realm", Usage: "show the realm of flows; on unless --realm=false is given",
		Default: func(registry.Caps) bool { return true },
		New:     func() registry.LabelConfig { return realmConfig{} },
	})
	if os.Getenv(allKinds) != "" {
		registerKinds()
	}
}

// portClass returns "" for a row without a source port.
func portClass(port uint16) string {
	switch {
	case port < 1024:
		return "system"
	case port < 49152:
		return "user"
	}
	return "dynamic"
}

// realmOf returns a realm that contains a space, or a byte that is unsafe on a terminal.
func realmOf(a netip.Addr) string {
	switch {
	case a.Is4():
		return "old\x1b world"
	case a.Is6():
		return "new world"
	}
	return ""
}

type realmConfig struct{}

func (realmConfig) Flags(*flag.FlagSet) {}

func (realmConfig) Open(_ context.Context, env registry.LabelEnv) (registry.Labeler, error) {
	return &realmLabeler{env.Tuples, flow.Fields.Find("realm")}, nil
}

type realmLabeler struct {
	tuples registry.Tuples
	field  *flow.Field
}

// Records implements [registry.Labeler].
func (l *realmLabeler) Records(recs []flow.Record) {
	for i := range recs {
		k := &recs[i].Key
		if realm := realmOf(k.Key().Src.Addr()); realm != "" {
			o := l.tuples.Get(k.OwnerID)
			o.SetLabel(l.field, realm)
			k.OwnerID = l.tuples.Number(&o)
		}
	}
}

// Rows implements [registry.Labeler].
func (l *realmLabeler) Rows(rows []*flow.Row) {
	for _, r := range rows {
		if realm := realmOf(r.Src.Addr()); realm != "" {
			r.Owner.SetLabel(l.field, realm)
		}
	}
}

// Close implements [registry.Labeler].
func (l *realmLabeler) Close() error { return nil }

// kinds are the fields of [allKinds], with their texts in outputs for programs. Every row has the
// fields, and every sum the measures.
var kinds = map[string]string{
	"dim_uint": "4711", "dim_hex": "0x1234", "dim_text": "dim text", "dim_word": "dimword", "dim_addr": "192.0.2.99",
	"sum_uint": "77", "sum_bytes": "4096", "mark_flags": "SA", "mark_word": "marked",
	"at": "2026-01-02T03:04:05Z", "label_text": "label text", "label_uint": "4712", "label_addr": "2001:db8::99",
}

// rates are the other fields of [allKinds]. Their values depend on the length of a report.
var rates = []string{"rate_bits", "rate_packets"}

func registerKinds() {
	text := func(s string) func(*flow.Row) string { return func(*flow.Row) string { return s } }
	num := func(n uint64) func(*flow.Row) uint64 { return func(*flow.Row) uint64 { return n } }
	sum := func(n uint64) func(*flow.Totals) uint64 { return func(*flow.Totals) uint64 { return n } }
	addr := func(s string) func(*flow.Row) netip.Addr {
		return func(*flow.Row) netip.Addr { return netip.MustParseAddr(s) }
	}
	known := func(*flow.Row) bool { return true } // unlike the other accessors of labels, this one does not read a place
	for _, f := range []flow.Field{
		{Name: "dim_uint", Kind: flow.Uint, Num: num(4711)},
		{Name: "dim_hex", Kind: flow.Hex16, Num: num(0x1234)},
		{Name: "dim_text", Kind: flow.Text, Text: text("dim text")},
		{Name: "dim_word", Kind: flow.Word, Text: text("dimword")},
		{Name: "dim_addr", Kind: flow.Addr, Addr: addr("192.0.2.99")},
		{Name: "sum_uint", Role: flow.Measure, Sum: sum(77)},
		{Name: "sum_bytes", Role: flow.Measure, Kind: flow.Bytes, Sum: sum(4096)},
		{Name: "mark_flags", Role: flow.Mark, Kind: flow.Flags, Num: num(0x12), Text: text("SA")},
		{Name: "mark_word", Role: flow.Mark, Kind: flow.Word, Text: text("marked")},
		{Name: "rate_bits", Role: flow.Rate, Kind: flow.BitRate, Rate: func(_ flow.Layer, c *flow.Totals) uint64 { return c.Bytes }},
		{Name: "rate_packets", Role: flow.Rate, Kind: flow.PacketRate, Rate: func(_ flow.Layer, c *flow.Totals) uint64 { return 3 * c.Packets }},
		{Name: "at", Role: flow.When, Kind: flow.Time, Time: func(*flow.Row) time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC) }},
		{Name: "label_text", Role: flow.Label, Kind: flow.Text, Text: text("label text"), Known: known},
		{Name: "label_uint", Role: flow.Label, Kind: flow.Uint, Num: num(4712), Known: known},
		{Name: "label_addr", Role: flow.Label, Kind: flow.Addr, Addr: addr("2001:db8::99"), Known: known},
	} {
		f.Title, f.Help = "Title of "+f.Name, "help of "+f.Name
		flow.Fields.Register(f)
	}
}
