package cmd

import (
	"fmt"
	"slices"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/registry"
)

// choice is which backends may serve a run, before any of them is tried.
type choice struct {
	backends []*mountedBackend
	unfit    []flow.Alternative // what auto leaves out, and why
	auto     bool               // the best of them is to be found by probing
	reason   string             // why there is one, if nobody named it
}

// has reports whether any of the backends has an ability.
func (c choice) has(x registry.Caps) bool {
	return slices.ContainsFunc(c.backends, func(m *mountedBackend) bool { return m.backend.Caps.Has(x) })
}

// clock is whose time the reports will be in.
func (c choice) clock() registry.Clock {
	for _, m := range c.backends {
		if m.backend.Clock == registry.ClockWall {
			return registry.ClockWall
		}
	}
	return registry.ClockSource
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
	c := choice{auto: true}
	for _, m := range cl.backends {
		if !m.backend.Caps.Has(registry.CapLive) {
			continue
		}
		if why := cl.unfit(m); why != "" {
			c.unfit = append(c.unfit, flow.Alternative{Backend: m.name, Why: why})
		} else {
			c.backends = append(c.backends, m)
		}
	}
	if c.backends == nil {
		return c, fmt.Errorf("%w: no backend of this build counts live traffic in both directions: name one with --backend", registry.ErrUsage)
	}
	return c, nil
}

// unfit says what was asked that a live backend cannot do; "" if it can do all.
func (cl *commandLine) unfit(m *mountedBackend) string {
	switch has := m.backend.Caps; {
	case !has.Has(registry.CapEgress):
		return "egress is not seen"
	case !has.Has(registry.CapIngress):
		return "ingress is not seen"
	case cl.aboutInterfaces() != "" && !has.Has(registry.CapInterfaces):
		return "does not count on interfaces (" + cl.aboutInterfaces() + ")"
	case cl.layer != 0 && m.backend.Layers&cl.layer == 0:
		return fmt.Sprintf("does not see that layer (--layer %s)", cl.layer)
	}
	return ""
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

// subject is what the backend was asked to count, in the words of the option
// that asked; "" if none did.
func (m *mountedBackend) subject() string {
	given := func(o *option) bool {
		short := func(sh *option) bool { return sh.given != "" && sh.value == o.value }
		return o.given != "" || slices.ContainsFunc(m.shorthands, short)
	}
	for _, o := range m.wants {
		switch v := o.value.String(); {
		case !given(o):
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
