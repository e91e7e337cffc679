package bench

import (
	"math"
	"testing"
)

func TestStat(t *testing.T) {
	s, ok := stat([]float64{9, 1, 2, 3, 4, 5, 6, 7, 8, 10, 0, math.NaN(), math.Inf(1)})
	if !ok || s != (Stat{Median: 5, P10: 1, P90: 9}) {
		t.Errorf("%+v", s)
	}
	if _, ok := stat([]float64{math.NaN()}); ok {
		t.Error("stat describes NaN")
	}
}

// TestRatio: Ratio compares costs round by round, without the empty program's. It compares rates as
// they are.
func TestRatio(t *testing.T) {
	g := Group{Unit: UnitNanoseconds, Series: []Series{
		{Empty, []float64{10, 20, 30}},
		{Ours, []float64{15, 25, 40}},
		{"peer", []float64{20, 40, 50}},
	}}
	if s, ok := g.Ratio(Ours, "peer"); !ok || s != (Stat{Median: 0.5, P10: 0.25, P90: 0.5}) {
		t.Errorf("%+v", s)
	}
	if _, ok := g.Ratio(Ours, Floor); ok {
		t.Error("found a floor that was not measured")
	}
	g.Unit = UnitPackets
	if s, ok := g.Ratio(Ours, Empty); !ok || s.Median != 40.0/30 {
		t.Errorf("%+v", s)
	}
	if g.Rounds(Ours)[0] != 15 {
		t.Error("Net has changed the measurements")
	}
}

func TestJudge(t *testing.T) {
	c := Case{
		Experiment: "flows", Hook: HookTC, Packet: udp4.name, Flows: 1 << 16,
		Distribution: DistUniform, Table: TableDefault, State: StateWarm,
	}
	r := Result{Scale: Full(), Peers: []string{"peer"}, Groups: []Group{{Case: c, Unit: UnitNanoseconds, Series: []Series{
		{Empty, []float64{10}}, {Floor, []float64{20}}, {Ours, []float64{30}}, {"peer", []float64{110}},
	}}}}
	flood := Case{Experiment: "flood", Hook: HookTC, Packet: udp4.name}
	r.Floods = []Flood{{Case: flood, Program: Ours, UnaccountedBytes: 1, Elephants: elephants}}
	r.Judge()
	want := []Target{
		{"tc, UDP4, 64k flows: net cost / peer's", "<= 0.18", "0.200 (0.200–0.200)", "no"},
		{"tc, UDP4, 64k flows: net cost / floor", "<= 2.20", "2.000 (2.000–2.000)", "yes"},
		{"tc, UDP4, flood: packets and bytes unaccounted", "0", "0 and 1", "no"},
		{"tc, UDP4, flood: late elephants found", "10 of 10", "10 of 10", "yes"},
	}
	if len(r.Targets) != len(want) {
		t.Fatalf("%+v", r.Targets)
	}
	for i := range want {
		if r.Targets[i] != want[i] {
			t.Errorf("%+v, want %+v", r.Targets[i], want[i])
		}
	}
	// The target is not about a table that is too small for its flows.
	r.Groups[0].Flows = 1 << 20
	r.Floods = nil
	if r.Judge(); len(r.Targets) != 0 {
		t.Errorf("%+v", r.Targets)
	}
}

func TestElephantsIn(t *testing.T) {
	const packets = 40_000 // 200 for each elephant
	flows := []uint64{1, 1, 2, 99, 100, 200}
	if n := elephantsIn(flows, packets); n != 2 {
		t.Errorf("%d elephants", n)
	}
}
