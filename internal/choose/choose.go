// Package choose decides which backend serves a run, and explains why not the others. It runs the
// backends' probes, but opens no backend.
package choose

import (
	"fmt"
	"slices"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/registry"
)

// Auto is the name with which the user asks for the best backend.
const Auto = "auto"

// Backend is a backend of this binary, with the options that the user gave for it. Options and
// shorthands have their dashes.
type Backend struct {
	Name   string
	Plugin registry.Backend
	Config registry.BackendConfig

	Shorthands []string // given shorthands: each selects the backend
	Wants      []string // given options that select the backend, unless another one is named
	Options    []string // all given options of the backend
}

// option returns the first given option of the backend, or "".
func (b *Backend) option() string {
	if len(b.Options) == 0 {
		return ""
	}
	return b.Options[0]
}

// Request is what the user asks for.
type Request struct {
	Name     string     // a backend's name, or [Auto]
	Iface    string     // a given option that is only for interfaces; "" if none
	Layer    flow.Layer // whose bytes to count; 0: any
	Backends []*Backend // of this binary, sorted by name
}

// Choice is the backends that may serve a run, before any of them is tried.
type Choice struct {
	Backends []*Backend
	Auto     bool // probes decide which backend is the best

	unfit  []flow.Alternative // backends that auto excludes, and why
	reason string             // why only one is left, if the user named none
}

// Has reports whether any of the backends has an ability.
func (c Choice) Has(x registry.Caps) bool {
	return slices.ContainsFunc(c.Backends, func(b *Backend) bool { return b.Plugin.Caps.Has(x) })
}

// Clock returns the clock of the reports' times.
func (c Choice) Clock() registry.Clock {
	for _, b := range c.Backends {
		if b.Plugin.Clock == registry.ClockWall {
			return registry.ClockWall
		}
	}
	return registry.ClockSource
}

// Choose returns the backends that can do what the user asks for. Its errors wrap
// [registry.ErrUsage].
func (r *Request) Choose() (Choice, error) {
	named, by, err := r.named()
	if err != nil {
		return Choice{}, err
	}
	var c Choice
	switch wanted, option, err := r.wanted(); {
	case named != nil:
		c = Choice{Backends: []*Backend{named}}
	case err != nil:
		return Choice{}, err
	case wanted != nil:
		c = Choice{Backends: []*Backend{wanted}, reason: "chosen by " + option}
		by = option
	default:
		if c, err = r.Live(); err != nil {
			return Choice{}, err
		}
	}
	if !c.Auto {
		if err := r.refuseForeignOptions(c.Backends[0], by); err != nil {
			return Choice{}, err
		}
	}
	if r.Iface != "" && !c.Has(registry.CapInterfaces) {
		return Choice{}, fmt.Errorf("%w: backend %s (%s) does not count on interfaces: %s makes no sense",
			registry.ErrUsage, c.Backends[0].Name, by, r.Iface)
	}
	return c, nil
}

// CheckFields returns an error if rows are grouped by a field that only other backends have. Its
// errors wrap [registry.ErrUsage].
func (r *Request) CheckFields(c Choice, by flow.Dims) error {
	for _, b := range r.Backends {
		f := b.Plugin.FieldIn(by)
		if f == nil || slices.Contains(c.Backends, b) {
			continue
		}
		who := "backend " + c.Backends[0].Name + " does not know"
		if c.Auto {
			who = "no backend of live traffic knows"
		}
		return fmt.Errorf("%w: %s the field %s: backend %s does", registry.ErrUsage, who, f.Name, b.Name)
	}
	return nil
}

// named returns the backend that the user names, and the option that names it. It returns nil if no
// option does.
func (r *Request) named() (named *Backend, by string, err error) {
	if r.Name != Auto {
		by = "--backend " + r.Name
		i := slices.IndexFunc(r.Backends, func(b *Backend) bool { return b.Name == r.Name })
		if i < 0 {
			return nil, "", fmt.Errorf("%w: unknown backend %q", registry.ErrUsage, r.Name)
		}
		named = r.Backends[i]
	}
	for _, b := range r.Backends {
		for _, given := range b.Shorthands {
			if named != nil && named != b {
				return nil, "", fmt.Errorf("%w: %s and %s ask for two backends", registry.ErrUsage, by, given)
			}
			named, by = b, given
		}
	}
	return named, by, nil
}

// wanted returns the backend that one of its own options selects, and that option.
func (r *Request) wanted() (wanted *Backend, by string, err error) {
	for _, b := range r.Backends {
		for _, given := range b.Wants {
			if wanted == b {
				continue
			}
			if wanted != nil {
				return nil, "", fmt.Errorf("%w: %s and %s ask for two backends", registry.ErrUsage, by, given)
			}
			wanted, by = b, given
		}
	}
	return wanted, by, nil
}

// Live returns the backends that auto chooses from. They see live traffic in both directions, and
// can do what the user asks for.
func (r *Request) Live() (Choice, error) {
	c := Choice{Auto: true}
	for _, b := range r.Backends {
		if !b.Plugin.Caps.Has(registry.CapLive) {
			continue
		}
		if why := r.unfit(b); why != "" {
			c.unfit = append(c.unfit, flow.Alternative{Backend: b.Name, Why: why})
		} else {
			c.Backends = append(c.Backends, b)
		}
	}
	if c.Backends == nil {
		return c, fmt.Errorf("%w: no backend of this build counts live traffic in both directions: name one with --backend", registry.ErrUsage)
	}
	return c, nil
}

// unfit returns what the user asks for and the live backend cannot do; "" if nothing.
func (r *Request) unfit(b *Backend) string {
	switch has := b.Plugin.Caps; {
	case !has.Has(registry.CapEgress):
		return "egress is not seen"
	case !has.Has(registry.CapIngress):
		return "ingress is not seen"
	case r.Iface != "" && !has.Has(registry.CapInterfaces):
		return "does not count on interfaces (" + r.Iface + ")"
	case r.Layer != 0 && b.Plugin.Layers&r.Layer == 0:
		return fmt.Sprintf("does not see that layer (--layer %s)", r.Layer)
	}
	return ""
}

// refuseForeignOptions returns an error if an option of another backend is given.
func (r *Request) refuseForeignOptions(chosen *Backend, by string) error {
	for _, b := range r.Backends {
		given := b.option()
		if b == chosen || given == "" {
			continue
		}
		why := ""
		if by != "" {
			why = " (" + by + ")"
		}
		return fmt.Errorf("%w: %s is an option of backend %s, but backend %s is chosen%s: name it with --backend %s",
			registry.ErrUsage, given, b.Name, chosen.Name, why, b.Name)
	}
	return nil
}
