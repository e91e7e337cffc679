package attach

import (
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// watcher receives changes of the interfaces of a network namespace (rtnetlink(7)).
type watcher struct {
	socket   *nl.NetlinkSocket
	stopping atomic.Bool
	ended    chan struct{}
}

// watch subscribes to changes in the calling thread's network namespace.
func watch(s *source) (*watcher, error) {
	socket, err := nl.Subscribe(unix.NETLINK_ROUTE, unix.RTNLGRP_LINK)
	if err != nil {
		return nil, fmt.Errorf("watch the interfaces: %w", err)
	}
	w := &watcher{socket: socket, ended: make(chan struct{})}
	go w.serve(s)
	return w, nil
}

func (w *watcher) serve(s *source) {
	defer close(w.ended)
	for {
		messages, from, err := w.socket.Receive()
		switch {
		case w.stopping.Load():
			return
		case errors.Is(err, unix.ENOBUFS):
			// The socket's buffer overflowed, so messages are missing. List all interfaces
			// instead. Messages that are still in the buffer do no harm.
			s.Env.Debugf("interface messages were lost: listing all interfaces")
			err = s.Env.NetNS.Inside(s.resync)
		case err == nil && from.Pid == nl.PidKernel:
			err = s.Env.NetNS.Inside(func() error {
				for i := range messages {
					h := unix.NlMsghdr(messages[i].Header)
					s.heard(&h, messages[i].Data)
				}
				return nil
			})
		}
		if err != nil {
			s.Env.Notify("pktstat no longer follows interfaces that appear or vanish: %v", err)
			return
		}
	}
}

func (w *watcher) stop() {
	w.stopping.Store(true)
	w.socket.Close()
	<-w.ended
}

// heard handles one message.
func (s *source) heard(h *unix.NlMsghdr, data []byte) {
	if h.Type != unix.RTM_NEWLINK && h.Type != unix.RTM_DELLINK {
		return
	}
	if nl.DeserializeIfInfomsg(data).Family != unix.AF_UNSPEC {
		return // a port joined or left a bridge; RTM_NEWLINK without family follows
	}
	l, err := netlink.LinkDeserialize(h, data)
	if err != nil {
		s.Env.Debugf("malformed interface message: %v", err)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if h.Type == unix.RTM_DELLINK {
		s.vanished(uint32(l.Attrs().Index))
	} else {
		s.changed(l)
	}
}

// resync compares the interfaces with the known ones, as messages were lost.
func (s *source) resync() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	links, err := list()
	if err != nil {
		return err
	}
	there := make(map[uint32]bool, len(links))
	for _, l := range links {
		there[uint32(l.Attrs().Index)] = true
	}
	var gone []uint32
	for index := range s.stack.All() {
		if !there[index] {
			gone = append(gone, index)
		}
	}
	for _, index := range gone {
		s.vanished(index)
	}
	for _, l := range links {
		s.changed(l)
	}
	return nil
}

// list returns all interfaces.
func list() ([]netlink.Link, error) {
	const attempts = 10
	var links []netlink.Link
	var err error
	for range attempts {
		links, err = netlink.LinkList()
		if !errors.Is(err, netlink.ErrDumpInterrupted) {
			break // ErrDumpInterrupted means that an interface changed meanwhile
		}
	}
	if err != nil && !errors.Is(err, netlink.ErrDumpInterrupted) {
		return nil, fmt.Errorf("list interfaces: %w", err)
	}
	return links, nil
}
