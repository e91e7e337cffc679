package cgroup

import (
	"context"
	"errors"
	"fmt"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/kernel/bpfflow"
	"github.com/pktstat/pktstat/registry"
)

// source counts in its groups.
type source struct {
	table *bpfflow.Table
	links []link.Link
}

var (
	_ registry.Source   = (*source)(nil)
	_ registry.Attached = (*source)(nil)
	_ registry.Waker    = (*source)(nil)
)

// open attaches to the groups of that name, or to the root of the hierarchy. After an
// error, the caller closes.
func (s *source) open(ctx context.Context, names []string, o bpfflow.Options) (err error) {
	groups, err := openGroups(names)
	if err != nil {
		return err
	}
	defer groups.close()
	if s.table, err = load(o); err != nil {
		return err
	}
	for _, g := range groups {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := s.attach(g); err != nil {
			return err
		}
	}
	return nil
}

func (s *source) attach(g *group) error {
	for _, h := range []struct {
		dir  flow.Direction
		hook ebpf.AttachType
	}{
		{flow.Ingress, ebpf.AttachCGroupInetIngress},
		{flow.Egress, ebpf.AttachCGroupInetEgress},
	} {
		// Links (5.7) always share the group with other programs, and vanish with
		// the process.
		l, err := link.AttachRawLink(link.RawLinkOptions{
			Target: int(g.Fd()), Program: s.table.Programs["cgroup_"+h.dir.String()], Attach: h.hook,
		})
		if err != nil {
			return fmt.Errorf("attach %s %s: %w", g.Name(), h.dir, notShared(err))
		}
		s.links = append(s.links, l)
	}
	return nil
}

// notShared says what the kernel means where capabilities are not what is missing
// (hierarchy_allows_attach in kernel/bpf/cgroup.c).
func notShared(err error) error {
	if !errors.Is(explain(err), unix.EPERM) || errors.Is(explain(err), registry.ErrPermission) {
		return err
	}
	return &registry.RefusedError{
		Err:    unix.EPERM,
		Reason: "as a program that does not share is attached to this group or to one above it",
		Remedy: "`bpftool cgroup tree` shows which",
	}
}

// Collect implements [registry.Source].
func (s *source) Collect(_ context.Context, b *flow.Batch) error { return s.table.Collect(b) }

// Wake implements [registry.Waker].
func (s *source) Wake() <-chan struct{} { return s.table.Wake() }

// Attachment implements [registry.Attached].
func (s *source) Attachment() registry.Attachment {
	return registry.Attachment{
		Method: "cgroup_skb",
		Notes:  []string{"a datagram in fragments counts as one packet"},
	}
}

// Close implements [registry.Source].
func (s *source) Close() error {
	var errs []error
	for _, l := range s.links {
		if err := l.Close(); err != nil {
			errs = append(errs, fmt.Errorf("detach: %w", err))
		}
	}
	s.links = nil
	if s.table != nil {
		errs = append(errs, s.table.Close())
	}
	return errors.Join(errs...)
}

// closeAfter closes a source that could not be opened.
func (s *source) closeAfter(err error) error { return errors.Join(err, s.Close()) }
