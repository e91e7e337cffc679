// Package process labels flows with the process that has the socket, its user id and its cgroup.
// See docs/processes.md.
package process

import (
	"context"
	"flag"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/owner/process"
	"github.com/pktstat/pktstat/registry"
)

func init() {
	registry.Labels.Register("process", registry.Label{
		Summary: "the process that has the socket, with its user id and cgroup",
		Fills:   []string{"pid", "comm", "uid", "cgroup_id", "cgroup", "match"},
		From:    registry.CapLive | registry.CapProcess,
		Lacks:   "captures do not say which process a packet belongs to",
		Toggle:  "process",
		Usage:   "find the process of each flow, with its user, cgroup and container",
		Default: func(c registry.Caps) bool { return c.Has(registry.CapProcess) },
		Always:  true,
		New:     func() registry.LabelConfig { return config{} },
	})
}

type config struct{}

var _ registry.LabelConfig = config{}

func (config) Flags(*flag.FlagSet) {}

// Open starts to watch the sockets in the network namespace of the interfaces.
func (config) Open(ctx context.Context, env registry.LabelEnv) (registry.Labeler, error) {
	const few = 1024
	var a *process.Attributor
	err := env.NetNS.Inside(func() (err error) {
		a, err = process.Open(ctx, process.Options{
			Owners: env.Tuples, MaxSockets: max(env.MaxFlows, few), Now: env.Now, Notify: env.Notify, Debugf: env.Debugf,
		})
		return err
	})
	if err != nil {
		return nil, err
	}
	return &labeler{a}, nil
}

type labeler struct{ *process.Attributor }

var (
	_ registry.Labeler  = (*labeler)(nil)
	_ registry.Windowed = (*labeler)(nil)
	_ registry.Noted    = (*labeler)(nil)
)

// Window implements [registry.Windowed].
func (l *labeler) Window(ctx context.Context) { l.Sync(ctx) }

// Records implements [registry.Labeler].
func (l *labeler) Records(recs []flow.Record) { l.Attribute(recs) }

// Rows implements [registry.Labeler]. The keys of rows have the label already.
func (l *labeler) Rows([]*flow.Row) {}
