package choose

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/pktstat/pktstat/internal/count/engine"
	"github.com/pktstat/pktstat/registry"
)

// Pair returns two backends that count on interfaces and can be compared: the one that a count
// takes, and the best one of another kind. If there is no other one, it returns one. It fails if no
// backend works.
func (r *Request) Pair(ctx context.Context, env *registry.BackendEnv, debugf func(string, ...any)) ([]engine.Candidate, error) {
	named, by, err := r.named()
	if err != nil {
		return nil, err
	}
	if named != nil && !named.Plugin.Caps.Has(registry.CapLive|registry.CapInterfaces) {
		return nil, fmt.Errorf("%w: backend %s (%s) does not count on interfaces, whose counters it could be compared with",
			registry.ErrUsage, named.Name, by)
	}
	var able []*Backend
	for _, b := range r.Backends {
		if b.Plugin.Caps.Has(registry.CapLive | registry.CapInterfaces) {
			able = append(able, b)
		}
	}
	if able == nil {
		return nil, fmt.Errorf("%w: no backend of this build counts on interfaces", registry.ErrUsage)
	}
	all, err := Probe(ctx, able, Interfaces{env.NetNS, env.Interfaces, env.Follow})
	if err != nil {
		return nil, err
	}
	ranked := Choice{Backends: able}.Rank(all)
	for _, p := range ranked.rejected {
		debugf("%v", p.err())
	}
	order := slices.Clone(ranked.usable)
	if named == nil {
		if err := ranked.Best(); err != nil {
			return nil, err
		}
	} else if !slices.ContainsFunc(order, func(p Probed) bool { return p.Backend == named }) {
		// Opening it tells best why it does not work.
		order = append(order, Probed{Backend: named})
	}
	first := func(p Probed) bool { return p.Backend == named }
	both := func(p Probed) bool { return p.Plugin.Caps.Has(registry.CapIngress | registry.CapEgress) }
	slices.SortStableFunc(order, func(a, b Probed) int {
		return cmp.Or(falseLast(first(a), first(b)), falseLast(both(a), both(b)))
	})
	var pair []engine.Candidate
	for _, p := range order[:min(2, len(order))] {
		pair = append(pair, engine.Candidate{Name: p.Name, Backend: p.Plugin, Config: p.Config})
	}
	return pair, nil
}

func falseLast(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return -1
	}
	return 1
}
