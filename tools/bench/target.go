package bench

import "fmt"

// Target is a promise of the design, and the measurement that tests it.
type Target struct {
	What     string `json:"what"`
	Want     string `json:"want"`
	Measured string `json:"measured"`
	Verdict  string `json:"verdict"` // yes, no
}

// Judge compares the result with the targets. It omits targets without measurements.
func (r *Result) Judge() {
	r.Targets = nil
	for _, peer := range r.Peers {
		r.judgeCosts(peer)
	}
	r.judgeFloor()
	r.judgeLive()
	r.judgeFloods()
	for _, peer := range r.Peers {
		r.judgeReports(peer)
	}
}

// atMost and atLeast add a target for a median.

func (r *Result) atMost(what string, want float64, s Stat, ok bool) {
	r.judge(what, fmt.Sprintf("<= %.2f", want), s, ok, s.Median <= want)
}

func (r *Result) atLeast(what string, want float64, s Stat, ok bool) {
	r.judge(what, fmt.Sprintf(">= %.2f", want), s, ok, s.Median >= want)
}

func (r *Result) judge(what, want string, s Stat, measured, holds bool) {
	if measured {
		r.Targets = append(r.Targets, Target{what, want, s.ratio(), verdict(holds)})
	}
}

func verdict(holds bool) string {
	if holds {
		return "yes"
	}
	return "no"
}

// find returns the first group for which same returns true.
func (r *Result) find(same func(c *Case, unit string) bool) (*Group, bool) {
	for i := range r.Groups {
		if g := &r.Groups[i]; same(&g.Case, g.Unit) {
			return g, true
		}
	}
	return nil, false
}

// flowsGroup returns the group for uniform traffic of known flows, in tables with room for them.
func (r *Result) flowsGroup(h Hook, p packet, flows int) (*Group, bool) {
	return r.find(func(c *Case, _ string) bool {
		return c.Experiment == "flows" && c.Hook == h && c.Packet == p.name && c.Flows == flows &&
			c.Distribution == DistUniform && c.State == StateWarm && (c.Table == TableFit || flows <= r.Scale.Table)
	})
}

func (r *Result) judgeCosts(peer string) {
	sizes := []int{1, 1 << 16, 1 << 20}
	for _, t := range []struct {
		hook   Hook
		packet packet
		want   []float64 // by size
	}{
		{HookXDP, udp4, []float64{0.12, 0.15, 0.15}},
		{HookXDP, udp6, []float64{0.18, 0.20, 0.20}},
		{HookTC, udp4, []float64{0.15, 0.18, 0.25}},
	} {
		for i, flows := range sizes {
			if g, ok := r.flowsGroup(t.hook, t.packet, flows); ok {
				s, ok := g.Ratio(Ours, peer)
				r.atMost(fmt.Sprintf("%s, %s, %s flows: net cost / %s's", t.hook, t.packet.name, count(flows), peer), t.want[i], s, ok)
			}
		}
	}
}

func (r *Result) judgeFloor() {
	for _, h := range []Hook{HookXDP, HookTC} {
		for _, t := range []struct {
			flows int
			want  float64
		}{{1 << 16, 2.2}, {1 << 20, 1.4}} {
			if g, ok := r.flowsGroup(h, udp4, t.flows); ok {
				s, ok := g.Ratio(Ours, Floor)
				r.atMost(fmt.Sprintf("%s, %s, %s flows: net cost / floor", h, udp4.name, count(t.flows)), t.want, s, ok)
			}
		}
	}
}

func (r *Result) judgeLive() {
	sizes := []int{1, 1 << 16, 1 << 20}
	for _, t := range []struct {
		hook Hook
		want []float64
	}{
		{HookXDP, []float64{0.93, 0.80, 0.60}},
		{HookTC, []float64{0.90, 0.75, 0.52}},
	} {
		for i, flows := range sizes {
			g, ok := r.find(func(c *Case, _ string) bool {
				return c.Experiment == "live" && c.Hook == t.hook && c.Flows == flows
			})
			if ok {
				s, ok := g.Ratio(Ours, Empty)
				r.atLeast(fmt.Sprintf("%s, live frames, %s flows: share of the empty program's packet rate", t.hook, count(flows)), t.want[i], s, ok)
			}
		}
	}
}

func (r *Result) judgeFloods() {
	for _, f := range r.Floods {
		if f.Program != Ours {
			continue
		}
		what := fmt.Sprintf("%s, %s, flood: ", f.Hook, f.Packet)
		r.Targets = append(r.Targets,
			Target{
				what + "packets and bytes unaccounted", "0",
				fmt.Sprintf("%d and %d", f.UnaccountedPackets, f.UnaccountedBytes),
				verdict(f.UnaccountedPackets == 0 && f.UnaccountedBytes == 0),
			},
			Target{
				what + "late elephants found", fmt.Sprintf("%d of %[1]d", elephants),
				fmt.Sprintf("%d of %d", f.Elephants, elephants), verdict(f.Elephants == elephants),
			})
		for _, peer := range r.Peers {
			if g, ok := r.find(func(c *Case, _ string) bool { return *c == f.Case }); ok {
				s, ok := g.Ratio(Ours, peer)
				r.atMost(what+"net cost / "+peer+"'s", 0.10, s, ok)
			}
		}
	}
}

func (r *Result) judgeReports(peer string) {
	for _, t := range []struct {
		step, unit string
		want       float64
	}{
		{StepFirst, UnitMilliseconds, 0.1},
		{StepNext, UnitMilliseconds, 0.1},
		{StepTop, UnitMilliseconds, 0.1},
		{StepNext, UnitMegabytes, 0.25},
	} {
		g, ok := r.find(func(c *Case, unit string) bool {
			return c.Experiment == "report" && c.Flows == 1<<20 && c.Step == t.step && unit == t.unit
		})
		if ok {
			s, ok := g.Ratio(Ours, peer)
			r.atMost(fmt.Sprintf("%s of 1M flows, %s / %s's", t.step, t.unit, peer), t.want, s, ok)
		}
	}
}
