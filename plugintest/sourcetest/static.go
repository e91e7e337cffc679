package sourcetest

import (
	"context"
	"errors"
	"flag"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/registry"
)

var optionName = regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`)

// checkRegistration checks that the registration is consistent.
func checkRegistration(tb testing.TB, o *Options) {
	b := o.backend(tb)
	if b.Summary == "" || strings.ContainsRune(b.Summary, '\n') {
		tb.Errorf("Summary %q is not one line", b.Summary)
	}
	live, file := b.Caps.Has(registry.CapLive), b.Caps.Has(registry.CapFile)
	if live == file {
		tb.Errorf("Caps %v: exactly one of live and file is expected", b.Caps.Strings())
	}
	if live && b.Caps&(registry.CapIngress|registry.CapEgress) == 0 {
		tb.Errorf("Caps %v: a live backend sees ingress, egress or both", b.Caps.Strings())
	}
	if !live && b.Caps.Has(registry.CapInterfaces) {
		tb.Errorf("Caps %v: only a live backend works on interfaces", b.Caps.Strings())
	}
	if (b.Clock == registry.ClockSource) != file {
		tb.Errorf("Clock %d does not go with Caps %v", b.Clock, b.Caps.Strings())
	}
	if b.Cost > registry.CostProbe {
		tb.Errorf("Cost %d is not known", b.Cost)
	}
	if b.Layers&flow.LayerIP == 0 || b.Layers&^(flow.LayerIP|flow.LayerFrame) != 0 {
		tb.Errorf("Layers %b: every backend fills LayerIP, some LayerFrame, and there are no others", b.Layers)
	}
	if b.New == nil {
		tb.Fatal("New is nil")
	}
	fs := flag.NewFlagSet("backend", flag.ContinueOnError)
	b.New().Flags(fs)
	fs.VisitAll(func(f *flag.Flag) {
		if !optionName.MatchString(f.Name) {
			tb.Errorf("option %q is not lower-case words joined by hyphens", f.Name)
		}
		if f.Usage == "" {
			tb.Errorf("option %s has no usage", f.Name)
		}
	})
	for _, w := range b.Wants {
		if fs.Lookup(w) == nil {
			tb.Errorf("Wants names %q, which is no option", w)
		}
	}
	for _, sh := range b.Shorthands {
		if sh.Name == "" && sh.Long == "" || len(sh.Name) > 1 {
			tb.Errorf("shorthand %+v: Name is one letter or none, and there must be a name", sh)
		}
		if sh.Option != "" && fs.Lookup(sh.Option) == nil {
			tb.Errorf("shorthand %+v is for %q, which is no option", sh, sh.Option)
		}
	}
}

// checkConfigs checks that configs share no state.
func checkConfigs(tb testing.TB, o *Options) {
	o.use(tb, func(s *subject) {
		values := func(fs *flag.FlagSet) map[string]string {
			m := map[string]string{}
			fs.VisitAll(func(f *flag.Flag) { m[f.Name] = f.Value.String() })
			return m
		}
		fresh := func() *flag.FlagSet {
			fs := flag.NewFlagSet("backend", flag.ContinueOnError)
			s.b.New().Flags(fs)
			return fs
		}
		defaults, earlier := values(fresh()), fresh()
		s.config(o.Setup(tb).Args)
		if got := values(earlier); !reflect.DeepEqual(got, defaults) {
			tb.Errorf("options set in one config show in another: %v, were %v", got, defaults)
		}
		if got := values(fresh()); !reflect.DeepEqual(got, defaults) {
			tb.Errorf("options set in one config change the defaults of the next: %v, were %v", got, defaults)
		}
	})
}

// checkProbe checks the result of Probe, and that Probe leaves nothing open.
func checkProbe(tb testing.TB, o *Options) {
	o.use(tb, func(s *subject) {
		probe := func(c registry.BackendConfig) registry.ProbeResult {
			defer s.during("Probe")()
			return c.Probe(context.Background())
		}
		s.checkResult(probe(s.config(nil)))

		set := o.Setup(tb)
		configured := s.config(set.Args)
		s.leavesNothing("Probe", func(testing.TB) Setup { return set }, func(Setup) { s.checkResult(probe(configured)) })
		if r := probe(configured); r.Verdict == registry.No {
			tb.Errorf("Probe returns no, but Setup promises that Open works: %v", r.Err)
		}
		s.checkProbeInterface(configured, set)
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		end := s.during("Probe with a context that has ended")
		configured.Probe(ctx)
		end()
		s.close(s.mustOpen(set))
	})
}

// checkProbeInterface checks the same for ProbeInterface on each interface.
func (s *subject) checkProbeInterface(c registry.BackendConfig, set Setup) {
	p, ok := c.(registry.InterfaceProber)
	if !ok {
		return
	}
	probe := func(set Setup) {
		defer s.during("ProbeInterface")()
		for _, i := range set.Env.Interfaces {
			r := p.ProbeInterface(context.Background(), i)
			s.checkResult(r)
			if r.Verdict == registry.No {
				s.tb.Errorf("ProbeInterface returns no for %s, but Setup promises that Open works: %v", i.Name, r.Err)
			}
		}
	}
	s.leavesNothing("ProbeInterface", func(testing.TB) Setup { return set }, probe)
}

func (s *subject) checkResult(r registry.ProbeResult) {
	tb := s.tb
	if r.Verdict > registry.No {
		tb.Fatalf("Probe: verdict %d is not known", r.Verdict)
	}
	switch {
	case r.Verdict == registry.Supported && r.Err != nil:
		tb.Errorf("Probe: supported, but with an error: %v", r.Err)
	case r.Verdict != registry.Supported && r.Err == nil:
		tb.Errorf("Probe: %v without an error", r.Verdict)
	case r.Verdict == registry.No && errors.Is(r.Err, registry.ErrPermission):
		tb.Errorf("Probe: no, but without permission it is not known: %v", r.Err)
	case r.Verdict == registry.No && !errors.Is(r.Err, registry.ErrUnsupported):
		tb.Errorf("Probe: no, but the error is not ErrUnsupported: %v", r.Err)
	}
	if len(r.Checks) == 0 {
		tb.Error("Probe: no checks")
	}
	for _, c := range r.Checks {
		if c.Name == "" || c.Verdict > registry.No {
			tb.Errorf("Probe: check %+v has no name or an unknown verdict", c)
		}
		if (c.Verdict == registry.Supported) != (c.Reason == "") {
			tb.Errorf("Probe: check %+v: a reason is needed where it is not supported, and only there", c)
		}
	}
}
