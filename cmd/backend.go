package cmd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/pktstat/pktstat/internal/engine"
	"github.com/pktstat/pktstat/registry"
)

// choice is which backends may serve a run, before any of them is tried.
type choice struct {
	backends []*mountedBackend
	auto     bool   // the best of them is to be found by probing
	reason   string // why there is one, if nobody named it
}

// has reports whether any of the backends has an ability.
func (c choice) has(x registry.Caps) bool {
	return slices.ContainsFunc(c.backends, func(m *mountedBackend) bool { return m.backend.Caps.Has(x) })
}

// chooseBackends finds the backends that can do what the command line asks for.
// Its errors are about usage.
func (s *session) chooseBackends(cl *commandLine) (choice, error) {
	named, by, err := s.namedBackend(cl)
	if err != nil {
		return choice{}, err
	}
	var c choice
	switch wanted, option, err := cl.wantedBackend(); {
	case named != nil:
		c = choice{backends: []*mountedBackend{named}}
	case err != nil:
		return choice{}, err
	case wanted != nil:
		c = choice{backends: []*mountedBackend{wanted}, reason: "chosen by " + option.given}
		by = option.given
	default:
		if c, err = cl.liveBackends(); err != nil {
			return choice{}, err
		}
	}
	if !c.auto {
		if err := cl.refuseForeignOptions(c.backends[0], by); err != nil {
			return choice{}, err
		}
	}
	if about := cl.aboutInterfaces(); about != "" && !c.has(registry.CapInterfaces) {
		return choice{}, fmt.Errorf("%w: backend %s (%s) does not count on interfaces: %s makes no sense",
			registry.ErrUsage, c.backends[0].name, by, about)
	}
	return c, nil
}

// aboutInterfaces is an option that was given and that only makes sense with interfaces.
func (cl *commandLine) aboutInterfaces() string {
	switch {
	case len(cl.ifaces) > 0:
		return "--iface"
	case cl.netns != "":
		return "--netns"
	}
	return ""
}

// namedBackend is the backend of --backend or of a shorthand for it, and the
// option that named it; nil if none did.
func (s *session) namedBackend(cl *commandLine) (named *mountedBackend, by string, err error) {
	if cl.backend != auto {
		if _, err := s.Backends.Lookup(cl.backend); err != nil {
			return nil, "", fmt.Errorf("%w, %s", err, auto)
		}
		by = "--backend " + cl.backend
	}
	for _, m := range cl.backends {
		if m.name == cl.backend {
			named = m
		}
	}
	for _, m := range cl.backends {
		for _, sh := range m.shorthands {
			if t, ok := sh.value.(*toggle); sh.given == "" || ok && !t.on {
				continue
			}
			if named != nil && named != m {
				return nil, "", fmt.Errorf("%w: %s and %s ask for two backends", registry.ErrUsage, by, sh.given)
			}
			named, by = m, sh.given
		}
	}
	return named, by, nil
}

// wantedBackend is the backend one of whose options means that it is wanted.
func (cl *commandLine) wantedBackend() (wanted *mountedBackend, by *option, err error) {
	for _, m := range cl.backends {
		for _, o := range m.wants {
			if o.given == "" || wanted == m {
				continue
			}
			if wanted != nil {
				return nil, nil, fmt.Errorf("%w: %s and %s ask for two backends", registry.ErrUsage, by.given, o.given)
			}
			wanted, by = m, o
		}
	}
	return wanted, by, nil
}

// liveBackends are those that auto chooses from: they see traffic as it happens,
// in both directions, as nothing less was asked for.
func (cl *commandLine) liveBackends() (choice, error) {
	need := registry.CapLive | registry.CapIngress | registry.CapEgress
	if cl.aboutInterfaces() != "" {
		need |= registry.CapInterfaces
	}
	c := choice{auto: true}
	for _, m := range cl.backends {
		if m.backend.Caps.Has(need) && (cl.count == 0 || m.backend.Layers&cl.count != 0) {
			c.backends = append(c.backends, m)
		}
	}
	if c.backends == nil {
		return c, fmt.Errorf("%w: no backend of this build counts live traffic in both directions: name one with --backend", registry.ErrUsage)
	}
	return c, nil
}

// refuseForeignOptions reports options of other backends than the chosen one.
func (cl *commandLine) refuseForeignOptions(chosen *mountedBackend, by string) error {
	for _, m := range cl.backends {
		if m == chosen {
			continue
		}
		for _, o := range m.options {
			if o.given == "" {
				continue
			}
			why := ""
			if by != "" {
				why = " (" + by + ")"
			}
			return fmt.Errorf("%w: %s is an option of backend %s, but backend %s is taken%s: name it with --backend %s",
				registry.ErrUsage, o.given, m.name, chosen.name, why, m.name)
		}
	}
	return nil
}

// candidates turns a choice into what the engine tries, in that order. For auto
// that takes probing: supported backends come before those whose probe was
// inconclusive, then the cheaper ones.
func (s *session) candidates(ctx context.Context, cl *commandLine, c choice) ([]engine.Candidate, error) {
	if !c.auto {
		m := c.backends[0]
		return []engine.Candidate{{Name: m.name, Backend: m.backend, Config: m.config, Reason: c.reason}}, nil
	}
	probed, err := s.probe(ctx, c.backends)
	if err != nil {
		return nil, err
	}
	if err := cl.refuseForeignOptions(probed[0].mountedBackend, "by --backend "+auto); err != nil {
		return nil, err
	}
	if given := probed[0].anyGiven(); given != "" {
		probed = probed[:1] // another one would not heed the option
	}
	candidates := make([]engine.Candidate, len(probed))
	for i, p := range probed {
		candidates[i] = engine.Candidate{Name: p.name, Backend: p.backend, Config: p.config, Reason: p.reason(i == 0)}
	}
	return candidates, nil
}

// probedBackend is a backend and what its probe found.
type probedBackend struct {
	*mountedBackend
	result registry.ProbeResult
}

// probe returns the backends that may work here, the best first, or an error
// that says what would help most.
func (s *session) probe(ctx context.Context, backends []*mountedBackend) ([]probedBackend, error) {
	var usable, rejected []probedBackend
	for _, m := range backends {
		p := probedBackend{m, m.config.Probe(ctx)}
		if p.result.Verdict == registry.No {
			s.debugf("%v", p.err())
			rejected = append(rejected, p)
		} else {
			usable = append(usable, p)
		}
	}
	better := func(a, b probedBackend) int {
		return cmp.Or(
			cmp.Compare(a.result.Verdict, b.result.Verdict),
			cmp.Compare(a.backend.Cost, b.backend.Cost),
			cmp.Compare(a.name, b.name))
	}
	slices.SortFunc(usable, better)
	if len(usable) > 0 {
		return usable, nil
	}
	slices.SortFunc(rejected, better)
	for _, p := range rejected {
		// A missing permission is what the user can change at once.
		if err := p.err(); errors.Is(err, registry.ErrPermission) {
			return nil, err
		}
	}
	return nil, rejected[0].err()
}

// err is why the backend is not usable.
func (p probedBackend) err() error {
	err := p.result.Err
	remedy := ""
	for _, c := range p.result.Checks {
		if c.Verdict != registry.No {
			continue
		}
		if err == nil {
			err = fmt.Errorf("%s: %w: %s", c.Name, registry.ErrUnsupported, c.Reason)
		}
		if remedy == "" {
			remedy = c.Remedy
		}
	}
	if err == nil {
		err = registry.ErrUnsupported
	}
	if remedy != "" && !errors.Is(err, registry.ErrPermission) {
		return fmt.Errorf("backend %s: %w: %s", p.name, err, remedy)
	}
	return fmt.Errorf("backend %s: %w", p.name, err)
}

// reason says why auto takes the backend.
func (p probedBackend) reason(first bool) string {
	r := "chosen by " + auto + ": the cheapest that works here"
	if !first {
		r = "chosen by " + auto + ": the cheapest that could be opened here"
	}
	if p.result.Verdict == registry.Inconclusive {
		r += ", its probe was inconclusive"
	}
	return fmt.Sprintf("%s (cost: %s)", r, p.backend.Cost)
}

// subject is what the backend was asked to count, in the words of the option
// that asked; "" if none did.
func (m *mountedBackend) subject() string {
	for _, o := range m.wants {
		switch v := o.value.String(); {
		case o.given == "":
		case v == "-":
			return "standard input"
		default:
			return v
		}
	}
	return ""
}

// anyGiven is an option of the backend that was given, "" if none was.
func (m *mountedBackend) anyGiven() string {
	for _, o := range m.options {
		if o.given != "" {
			return o.given
		}
	}
	return ""
}
