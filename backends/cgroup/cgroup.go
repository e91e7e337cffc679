// Package cgroup is the backend that counts at cgroup_skb. It sees what the sockets of the
// processes in a control group send and receive, in every network namespace and on every
// interface.
package cgroup

import (
	"context"
	"flag"
	"strings"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/kernel/bpfflow"
	"github.com/pktstat/pktstat/internal/kernel/bpfprobe"
	"github.com/pktstat/pktstat/internal/kernel/caps"
	"github.com/pktstat/pktstat/registry"
)

func init() {
	registry.Backends.Register("cgroup", registry.Backend{
		Summary: "counts in the kernel what the sockets of control groups send and receive, in all network namespaces",
		Caps:    registry.CapIngress | registry.CapEgress | registry.CapLive | registry.CapProcess | registry.CapCgroup,
		Cost:    registry.CostSocket,
		Layers:  flow.LayerIP,
		Clock:   registry.ClockWall,
		Wants:   []string{"path"},
		Shorthands: []registry.Shorthand{{
			Name: "c", Long: "cgroup", Option: "path", Usage: "count what this control group sends and receives",
		}},
		New: func() registry.BackendConfig { return &config{} },
	})
}

// needs are all capabilities that the backend needs. CAP_PERFMON is for reading the namespace of
// a socket.
var needs = []caps.Capability{caps.BPF, caps.NetAdmin, caps.PerfMon}

type config struct {
	paths paths
}

var _ registry.BackendConfig = (*config)(nil)

func (c *config) Flags(fs *flag.FlagSet) {
	fs.Var(&c.paths, "path", "count in the control group `PATH`, and in those below it; repeatable. "+
		"A directory of the cgroup2 file system, or its path inside the hierarchy (default: the root of the hierarchy)")
}

// paths is the value of a repeatable option.
type paths []string

func (p *paths) String() string { return strings.Join(*p, ", ") }

// IsList implements [registry.List].
func (p *paths) IsList() bool { return true }

func (p *paths) Set(s string) error {
	*p = append(*p, s)
	return nil
}

// Open attaches to every control group.
func (c *config) Open(ctx context.Context, env registry.BackendEnv) (registry.Source, error) {
	s := &source{env: env}
	if err := s.open(ctx, c.paths); err != nil {
		return nil, explain(s.closeAfter(err))
	}
	return s, nil
}

func explain(err error) error { return bpfprobe.Explain(err, needs...) }

// load loads the programs and the table.
func load(o bpfflow.Options) (*bpfflow.Table, error) {
	if err := bpfprobe.NeedBTF(); err != nil {
		return nil, err
	}
	spec, err := loadCgroup()
	if err != nil {
		return nil, err
	}
	o.NoFrames = true
	return bpfflow.Load(spec, o)
}
