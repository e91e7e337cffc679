package cgroup

import (
	"errors"
	"fmt"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/kernel/held"
	"github.com/pktstat/pktstat/registry"
)

// hooks are the attach types, one a direction.
var hooks = []struct {
	dir  flow.Direction
	hook ebpf.AttachType
}{
	{flow.Ingress, ebpf.AttachCGroupInetIngress},
	{flow.Egress, ebpf.AttachCGroupInetEgress},
}

// attach attaches to a group, and keeps the programs attached.
func (s *source) attach(g *group) error {
	for _, h := range hooks {
		// Links (5.7) always share the group with other programs, and vanish with
		// the process.
		at, err := held.Attach(func() (held.Attached, error) {
			now, err := held.ByLink(link.AttachCgroup(link.CgroupOptions{
				Path: fmt.Sprintf("/proc/self/fd/%d", g.Fd()), Program: s.table.Programs["cgroup_"+h.dir.String()], Attach: h.hook,
			}))
			if err != nil {
				err = fmt.Errorf("attach %s %s: %w", g.Name(), h.dir, notShared(err))
			}
			return now, err
		})
		if err != nil {
			return err
		}
		g.places = append(g.places, at)
		t := &held.Thing{
			Name: func() string { return g.Name() + " " + h.dir.String() },
			Held: at.Held,
			Again: func() error {
				if g.removed() {
					return held.ErrGone
				}
				return at.Again()
			},
		}
		g.things = append(g.things, t)
		s.keeper.Add(t)
	}
	return nil
}

// removed reports whether the group's directory has been removed. The group may still have
// sockets.
func (g *group) removed() bool {
	return errors.Is(unix.Faccessat(int(g.Fd()), "cgroup.controllers", unix.F_OK, 0), unix.ENOENT)
}

// notShared explains EPERM of a process with the capabilities (hierarchy_allows_attach in
// kernel/bpf/cgroup.c).
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
