package cmd

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

// plan is what the engine tries, in that order, and what else there was.
type plan struct {
	candidates   []engine.Candidate
	alternatives []flow.Alternative
}

// plan turns a choice into what the engine tries. For auto that takes probing.
func (s *session) plan(ctx context.Context, cl *commandLine, c choice, env *registry.BackendEnv) (plan, error) {
	if !c.auto {
		m := c.backends[0]
		return plan{candidates: []engine.Candidate{{Name: m.name, Backend: m.backend, Config: m.config, Reason: c.reason}}}, nil
	}
	all, err := probeAll(ctx, c.backends, env.NetNS, env.Interfaces)
	if err != nil {
		return plan{}, err
	}
	r := rank(all)
	for _, p := range r.rejected {
		s.debugf("%v", p.err())
	}
	if err := r.best(); err != nil {
		return plan{}, err
	}
	first := r.usable[0]
	if err := cl.refuseForeignOptions(first.mountedBackend, "by --backend "+auto); err != nil {
		return plan{}, err
	}
	return r.plan(first.anyGiven(), c.unfit), nil
}

// probed is a backend and what its probes found.
type probed struct {
	*mountedBackend
	machine    registry.ProbeResult
	interfaces []probedInterface
}

type probedInterface struct {
	name   string
	result registry.ProbeResult
}

// probeAll probes backends, on the interfaces that they are to count on where they can
// tell more of those.
func probeAll(ctx context.Context, backends []*mountedBackend, where *registry.NetNS, on []flow.Interface) ([]probed, error) {
	all := make([]probed, 0, len(backends))
	for _, m := range backends {
		p := probed{mountedBackend: m, machine: m.config.Probe(ctx)}
		if prober, ok := m.config.(registry.InterfaceProber); ok && m.backend.Caps.Has(registry.CapInterfaces) {
			err := where.Inside(func() error {
				for _, i := range on {
					p.interfaces = append(p.interfaces, probedInterface{i.Name, prober.ProbeInterface(ctx, i)})
				}
				return nil
			})
			if err != nil {
				return nil, err
			}
		}
		all = append(all, p)
	}
	return all, nil
}

// verdict is the worst of those on the machine and on the interfaces.
func (p probed) verdict() registry.Verdict { return p.worst().Verdict }

func (p probed) worst() registry.ProbeResult {
	worst := p.machine
	for _, i := range p.interfaces {
		if i.result.Verdict > worst.Verdict {
			worst = i.result
		}
	}
	return worst
}

// usable reports whether trying to open it makes sense. Where a permission is missing it
// does not, though nothing is known.
func (p probed) usable() bool {
	w := p.worst()
	return w.Verdict != registry.No && !errors.Is(w.Err, registry.ErrPermission)
}

// why is why the backend is not, or maybe not, usable; nil if it is.
func (p probed) why() error {
	w := p.worst()
	if w.Verdict == registry.Supported {
		return nil
	}
	err, remedy := w.Err, ""
	for _, c := range w.Checks {
		if c.Verdict != w.Verdict {
			continue
		}
		if err == nil && w.Verdict == registry.No {
			err = fmt.Errorf("%s: %w: %s", c.Name, registry.ErrUnsupported, c.Reason)
		}
		if remedy == "" {
			remedy = c.Remedy
		}
	}
	switch {
	case err == nil && w.Verdict == registry.No:
		err = registry.ErrUnsupported
	case err == nil:
		err = errors.New("its probe was inconclusive")
	}
	if remedy != "" && !errors.Is(err, registry.ErrPermission) {
		return fmt.Errorf("%w: %s", err, remedy)
	}
	return err
}

func (p probed) err() error { return fmt.Errorf("backend %s: %w", p.name, p.why()) }

// ranking is backends in the order in which auto prefers them.
type ranking struct{ usable, rejected []probed }

// rank orders by verdict, then by cost.
func rank(all []probed) ranking {
	var r ranking
	for _, p := range all {
		if p.usable() {
			r.usable = append(r.usable, p)
		} else {
			r.rejected = append(r.rejected, p)
		}
	}
	better := func(a, b probed) int {
		return cmp.Or(
			cmp.Compare(a.verdict(), b.verdict()),
			cmp.Compare(a.backend.Cost, b.backend.Cost),
			cmp.Compare(a.name, b.name))
	}
	slices.SortFunc(r.usable, better)
	slices.SortFunc(r.rejected, better)
	return r
}

// best is an error if nothing is usable: that which says what would help most.
func (r ranking) best() error {
	if len(r.usable) > 0 {
		return nil
	}
	for _, p := range r.rejected {
		// A missing permission is what the user can change at once.
		if err := p.err(); errors.Is(err, registry.ErrPermission) {
			return err
		}
	}
	return r.rejected[0].err()
}

// plan is made of a ranking with something usable. If an option was given that only the
// first heeds, no other one is tried.
func (r ranking) plan(given string, unfit []flow.Alternative) plan {
	var pl plan
	for i, p := range r.usable {
		whyNot := "works here too, cost: " + p.backend.Cost.String()
		if err := p.why(); err != nil {
			whyNot = fmt.Sprintf("may not work: %v, cost: %s", err, p.backend.Cost)
		}
		if i > 0 && given != "" {
			pl.alternatives = append(pl.alternatives, flow.Alternative{Backend: p.name, Why: given + " is not for it"})
			continue
		}
		pl.candidates = append(pl.candidates, engine.Candidate{
			Name: p.name, Backend: p.backend, Config: p.config, Reason: p.reason(i == 0), WhyNot: whyNot,
		})
	}
	for _, p := range r.rejected {
		pl.alternatives = append(pl.alternatives, flow.Alternative{Backend: p.name, Why: p.why().Error()})
	}
	pl.alternatives = append(pl.alternatives, unfit...)
	return pl
}

const chosenByAuto = "chosen by " + auto + ": "

// reason says why auto takes the backend.
func (p probed) reason(first bool) string {
	r := chosenByAuto + "the cheapest that works here"
	switch {
	case !first:
		r = chosenByAuto + "the cheapest that could be opened here"
	case p.verdict() == registry.Inconclusive:
		r = chosenByAuto + "the cheapest that may work here, as its probe was inconclusive"
	}
	return fmt.Sprintf("%s (cost: %s)", r, p.backend.Cost)
}
