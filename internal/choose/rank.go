package choose

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/count/engine"
	"github.com/pktstat/pktstat/registry"
)

// ByAuto begins the reason why auto chose a backend.
const ByAuto = "chosen by " + Auto + ": "

// Plan is the backends that the engine tries, in this order, and the alternatives.
type Plan struct {
	Candidates   []engine.Candidate
	Alternatives []flow.Alternative
}

// Plan turns a choice into a plan. For auto it probes the backends, and logs with debugf what does
// not work.
func (r *Request) Plan(ctx context.Context, c Choice, env *registry.BackendEnv, debugf func(string, ...any)) (Plan, error) {
	if !c.Auto {
		b := c.Backends[0]
		return Plan{Candidates: []engine.Candidate{{Name: b.Name, Backend: b.Plugin, Config: b.Config, Reason: c.reason}}}, nil
	}
	all, err := Probe(ctx, c.Backends, Interfaces{env.NetNS, env.Interfaces, env.Follow})
	if err != nil {
		return Plan{}, err
	}
	ranked := c.Rank(all)
	for _, p := range ranked.rejected {
		debugf("%v", p.err())
	}
	if err := ranked.Best(); err != nil {
		return Plan{}, err
	}
	first := ranked.usable[0]
	if err := r.refuseForeignOptions(first.Backend, "by --backend "+Auto); err != nil {
		return Plan{}, err
	}
	return ranked.Plan(first.option()), nil
}

// Ranking is the probed backends, the best first.
type Ranking struct {
	usable, rejected []Probed
	unfit            []flow.Alternative
}

// Rank sorts the choice's backends by verdict, then by cost. It ignores backends that are not in
// the choice.
func (c Choice) Rank(all []Probed) Ranking {
	r := Ranking{unfit: c.unfit}
	for _, p := range all {
		switch {
		case !slices.Contains(c.Backends, p.Backend):
		case p.usable():
			r.usable = append(r.usable, p)
		default:
			r.rejected = append(r.rejected, p)
		}
	}
	better := func(a, b Probed) int {
		return cmp.Or(
			cmp.Compare(a.Verdict(), b.Verdict()),
			cmp.Compare(a.Plugin.Cost, b.Plugin.Cost),
			cmp.Compare(a.Name, b.Name))
	}
	slices.SortFunc(r.usable, better)
	slices.SortFunc(r.rejected, better)
	return r
}

// Best returns nil if a backend is usable. Else it returns the most helpful error.
func (r Ranking) Best() error {
	if len(r.usable) > 0 {
		return nil
	}
	for _, p := range r.rejected {
		// The user can fix a missing permission at once.
		if err := p.err(); errors.Is(err, registry.ErrPermission) {
			return err
		}
	}
	return r.rejected[0].err()
}

// Plan returns what the engine tries. given is an option that only the first backend has; with it,
// the engine tries only that backend.
func (r Ranking) Plan(given string) Plan {
	var pl Plan
	for i, p := range r.usable {
		whyNot := "works here too, cost: " + p.Plugin.Cost.String()
		if err := p.Why(); err != nil {
			whyNot = fmt.Sprintf("may not work: %v, cost: %s", err, p.Plugin.Cost)
		}
		if i > 0 && given != "" {
			pl.Alternatives = append(pl.Alternatives, flow.Alternative{Backend: p.Name, Why: given + " is not for it"})
			continue
		}
		pl.Candidates = append(pl.Candidates, engine.Candidate{
			Name: p.Name, Backend: p.Plugin, Config: p.Config, Reason: r.reason(p, i == 0), WhyNot: whyNot,
		})
	}
	for _, p := range r.rejected {
		pl.Alternatives = append(pl.Alternatives, flow.Alternative{Backend: p.Name, Why: p.Why().Error()})
	}
	pl.Alternatives = append(pl.Alternatives, r.unfit...)
	return pl
}

// reason returns why auto chose the backend.
func (r Ranking) reason(p Probed, first bool) string {
	denied := func(o Probed) bool {
		return o.Plugin.Cost < p.Plugin.Cost && errors.Is(o.Worst().Err, registry.ErrPermission)
	}
	switch {
	case !first:
		return ByAuto + "the cheapest that could be opened here"
	case p.Verdict() == registry.Inconclusive:
		return ByAuto + "the cheapest that may work here, as its probe was inconclusive"
	case slices.ContainsFunc(r.rejected, denied):
		return ByAuto + "the cheapest that works with these permissions"
	}
	return ByAuto + "the cheapest that works here"
}
