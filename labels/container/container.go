// Package container labels flows with the container, pod or systemd unit of the process's cgroup.
package container

import (
	"context"
	"flag"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/kernel/cgroup2"
	"github.com/pktstat/pktstat/internal/owner/containers"
	"github.com/pktstat/pktstat/internal/owner/ids"
	"github.com/pktstat/pktstat/registry"
)

func init() {
	registry.Labels.Register("container", registry.Label{
		Summary: "the container, pod or systemd unit of the process",
		Fills:   []string{"container"},
		Needs:   []string{"process"},
		Always:  true,
		New:     func() registry.LabelConfig { return config{} },
	})
}

type config struct{}

var _ registry.LabelConfig = config{}

func (config) Flags(*flag.FlagSet) {}

func (config) Open(_ context.Context, env registry.LabelEnv) (registry.Labeler, error) {
	root, err := cgroup2.Open()
	if err != nil {
		env.Debugf("containers: %v", err)
		root = nil // no cgroups to name
	}
	l := &labeler{containers: containers.NewResolver(root, env.Now), close: func() error { return nil }}
	if root != nil {
		l.close = root.Close
	}
	l.changes = ids.Changes{Tuples: env.Tuples, Change: l.change}
	return l, nil
}

type labeler struct {
	containers *containers.Resolver
	changes    ids.Changes
	close      func() error
}

var (
	_ registry.Labeler  = (*labeler)(nil)
	_ registry.Windowed = (*labeler)(nil)
)

// Window implements [registry.Windowed]. It asks for names again, because a runtime may have
// written one since.
func (l *labeler) Window(context.Context) { l.changes.Forget() }

// Records implements [registry.Labeler].
func (l *labeler) Records(recs []flow.Record) { l.changes.Records(recs) }

func (l *labeler) change(o *flow.Owner) bool {
	_, o.Container = l.containers.Lookup(o.CgroupID)
	return o.Container != ""
}

// Rows implements [registry.Labeler]. The keys of rows have the label already.
func (l *labeler) Rows([]*flow.Row) {}

// Close implements [registry.Labeler].
func (l *labeler) Close() error {
	err := l.close()
	l.close = func() error { return nil }
	return err
}
