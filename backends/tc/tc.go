// Package tc is the backend that counts at tc, the traffic control hooks of an
// interface, in both directions: by TCX links, or as filters of the clsact qdisc
// on kernels before 6.6.
package tc

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"strings"

	"github.com/cilium/ebpf"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/bpfflow"
	"github.com/pktstat/pktstat/internal/caps"
	"github.com/pktstat/pktstat/registry"
)

func init() {
	registry.Backends.Register("tc", registry.Backend{
		Summary: "counts in the kernel at tc, both directions, from Linux 5.10 on",
		Caps:    registry.CapIngress | registry.CapEgress | registry.CapLive | registry.CapInterfaces,
		Cost:    registry.CostQdisc,
		Layers:  flow.LayerIP | flow.LayerFrame,
		Clock:   registry.ClockWall,
		New:     func() registry.BackendConfig { return &config{method: methodAuto} },
	})
}

// How programs are attached.
const (
	methodAuto   = "auto" // TCX where the kernel has it
	methodTCX    = "tcx"
	methodClsact = "clsact"
)

// needs are the capabilities for all of it. Without CAP_PERFMON, the verifier does not
// let programs add to packet pointers, and would slow them down where it does.
var needs = []caps.Capability{caps.BPF, caps.NetAdmin, caps.PerfMon}

type config struct {
	method string
}

var _ registry.BackendConfig = (*config)(nil)

func (c *config) Flags(fs *flag.FlagSet) {
	fs.Func("attach", "attach by `METHOD` auto, tcx or clsact (default auto: tcx where the kernel has it)", func(s string) error {
		switch s {
		case methodAuto, methodTCX, methodClsact:
			c.method = s
			return nil
		}
		return fmt.Errorf("unknown method %q: there are auto, tcx, clsact", s)
	})
}

// Open loads the programs and attaches them to every interface.
func (c *config) Open(ctx context.Context, env registry.BackendEnv) (registry.Source, error) {
	if len(env.Interfaces) == 0 {
		return nil, fmt.Errorf("%w: no interface to count on", registry.ErrUsage)
	}
	s, err := open(ctx, c.method, env)
	if err != nil {
		return nil, explain(err)
	}
	return s, nil
}

func open(ctx context.Context, method string, env registry.BackendEnv) (_ *source, err error) {
	s := &source{env: env}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	s.mu.Lock() // the watcher starts before there is anything to miss, and waits
	defer s.mu.Unlock()
	if s.watcher, err = watch(s); err != nil {
		return nil, err
	}
	for _, iface := range env.Interfaces {
		p, err := newPort(iface)
		if err != nil {
			return nil, err
		}
		s.ports = append(s.ports, p)
	}
	if err := s.load(); err != nil {
		return nil, err
	}
	if s.attacher, err = choose(method, env); err != nil {
		return nil, err
	}
	for _, p := range s.ports {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := s.attach(p); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// load loads the programs and the table. All four programs, because an interface may
// return as another kind.
func (s *source) load() error {
	spec, err := loadTc()
	if err != nil {
		return err
	}
	s.table, err = bpfflow.Load(spec, bpfflow.Options{MaxFlows: s.env.MaxFlows, Now: s.env.Now, Debugf: s.env.Debugf})
	return err
}

// explain adds what the caller of Open needs to know of an error's kind.
func explain(err error) error {
	if errors.Is(err, ebpf.ErrNotSupported) && !errors.Is(err, registry.ErrUnsupported) {
		return fmt.Errorf("%w: %w", registry.ErrUnsupported, err)
	}
	return caps.Explain(err, needs...)
}

// program returns the name of the program for one direction of a port.
func program(p *port, dir flow.Direction) string {
	name := "tc_" + strings.ToLower(dir.String())
	if p.raw {
		name += "_raw"
	}
	return name
}
