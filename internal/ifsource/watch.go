package ifsource

import (
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/pktstat/pktstat/flow"
)

// watcher follows what becomes of the interfaces: one that vanishes is taken up
// again when it returns, and a new name is followed.
type watcher struct {
	done  chan struct{} // closed to end it
	ended chan struct{}
}

// watch subscribes to changes of the interfaces in this network namespace.
func watch(s *source) (*watcher, error) {
	w := &watcher{done: make(chan struct{}), ended: make(chan struct{})}
	updates := make(chan netlink.LinkUpdate, 64)
	var failure atomic.Pointer[error]
	err := netlink.LinkSubscribeWithOptions(updates, w.done, netlink.LinkSubscribeOptions{
		ErrorCallback: func(err error) { failure.CompareAndSwap(nil, &err) },
	})
	if err != nil {
		return nil, fmt.Errorf("watch the interfaces: %w", err)
	}
	go func() {
		defer close(w.ended)
		for u := range updates { // closed by the subscription
			s.changed(u)
		}
		select {
		case <-w.done:
		default:
			s.Env.Notify("interfaces that vanish or return are not noticed any more: %v", *failure.Load())
		}
	}()
	return w, nil
}

func (w *watcher) stop() {
	close(w.done)
	<-w.ended
}

// changed takes notice of one change.
func (s *source) changed(u netlink.LinkUpdate) {
	if u.Family != unix.AF_UNSPEC {
		return // a port has joined or left a bridge
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := flow.Interface{Index: uint32(u.Index), Name: u.Attrs().Name}
	i := slices.IndexFunc(s.ports, func(p *Port) bool { return p.Index == now.Index && (!p.gone || p.refused) })
	switch {
	case i >= 0 && s.ports[i].refused:
		s.ports[i].refused = u.Header.Type != unix.RTM_DELLINK
	case i >= 0 && u.Header.Type == unix.RTM_DELLINK:
		s.vanished(s.ports[i])
	case i >= 0 && s.ports[i].Name != now.Name:
		s.Env.Notify("interface %s is now named %s", s.ports[i].Name, now.Name)
		s.ports[i].Name = now.Name
	case i < 0 && u.Header.Type == unix.RTM_NEWLINK:
		s.appeared(now)
	}
}

// vanished detaches from an interface that was deleted or moved to another network
// namespace. The table keeps what was counted on it.
func (s *source) vanished(p *Port) {
	p.gone = true
	if err := p.detach(); err != nil {
		s.Env.Debugf("detach %s: %v", p.Name, err)
	}
	s.Env.Notify("interface %s has gone: it is counted up to here, and again when it returns", p.Name)
}

// appeared attaches to an interface that has the name of one that has vanished.
func (s *source) appeared(iface flow.Interface) {
	waiting := func(p *Port) bool { return p.wanted == iface.Name && p.gone }
	there := func(p *Port) bool { return p.wanted == iface.Name && !p.gone }
	if !slices.ContainsFunc(s.ports, waiting) || slices.ContainsFunc(s.ports, there) {
		return
	}
	p, err := newPort(iface)
	if err == nil {
		err = s.attach(p)
	} else {
		p = &Port{Interface: iface, wanted: iface.Name}
	}
	p.gone, p.refused = err != nil, err != nil
	s.ports = append(s.ports, p)
	if err != nil {
		s.Env.Notify("interface %s has returned, but is not counted: %v", iface.Name, s.Explain(err))
		return
	}
	s.Env.Notify("interface %s has returned: counting on it again", iface.Name)
}
