// Package choose decides which backend serves a run, and says why it takes none of the
// others. It asks the backends' probes, but opens no backend.
package choose

import (
	"fmt"
	"slices"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/registry"
)

// Auto is the name that stands for the best backend.
const Auto = "auto"

// Backend is a backend of this binary, and what the user said about it. Options and
// shorthands are as the user wrote them, with dashes.
type Backend struct {
	Name   string
	Plugin registry.Backend
	Config registry.BackendConfig

	Shorthands []string // given shorthands: each selects the backend
	Wants      []string // given options that select the backend, unless another one is named
	Options    []string // all given options of the backend
}

// option is an option of the backend that was given, "" if none was.
func (b *Backend) option() string {
	if len(b.Options) == 0 {
		return ""
	}
	return b.Options[0]
}

// Request is what the user asks for.
type Request struct {
	Name     string     // of a backend, or [Auto]
	Iface    string     // an option that only makes sense with interfaces; "" if none was given
	Layer    flow.Layer // whose bytes are to be counted; 0: any
	Backends []*Backend // of this binary, in the order of their names
}

// Choice is which backends may serve a run, before any of them is tried.
type Choice struct {
	Backends []*Backend
	Auto     bool // the best backend is to be found by probing

	unfit  []flow.Alternative // what auto leaves out, and why
	reason string             // why there is only one, if the user named none
}

// Has reports whether any of the backends has an ability.
func (c Choice) Has(x registry.Caps) bool {
	return slices.ContainsFunc(c.Backends, func(b *Backend) bool { return b.Plugin.Caps.Has(x) })
}

// Clock is whose time the reports will be in.
func (c Choice) Clock() registry.Clock {
	for _, b := range c.Backends {
		if b.Plugin.Clock == registry.ClockWall {
			return registry.ClockWall
		}
	}
	return registry.ClockSource
}

// Choose finds the backends that can do what the user asks for. Its errors wrap
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

// CheckFields refuses rows that are grouped by a field which none of the chosen backends
// knows. Its errors wrap [registry.ErrUsage].
func (r *Request) CheckFields(c Choice, by flow.Dims) error {
	for _, b := range r.Backends {
		for i := range b.Plugin.Fields {
			f := flow.Fields.Find(b.Plugin.Fields[i].Name)
			if f != nil && by&f.Dim != 0 && !slices.Contains(c.Backends, b) {
				who := "backend " + c.Backends[0].Name + " does not know"
				if c.Auto {
					who = "no backend of live traffic knows"
				}
				return fmt.Errorf("%w: %s the field %s: backend %s does", registry.ErrUsage, who, f.Name, b.Name)
			}
		}
	}
	return nil
}

// named returns the backend that the user names, and the option that names it; nil if
// none does.
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

// wanted returns the backend that one of its own options selects, and the option.
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

// Live returns what auto chooses from: backends that see traffic as it happens, in both
// directions, and can do what the user asks for.
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

// unfit says what the user asks for that a live backend cannot do; "" if it can do all.
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

// refuseForeignOptions reports options of other backends than the chosen one.
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
		return fmt.Errorf("%w: %s is an option of backend %s, but backend %s is taken%s: name it with --backend %s",
			registry.ErrUsage, given, b.Name, chosen.Name, why, b.Name)
	}
	return nil
}
