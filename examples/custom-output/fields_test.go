package main

import (
	"context"
	"flag"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/registry"
)

// extraFields is an environment variable. With it, the program has fields that no output has a
// layout for.
const extraFields = "PKTSTAT_INFLUX_EXTRA_FIELDS"

func registerExtra() {
	flow.Fields.Register(flow.Field{
		Name: "port_class", Title: "Port class", Kind: flow.Word, By: flow.DimSrcPort,
		Known: func(r *flow.Row) bool { return r.Src.Port() != 0 },
		Text:  func(r *flow.Row) string { return map[bool]string{true: "system", false: "user"}[r.Src.Port() < 1024] },
	})
	flow.Fields.Register(flow.Field{
		Name: "doubled", Title: "Doubled", Role: flow.Measure, Sum: func(t *flow.Totals) uint64 { return 2 * t.Packets },
	})
	flow.Fields.Register(flow.Field{
		Name: "mood", Title: "Mood", Role: flow.Mark, Kind: flow.Text, Text: func(*flow.Row) string { return "a \"mood\\\n" },
	})
	registry.Labels.Register("realm", registry.Label{
		Summary: "the version of IP",
		Fields:  []flow.Field{{Name: "realm", Title: "Realm", Kind: flow.Text, By: flow.DimSrc, Groupable: true}},
		Default: func(registry.Caps) bool { return true },
		New:     func() registry.LabelConfig { return realmConfig{} },
	})
}

type realmConfig struct{}

func (realmConfig) Flags(*flag.FlagSet) {}

func (realmConfig) Open(_ context.Context, env registry.LabelEnv) (registry.Labeler, error) {
	return realm{env.Tuples, flow.Fields.Find("realm")}, nil
}

type realm struct {
	tuples registry.Tuples
	field  *flow.Field
}

func realmOf(k flow.Key) string {
	return map[bool]string{true: "old world", false: "new world"}[k.Src.Addr().Is4()]
}

func (l realm) Records(recs []flow.Record) {
	for i := range recs {
		o := l.tuples.Get(recs[i].Key.OwnerID)
		o.SetLabel(l.field, realmOf(recs[i].Key.Key()))
		recs[i].Key.OwnerID = l.tuples.Number(&o)
	}
}

func (l realm) Rows(rows []*flow.Row) {
	for _, r := range rows {
		r.Owner.SetLabel(l.field, realmOf(r.Key))
	}
}

func (realm) Close() error { return nil }

// TestExtraFields: an unknown dimension or label becomes a tag, an unknown measure or mark a field.
// The sums have the measure.
func TestExtraFields(t *testing.T) {
	t.Setenv(extraFields, "1")
	point := regexp.MustCompile(`^pktstat(?:(_sum)|,.*,src=([0-9a-f.:]+),.*realm=(old|new)\\ world).* packets=(\d+)i,.*,doubled=(\d+)i(,.*mood="a \\"mood\\\\_")? \d+$`)
	sums, rows := 0, 0
	for line := range strings.Lines(run(t, "--pcap-file", "../../testdata/mix.pcap", "--top", "5", "--output", "influx")) {
		m := point.FindStringSubmatch(strings.TrimSuffix(line, "\n"))
		if m == nil {
			t.Fatalf("line %q", line)
		}
		packets, err := strconv.ParseUint(m[4], 10, 64)
		if err != nil || m[5] != strconv.FormatUint(2*packets, 10) {
			t.Errorf("%v: line %q", err, line)
		}
		if m[1] != "" {
			sums++
			continue
		}
		rows++
		if old := strings.Contains(m[2], "."); old != (m[3] == "old") || m[6] == "" {
			t.Errorf("line %q", line)
		}
		if strings.Contains(line, ",src_port=") != strings.Contains(line, ",port_class=") {
			t.Errorf("line %q", line)
		}
	}
	if sums < 4 || rows < 5 {
		t.Errorf("%d sums, %d rows", sums, rows)
	}
	if out := run(t, "--pcap-file", "../../testdata/mix.pcap", "--by", "realm", "--sort", "doubled", "--output", "influx"); !strings.Contains(out, `,realm=new\ world packets=`) {
		t.Errorf("by the label:\n%s", out)
	}
}
