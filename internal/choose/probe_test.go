package choose

import (
	"context"
	"slices"
	"testing"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/registry"
)

// silent is a backend without checks for interfaces.
type silent struct{ registry.BackendConfig }

func (silent) Probe(context.Context) registry.ProbeResult { return works }

// TestProbePoint: the check depends on the point where a backend sees packets.
func TestProbePoint(t *testing.T) {
	for _, c := range []struct {
		point registry.Point
		index uint32
		want  []registry.Verdict // of the check
	}{
		{registry.PointUnknown, 1, nil},
		{registry.PointTC, 1, []registry.Verdict{registry.Supported}},
		{registry.PointTap, 1 << 30, []registry.Verdict{registry.Inconclusive}},
	} {
		b := &Backend{Name: "b", Plugin: registry.Backend{Caps: bothWays, Point: c.point}, Config: silent{}}
		all, err := Probe(t.Context(), []*Backend{b}, Interfaces{On: []flow.Interface{{Index: c.index, Name: "lo"}}})
		if err != nil {
			t.Fatal(err)
		}
		var got []registry.Verdict
		for _, i := range all[0].Interfaces {
			if i.Result.Checks[0].Name != passes {
				t.Errorf("%+v", i)
			}
			got = append(got, i.Result.Checks[0].Verdict)
		}
		if !slices.Equal(got, c.want) || all[0].Verdict() != registry.Supported {
			t.Errorf("%s, interface %d: %v, want %v; %+v", c.point, c.index, got, c.want, all[0])
		}
	}
}
