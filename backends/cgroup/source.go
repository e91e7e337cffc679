package cgroup

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/kernel/bpfflow"
	"github.com/pktstat/pktstat/internal/kernel/held"
	"github.com/pktstat/pktstat/internal/kernel/retransmit"
	"github.com/pktstat/pktstat/registry"
)

// source counts in its groups.
type source struct {
	env     registry.BackendEnv
	table   *bpfflow.Table
	resends *retransmit.Counter
	looking func() // stops the checks of what is attached; nil: they have not begun

	mu      sync.Mutex // for the fields below
	keeper  *held.Keeper
	groups  groups
	retired groups // removed; other groups have their names now
}

var (
	_ registry.Source   = (*source)(nil)
	_ registry.Attached = (*source)(nil)
	_ registry.Waker    = (*source)(nil)
)

// open attaches to the groups of these names, or to the root of the hierarchy. After an error,
// the caller closes.
func (s *source) open(ctx context.Context, names []string) (err error) {
	s.keeper = held.New(held.TakenOff, s.env.Now, s.env.Notify, s.env.Debugf)
	if s.groups, err = openGroups(names); err != nil {
		return err
	}
	if s.table, err = load(bpfflow.Options{MaxFlows: s.env.MaxFlows, Now: s.env.Now, Debugf: s.env.Debugf}); err != nil {
		return err
	}
	s.resends = retransmit.Open(retransmit.Options{Sockets: true, Explain: explain})
	for _, g := range s.groups {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := s.attach(g); err != nil {
			return err
		}
	}
	s.looking = held.Start(s.look)
	return nil
}

// Collect implements [registry.Source]. The checks for what was taken off in the window come
// after it.
func (s *source) Collect(_ context.Context, b *flow.Batch) error {
	err := s.resends.Rows(b, s.table.Collect)
	s.look()
	return err
}

// Wake implements [registry.Waker].
func (s *source) Wake() <-chan struct{} { return s.table.Wake() }

// Attachment implements [registry.Attached].
func (s *source) Attachment() registry.Attachment {
	s.mu.Lock()
	defer s.mu.Unlock()
	paths := make([]string, len(s.groups))
	for i, g := range s.groups {
		paths[i] = g.Name()
	}
	return registry.Attachment{
		Method: "cgroup_skb", Cgroups: paths,
		Notes: slices.Concat([]string{"a datagram in fragments counts as one packet"}, s.keeper.Notes(), s.table.Notes(), s.resends.Notes()),
	}
}

// Close implements [registry.Source].
func (s *source) Close() error {
	if s.looking != nil {
		s.looking()
		s.looking = nil
	}
	var errs []error
	for _, g := range slices.Concat(s.groups, s.retired) {
		if err := g.detach(); err != nil {
			errs = append(errs, fmt.Errorf("detach: %w", err))
		}
	}
	s.groups, s.retired = nil, nil
	if s.resends != nil {
		errs = append(errs, s.resends.Close())
	}
	if s.table != nil {
		errs = append(errs, s.table.Close())
	}
	return errors.Join(errs...)
}

// closeAfter closes a source that could not be opened.
func (s *source) closeAfter(err error) error { return errors.Join(err, s.Close()) }
