package engine

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/registry"
)

// covered is a source that knows a coverage. It grows with each Collect.
type covered struct{ counter }

func (s *covered) Open(context.Context, registry.BackendEnv) (registry.Source, error) { return s, nil }

func (s *covered) Coverage() []flow.Coverage {
	n := uint64(s.collects)
	return []flow.Coverage{{Interface: flow.Interface{Index: 2, Name: "eth0"}, Dir: flow.Ingress, Packets: 9 * n, LinkPackets: 10 * n}}
}

// TestCoverage: every report has the coverage of the run so far, and a note.
func TestCoverage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src, sink := &covered{}, &recorder{}
		c := config(src, sink)
		c.Timeout = 3 * time.Second
		if err := Run(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		if len(sink.reports) < 3 {
			t.Fatalf("%d reports", len(sink.reports))
		}
		last := uint64(0)
		for i, r := range sink.reports {
			if len(r.Coverage) != 1 || r.Coverage[0].LinkPackets <= last && !r.Final {
				t.Errorf("report %d: %+v after %d packets", i, r.Coverage, last)
				continue
			}
			last = r.Coverage[0].LinkPackets
			isNote := func(n string) bool {
				return strings.HasPrefix(n, "coverage of eth0 ingress: ") && strings.Contains(n, "90.00 %")
			}
			if !slices.ContainsFunc(r.Notes, isNote) {
				t.Errorf("report %d: notes %q", i, r.Notes)
			}
		}
		if want := 10 * uint64(src.collects); last != want {
			t.Errorf("the final report has %d packets, want %d", last, want)
		}
	})
}
