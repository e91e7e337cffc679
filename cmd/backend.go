package cmd

import (
	"fmt"
	"slices"

	"github.com/pktstat/pktstat/internal/choose"
	"github.com/pktstat/pktstat/registry"
)

// request returns what the command line asks of the backends. Its errors wrap [registry.ErrUsage].
func (s *session) request(cl *commandLine) (*choose.Request, error) {
	if cl.backend != choose.Auto {
		if _, err := s.Backends.Lookup(cl.backend); err != nil {
			return nil, withGuess(fmt.Errorf("%w, %s", err, choose.Auto), cl.backend, append(cl.backendNames(), choose.Auto))
		}
	}
	if m, o := cl.reader(); m != nil && o.given == theCapture && cl.backend != choose.Auto && cl.backend != m.name {
		return nil, fmt.Errorf("%w: backend %s does not read captures: %s", registry.ErrUsage, cl.backend, o.value)
	}
	r := &choose.Request{Name: cl.backend, Iface: cl.aboutInterfaces(), Layer: cl.layer}
	for _, m := range cl.backends {
		b := &choose.Backend{
			Name: m.name, Plugin: m.backend, Config: m.config,
			Wants: given(m.wants), Options: slices.DeleteFunc(given(m.options), isConfigured(m.options)),
		}
		for _, sh := range m.shorthands {
			if t, ok := sh.value.(*toggle); sh.given != "" && (!ok || t.on) {
				b.Shorthands = append(b.Shorthands, sh.given)
			}
		}
		r.Backends = append(r.Backends, b)
	}
	if cl.ifacesConfigured() && backendSelected(r) {
		r.Iface = ""
	}
	return r, cl.captureAndLive(r)
}

// captureAndLive refuses a capture beside what only makes sense with live traffic.
func (cl *commandLine) captureAndLive(r *choose.Request) error {
	m, o := cl.reader()
	if m == nil || o.given == "" {
		return nil
	}
	if r.Iface != "" {
		return fmt.Errorf("%w: %s and %s: a run counts on interfaces or reads captures", registry.ErrUsage, cl.asGiven(r.Iface), o.value)
	}
	for _, b := range r.Backends {
		if live := slices.Concat(b.Shorthands, b.Wants); b.Name != m.name && len(live) > 0 {
			return fmt.Errorf("%w: %s and %s: a run counts live traffic or reads captures", registry.ErrUsage, live[0], o.value)
		}
	}
	return nil
}

// isConfigured returns a function that reports whether an option came from a configuration. A
// configured option of a backend holds only for runs with that backend, so it must not refuse other
// backends.
func isConfigured(options []*option) func(given string) bool {
	return func(given string) bool {
		return slices.ContainsFunc(options, func(o *option) bool { return o.given == given && o.where != "" })
	}
}

// ifacesConfigured reports whether the options for interfaces come from a configuration only.
func (cl *commandLine) ifacesConfigured() bool {
	return !slices.ContainsFunc(cl.general, func(o *option) bool {
		return (o.name == "iface" || o.name == "netns") && o.given != "" && o.where == ""
	})
}

// backendSelected reports whether the request is for a particular backend.
func backendSelected(r *choose.Request) bool {
	return r.Name != choose.Auto || slices.ContainsFunc(r.Backends, func(b *choose.Backend) bool {
		return len(b.Shorthands)+len(b.Wants) > 0
	})
}

// given returns the given options, as they were typed.
func given(options []*option) []string {
	var all []string
	for _, o := range options {
		if o.given != "" {
			all = append(all, o.given)
		}
	}
	return all
}

// aboutInterfaces returns a given option that is only for interfaces.
func (cl *commandLine) aboutInterfaces() string {
	switch {
	case len(cl.ifaces) > 0:
		return "--iface"
	case cl.netns != "":
		return "--netns"
	}
	return ""
}

// asGiven returns an option as it was typed.
func (cl *commandLine) asGiven(name string) string {
	if o := cl.find(name); o != nil && o.given != "" {
		return o.given
	}
	return name
}

// subject returns what the backend was asked to count, as typed in the option; "" if no option
// asked.
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
