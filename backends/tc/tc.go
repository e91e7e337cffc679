// Package tc is the backend that counts at tc, the traffic control hooks of an interface, in both
// directions. It attaches by TCX links, or by filters of the clsact qdisc on kernels before 6.6.
package tc

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/features"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/kernel/bpfflow"
	"github.com/pktstat/pktstat/internal/kernel/bpfprobe"
	"github.com/pktstat/pktstat/internal/kernel/caps"
	"github.com/pktstat/pktstat/internal/netif/attach"
	"github.com/pktstat/pktstat/registry"
)

func init() {
	registry.Backends.Register("tc", registry.Backend{
		Summary: "counts in the kernel at tc, in both directions, from Linux 5.10 on",
		Caps:    registry.CapIngress | registry.CapEgress | registry.CapLive | registry.CapInterfaces,
		Cost:    registry.CostQdisc,
		Point:   point,
		Layers:  flow.LayerIP | flow.LayerFrame,
		Clock:   registry.ClockWall,
		New:     func() registry.BackendConfig { return &config{method: methodAuto} },
	})
}

// point is the hook at which it sees packets.
const point = registry.PointTC

// needs are all capabilities that the backend needs. Without CAP_PERFMON, the verifier does not
// let programs add to packet pointers, or makes the programs slower.
var needs = []caps.Capability{caps.BPF, caps.NetAdmin, caps.PerfMon}

type config struct {
	method   string
	position position
}

var _ registry.BackendConfig = (*config)(nil)

func (c *config) Flags(fs *flag.FlagSet) {
	fs.Func("attach", "attach by `METHOD` auto, tcx or clsact (default auto: tcx where the kernel has it, except for more than 32 interfaces)", func(s string) error {
		switch s {
		case methodAuto, methodTCX, methodClsact:
			c.method = s
			return nil
		}
		return fmt.Errorf("unknown method %q: there are auto, tcx, clsact", s)
	})
	fs.Func("position", "`PLACE` among other tc programs of the interface: first (default), or last, to count only what they let pass", func(s string) error {
		switch s {
		case "first":
			c.position = first
		case "last":
			c.position = last
		default:
			return fmt.Errorf("unknown position %q: there are first, last", s)
		}
		return nil
	})
}

// Open loads the programs and attaches them to every interface.
func (c *config) Open(ctx context.Context, env registry.BackendEnv) (registry.Source, error) {
	return attach.Open(ctx, attach.Options[*table]{
		Env:   env,
		Point: point,
		Load: func() (*table, error) {
			return openTable(bpfflow.Options{MaxFlows: env.MaxFlows, Now: env.Now, Debugf: env.Debugf})
		},
		NewHook: func(t *table) (attach.Hook, error) {
			h, err := newHook(c, t.Programs, len(env.Interfaces), env.Debugf)
			if err != nil {
				return nil, err
			}
			h.attaches = t.attaches
			return h, nil
		},
		Remarks: func(t *table) []string { return t.resends.Notes() },
		Explain: explain,
	})
}

func explain(err error) error { return bpfprobe.Explain(err, needs...) }

// load loads the programs and the table.
func load(o bpfflow.Options) (*bpfflow.Table, error) {
	spec, err := loadTc()
	if err != nil {
		return nil, err
	}
	// Without CONFIG_XFRM the kernel has neither the helper nor packets of IPsec.
	if !errors.Is(features.HaveProgramHelper(ebpf.SchedCLS, asm.FnSkbGetXfrmState), ebpf.ErrNotSupported) {
		constants := map[string]any{"xfrm": uint32(1)}
		maps.Copy(constants, o.Constants)
		o.Constants = constants
	}
	return bpfflow.Load(spec, o)
}
