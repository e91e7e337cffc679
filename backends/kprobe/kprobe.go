// Package kprobe is the backend that counts where packets enter and leave the kernel's IP layer,
// in every network namespace. It sees what processes send and receive, and what is forwarded.
package kprobe

import (
	"context"
	"flag"
	"fmt"
	"strings"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/kernel/bpfflow"
	"github.com/pktstat/pktstat/internal/kernel/bpfprobe"
	"github.com/pktstat/pktstat/internal/kernel/caps"
	"github.com/pktstat/pktstat/registry"
)

func init() {
	registry.Backends.Register("kprobe", registry.Backend{
		Summary:    "counts in the kernel's IP layer, in all network namespaces and on every interface, also forwarded packets",
		Caps:       registry.CapIngress | registry.CapEgress | registry.CapLive | registry.CapProcess,
		Cost:       registry.CostProbe,
		Layers:     flow.LayerIP,
		Clock:      registry.ClockWall,
		Shorthands: []registry.Shorthand{{Name: "k", Long: "kprobes", Usage: "short for --backend kprobe"}},
		New:        func() registry.BackendConfig { return &config{hook: hookAuto} },
	})
}

// needs are all capabilities that the backend needs. CAP_PERFMON is for reading packets in the
// kernel's memory.
var needs = []caps.Capability{caps.BPF, caps.NetAdmin, caps.PerfMon}

type config struct {
	hook string
}

var _ registry.BackendConfig = (*config)(nil)

func (c *config) Flags(fs *flag.FlagSet) {
	names := []string{hookAuto}
	for _, h := range hooks {
		names = append(names, h.name)
	}
	fs.Func("hook", "count at `HOOK` "+strings.Join(names, ", ")+" (default auto: the first of them that works)", func(s string) error {
		for _, n := range names {
			if s == n {
				c.hook = s
				return nil
			}
		}
		return fmt.Errorf("unknown hook %q: there are %s", s, strings.Join(names, ", "))
	})
}

// Open loads the programs and attaches them.
func (c *config) Open(ctx context.Context, env registry.BackendEnv) (registry.Source, error) {
	s, err := open(ctx, c.hook, bpfflow.Options{MaxFlows: env.MaxFlows, Now: env.Now, Debugf: env.Debugf})
	if err != nil {
		return nil, explain(err)
	}
	s.watch(env)
	return s, nil
}

func explain(err error) error { return bpfprobe.Explain(err, needs...) }
