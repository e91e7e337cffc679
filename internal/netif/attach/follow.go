package attach

import (
	"errors"
	"net"
	"slices"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/registry"
)

// keptGone is the maximum number of vanished interfaces that the source remembers. Rows of the
// final report need their names.
const keptGone = 4096

// changed handles a new interface, or a change of an interface. The caller of the functions in
// this file holds s.mu.
func (s *source) changed(l netlink.Link) {
	a := l.Attrs()
	now := flow.Interface{Index: uint32(a.Index), Name: a.Name}
	s.stack.Set(l)
	if p := s.port(now.Index); p != nil {
		if p.Name == now.Name {
			return
		}
		s.described = nil
		// An interface that went down stays attached. Only at the start does it have to be up.
		if p.wanted != "" || s.Env.Follow != nil && s.Env.Follow(registry.Link{Name: a.Name, AltNames: a.AltNames, Up: true}) {
			s.Env.Notify("interface %s is now named %s", p.Name, now.Name)
			p.Name = now.Name
			return
		}
		s.leave(p)
		s.Env.Notify("interface %s is now named %s, which --iface does not match: counting on it ended", p.Name, now.Name)
	}
	if s.refused[now.Index] == now.Name {
		return
	}
	if s.awaited(now.Name) {
		s.returned(now)
		return
	}
	link := registry.Link{Name: a.Name, AltNames: a.AltNames, Up: a.Flags&net.FlagUp != 0}
	if s.Env.Follow != nil && s.Env.Follow(link) {
		s.appeared(now)
	}
}

// port returns the attached port with that index, nil if there is none.
func (s *source) port(index uint32) *Port {
	for _, p := range s.ports {
		if p.Index == index && !p.gone {
			return p
		}
	}
	return nil
}

// vanished handles an interface that was deleted or moved to another network namespace.
func (s *source) vanished(index uint32) {
	delete(s.refused, index)
	if p := s.port(index); p != nil {
		s.leave(p)
		resumes := ""
		if p.wanted != "" {
			resumes = ", and resumes when it returns"
		}
		s.Env.Notify("interface %s has gone: counting on it ended%s", p.Name, resumes)
	}
	s.stack.Remove(index)
}

// leave stops counting on a port. The table keeps the port's counters.
func (s *source) leave(p *Port) {
	s.restack() // before detaching: it needs to know what the port is stacked on
	p.gone, s.described = true, nil
	s.stopKeeping(p)
	if err := s.unmeasured(p); err != nil {
		s.Env.Debugf("detach %s: %v", p.Name, err)
	}
}

// awaited reports whether the user named an interface that has vanished.
func (s *source) awaited(name string) bool {
	return slices.Contains(s.named, name) &&
		!slices.ContainsFunc(s.ports, func(p *Port) bool { return p.wanted == name && !p.gone })
}

// returned attaches to an interface whose name the user gave and that had vanished.
func (s *source) returned(iface flow.Interface) {
	switch err := s.add(iface, iface.Name); {
	case err == nil:
		s.Env.Notify("interface %s has returned: counting on it again", iface.Name)
	case !hasGone(err):
		s.refuse(iface)
		s.Env.Notify("interface %s has returned, but is not counted: %v", iface.Name, s.Explain(err))
	}
}

// appeared attaches to an interface that "any" or a pattern matches.
func (s *source) appeared(iface flow.Interface) {
	switch err := s.add(iface, ""); {
	case err == nil:
		s.Env.Notify("interface %s has appeared: counting on it", iface.Name)
	case !hasGone(err):
		s.refuse(iface)
		s.Env.Notify("interface %s is not counted: %v", iface.Name, s.Explain(err))
	}
}

// add attaches to another interface.
func (s *source) add(iface flow.Interface, wanted string) error {
	p, err := newPort(s.Point, iface, wanted, s.Env.Follow)
	if err != nil {
		return err
	}
	if err := s.measured(p); err != nil {
		return err
	}
	s.ports = append(s.ports, p)
	s.described, s.stack.Changed = nil, true
	s.forget()
	return nil
}

// refuse remembers an interface that cannot be attached to, so that the user is told once.
func (s *source) refuse(iface flow.Interface) {
	if s.refused == nil {
		s.refused = map[uint32]string{}
	}
	s.refused[iface.Index] = iface.Name
}

// forget removes the oldest vanished ports above keptGone.
func (s *source) forget() {
	gone := -keptGone
	for _, p := range s.ports {
		if p.gone {
			gone++
		}
	}
	s.ports = slices.DeleteFunc(s.ports, func(p *Port) bool {
		if gone <= 0 || !p.gone {
			return false
		}
		gone--
		return true
	})
}

// hasGone reports whether an interface has vanished. The watcher gets a message about it.
func hasGone(err error) bool {
	var notFound netlink.LinkNotFoundError
	return errors.Is(err, unix.ENODEV) || errors.As(err, &notFound)
}

// restack updates what each port is stacked on.
func (s *source) restack() {
	if !s.stack.Changed {
		return
	}
	s.stack.Changed, s.described = false, nil
	var counted []uint32
	for _, p := range s.ports {
		if !p.gone {
			counted = append(counted, p.Index)
		}
	}
	below := s.stack.Below(counted)
	for _, p := range s.ports {
		if !p.gone {
			p.below = below[p.Index]
		}
	}
}
