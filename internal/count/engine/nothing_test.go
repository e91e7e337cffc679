package engine

import (
	"context"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/registry"
)

// silent is a source without packets, on some interfaces.
type silent struct {
	counter
	on  []flow.Interface
	end error
}

func (s *silent) Open(context.Context, registry.BackendEnv) (registry.Source, error) { return s, nil }

func (s *silent) Collect(_ context.Context, b *flow.Batch) error {
	b.WindowClosed(time.Time{})
	return s.end
}

func (s *silent) Attachment() registry.Attachment { return registry.Attachment{Interfaces: s.on} }

// TestNothing: a report without packets has a note with the interfaces and a hint.
func TestNothing(t *testing.T) {
	eth0 := flow.Interface{Index: 2, Name: "eth0"}
	for _, tt := range []struct {
		caps  registry.Caps
		clock registry.Clock
		on    []flow.Interface
		open  bool // -i any
		want  string
	}{
		{registry.CapInterfaces, registry.ClockWall, []flow.Interface{eth0, eth0}, false, "no packet was seen on eth0: traffic may use another interface (-i any counts on all that are up)"},
		{registry.CapInterfaces, registry.ClockWall, []flow.Interface{eth0, {Name: "lo"}}, true, "no packet was seen on eth0, lo"},
		{registry.CapInterfaces, registry.ClockWall, nil, true, "no packet was seen: there was no interface"},
		{registry.CapInterfaces, registry.ClockWall, []flow.Interface{eth0, {Name: "a"}, {Name: "b"}, {Name: "c"}, {Name: "d"}}, false, "no packet was seen"},
		{0, registry.ClockWall, nil, false, "no packet was seen"},
		{registry.CapFile, registry.ClockSource, nil, false, "no packet was read: the capture has none"},
	} {
		synctest.Test(t, func(t *testing.T) {
			src, sink := &silent{on: tt.on}, &recorder{}
			if tt.clock == registry.ClockSource {
				src.end = io.EOF
			}
			c := config(src, sink)
			c.Candidates[0].Backend = backend(tt.clock)
			c.Candidates[0].Backend.Caps = tt.caps
			if tt.open {
				c.Env.Follow = func(registry.Link) bool { return true }
			}
			c.Timeout = 3 * time.Second
			if err := Run(t.Context(), c); err != nil {
				t.Fatal(err)
			}
			for _, r := range sink.reports {
				if got := strings.Join(r.Notes, "; "); r.Final != (got == tt.want) {
					t.Errorf("final %v: notes %q, want %q", r.Final, got, tt.want)
				}
			}
		})
	}
}
