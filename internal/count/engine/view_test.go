package engine

import (
	"context"
	"flag"
	"io"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/registry"
)

// TestViews: outputs of one run may group rows differently. Each gets reports that add up.
func TestViews(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src, flows, protocols, both := &counter{}, &recorder{}, &recorder{}, &recorder{}
		c := config(src, flows, protocols, both)
		c.Timeout = 3500 * time.Millisecond
		c.Outputs[1].By, c.Outputs[1].When = flow.DimProto, registry.WhenFinal
		c.Outputs[2].By = flow.DimsConversation
		if err := Run(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		check(t, flows, src)
		for _, s := range []*recorder{protocols, both} {
			if got, want := s.final(t), flows.final(t); got.Total.Counters != want.Total.Counters || got.Seq != want.Seq || s.closed != 1 {
				t.Errorf("by %s: total %+v, report %d; want %+v, %d", got.Dims, got.Total, got.Seq, want.Total, want.Seq)
			}
		}
		if n := len(protocols.reports); n != 1 || protocols.reports[0].FlowCount != 1 {
			t.Errorf("%d reports by protocol, of %d rows", n, protocols.reports[0].FlowCount)
		}
		if len(both.reports) != len(flows.reports) {
			t.Errorf("%d reports of conversations, %d of flows", len(both.reports), len(flows.reports))
		}
		for i := range both.reports {
			r := &both.reports[i]
			sum := r.Rest
			sum.Add(r.Overflow)
			sum.Add(r.Lost)
			for row := range r.Rows() {
				sum.Add(row.Totals)
			}
			if sum != r.Total {
				t.Errorf("report %d of conversations: %+v, total %+v", i, sum, r.Total)
			}
		}
	})
}

// talks is a capture of three conversations.
type talks struct{}

func (talks) Flags(*flag.FlagSet)                        {}
func (talks) Probe(context.Context) registry.ProbeResult { return registry.ProbeResult{} }
func (talks) Open(context.Context, registry.BackendEnv) (registry.Source, error) {
	return talks{}, nil
}
func (talks) Close() error { return nil }
func (talks) Collect(_ context.Context, b *flow.Batch) error {
	b.WindowClosed(time.Time{})
	b.Start, b.End = time.Unix(1_700_000_000, 0), time.Unix(1_700_000_001, 0)
	for _, s := range []struct {
		src, dst string
		bytes    uint64
		dir      flow.Direction
		rtt      int64
	}{
		{"192.0.2.9:50000", "192.0.2.1:443", 100, flow.Egress, 0}, {"192.0.2.1:443", "192.0.2.9:50000", 9000, flow.Ingress, 5},
		{"192.0.2.3:50001", "192.0.2.2:80", 3000, flow.Egress, 0}, {"192.0.2.2:80", "192.0.2.3:50001", 200, flow.Ingress, 9},
		{"192.0.2.5:53", "192.0.2.4:50002", 50, 0, 0}, {"192.0.2.4:50002", "192.0.2.5:53", 60, 0, 0},
	} {
		b.Add(flow.Record{
			Key:      flow.Pack(flow.Key{Proto: flow.TCP, Src: netip.MustParseAddrPort(s.src), Dst: netip.MustParseAddrPort(s.dst), Dir: s.dir}),
			Counters: flow.Counters{Packets: s.bytes / 10, Bytes: s.bytes, FrameBytes: s.bytes}, RTT: s.rtt, RTTBy: flow.RTTHandshake,
		})
	}
	return io.EOF
}

// TestSortOfPairs: rows are ordered by their ends as the report shows them, and by what each
// end has sent and received.
func TestSortOfPairs(t *testing.T) {
	for name, want := range map[string]string{
		"bps":        "192.0.2.9 192.0.2.3 192.0.2.4",
		"out_bytes":  "192.0.2.3 192.0.2.9 192.0.2.4",
		"in_bytes":   "192.0.2.9 192.0.2.3 192.0.2.4",
		"out_bps":    "192.0.2.3 192.0.2.9 192.0.2.4",
		"rtt":        "192.0.2.3 192.0.2.9 192.0.2.4",
		"local":      "192.0.2.3 192.0.2.4 192.0.2.9",
		"local_port": "192.0.2.9 192.0.2.3 192.0.2.4",
		"remote":     "192.0.2.9 192.0.2.3 192.0.2.4",
		"ends_by":    "192.0.2.9 192.0.2.3 192.0.2.4", // direction, direction, port
	} {
		sink := &recorder{}
		c := config(talks{}, sink)
		c.Candidates[0].Backend = backend(registry.ClockSource)
		c.Dims, c.Sort = flow.DimsConversation, flow.Fields.Find(name)
		if err := Run(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		var got []string
		r := sink.final(t)
		for row := range r.Rows() {
			got = append(got, row.Src.Addr().String())
		}
		if strings.Join(got, " ") != want {
			t.Errorf("--sort %s: %v, want %s", name, got, want)
		}
	}
}

// TestHostsAddUpTwice: a note says that each packet counts at both of its ends.
func TestHostsAddUpTwice(t *testing.T) {
	sink := &recorder{}
	c := config(talks{}, sink)
	c.Candidates[0].Backend = backend(registry.ClockSource)
	c.Dims = flow.DimHost
	if err := Run(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	r := sink.final(t)
	var sum flow.Totals
	for row := range r.Rows() {
		sum.Add(row.Totals)
	}
	if sum.Packets != 2*r.Total.Packets || sum.Out != r.Total.Counters || sum.In != r.Total.Counters || r.FlowCount != 6 {
		t.Errorf("%d hosts: %+v, total %+v", r.FlowCount, sum, r.Total)
	}
	if !slices.ContainsFunc(r.Notes, func(n string) bool { return strings.Contains(n, "twice the total") }) {
		t.Errorf("notes %q", r.Notes)
	}
}
