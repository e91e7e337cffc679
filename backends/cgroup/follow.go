package cgroup

import (
	"errors"
	"slices"

	"github.com/pktstat/pktstat/internal/kernel/held"
)

// look attaches again what other programs have taken off. It also follows groups that are removed
// and made again, as systemd does when it restarts a service.
func (s *source) look() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keeper.Look()
	for i, g := range s.groups {
		if !g.gone && g.removed() {
			g.gone = true
			s.env.Notify("control group %s has gone: counting in it ended, and resumes when it returns", g.Name())
		}
		if g.gone {
			s.await(i)
		}
	}
	s.retired = slices.DeleteFunc(s.retired, func(g *group) bool {
		if g.attached() {
			return false
		}
		if err := g.detach(); err != nil {
			s.env.Debugf("detach %s: %v", g.Name(), err)
		}
		return true
	})
}

// await attaches to the group with the name of a removed one. The removed one stays attached: its
// sockets may still send.
func (s *source) await(i int) {
	old := s.groups[i]
	root, err := openRoot()
	if err != nil {
		s.env.Debugf("control group %s: %v", old.Name(), err)
		return
	}
	defer func() { _ = root.Close() }() // read only
	g, err := openGroup(root, old.Name())
	if err != nil {
		return // it does not exist yet
	}
	if g.lineage[0] == old.refused {
		_ = g.Close() // read only
		return
	}
	if err := s.attach(g); err != nil {
		old.refused = g.lineage[0]
		s.keeper.Remove(g.things...)
		s.env.Notify("control group %s has returned, but is not counted: %v", old.Name(), explain(errors.Join(err, g.detach())))
		return
	}
	s.keeper.Remove(old.things...)
	s.retired = append(s.retired, old)
	s.groups[i] = g
	s.env.Notify("control group %s has returned: counting on it again", g.Name())
}

// attached reports whether any program is attached.
func (g *group) attached() bool {
	return slices.ContainsFunc(g.things, func(t *held.Thing) bool {
		there, err := t.Held()
		return there || err != nil
	})
}

// detach detaches from a group and closes it. It may be called twice.
func (g *group) detach() error {
	var errs []error
	for _, at := range g.places {
		errs = append(errs, at.Detach())
	}
	g.places = nil
	_ = g.Close() // read only
	return errors.Join(errs...)
}
