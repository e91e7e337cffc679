package tc

import (
	"errors"
	"fmt"
	"slices"
	"syscall"

	"github.com/cilium/ebpf"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// changes are the notices of a network namespace that filters or qdiscs have been removed or
// replaced (rtnetlink(7)). Looking at all filters of hundreds of interfaces twice a second would
// cost too much.
type changes struct {
	socket *nl.NetlinkSocket
	buf    []byte
	now    uint64            // the number of changes so far
	at     map[uint32]change // the last change of each interface
	all    uint64            // the last change that may concern any interface
}

// change is the number of the last change of any kind, and of the last removal of a qdisc.
type change struct{ any, qdisc uint64 }

// keptChanges bounds the number of remembered interfaces.
const keptChanges = 4096

// listen subscribes in the network namespace of the calling thread.
func listen() (*changes, error) {
	socket, err := nl.Subscribe(unix.NETLINK_ROUTE, unix.RTNLGRP_TC)
	if err != nil {
		return nil, fmt.Errorf("watch the filters: %w", err)
	}
	// Another pktstat on hundreds of interfaces makes thousands of changes at once. Without
	// the larger buffer, some changes are missed, and it costs a look at all filters.
	_ = socket.SetReceiveBufferSize(1<<21, true)
	return &changes{socket: socket, buf: make([]byte, nl.RECEIVE_BUFFER_SIZE), at: map[uint32]change{}}, nil
}

// close may be called twice.
func (c *changes) close() { c.socket.Close() }

// until returns the number of the last known change.
func (c *changes) until() uint64 {
	c.hear()
	return c.now
}

// held returns a function that reports whether a filter exists with its program. The function
// looks at the filters if there was a change after since, or since its last look.
func (c *changes) held(own *netlink.BpfFilter, program ebpf.ProgramID, since uint64) func() (bool, error) {
	index := uint32(own.LinkIndex)
	return func() (bool, error) {
		c.hear()
		last := max(c.all, c.at[index].any)
		if last <= since {
			return true, nil
		}
		all, err := filters(index)
		if err != nil {
			return false, err
		}
		there := slices.ContainsFunc(all, func(f netlink.Filter) bool {
			bpf, ok := f.(*netlink.BpfFilter)
			return ok && bpf.Name == own.Name && bpf.Parent == own.Parent && bpf.Handle == own.Handle && bpf.Id == int(program)
		})
		if there {
			since = last
		}
		return there, nil
	}
}

// sameQdisc reports whether the qdisc of the filters has not changed after since. In doubt, it
// returns false.
func (c *changes) sameQdisc(index uint32, since uint64) bool {
	c.hear()
	return max(c.all, c.at[index].qdisc) <= since
}

// hear reads the notices that have arrived.
func (c *changes) hear() {
	for {
		n, from, err := unix.Recvfrom(c.socket.GetFd(), c.buf, unix.MSG_DONTWAIT)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.EAGAIN):
			return
		case errors.Is(err, unix.ENOBUFS): // the socket's buffer was too small
			c.everywhere()
			continue
		case err != nil: // the error is permanent: look every time
			c.everywhere()
			return
		}
		if a, ok := from.(*unix.SockaddrNetlink); !ok || a.Pid != nl.PidKernel {
			continue
		}
		messages, err := syscall.ParseNetlinkMessage(c.buf[:n])
		if err != nil {
			c.everywhere()
			continue
		}
		for i := range messages {
			c.heard(&messages[i])
		}
	}
}

func (c *changes) everywhere() {
	c.now++
	c.all = c.now
	clear(c.at)
}

func (c *changes) heard(m *syscall.NetlinkMessage) {
	switch m.Header.Type {
	case unix.RTM_DELQDISC, unix.RTM_DELTFILTER:
	case unix.RTM_NEWTFILTER:
		// The kernel repeats the request's flags. With this flag, it has replaced no
		// filter.
		if m.Header.Flags&unix.NLM_F_EXCL != 0 {
			return
		}
	default:
		return
	}
	if len(m.Data) < nl.SizeofTcMsg {
		return
	}
	if len(c.at) >= keptChanges {
		c.everywhere()
		return
	}
	c.now++
	tc := nl.DeserializeTcMsg(m.Data)
	at := c.at[uint32(tc.Ifindex)]
	at.any = c.now
	if m.Header.Type == unix.RTM_DELQDISC && tc.Parent == netlink.HANDLE_CLSACT {
		at.qdisc = c.now
	}
	c.at[uint32(tc.Ifindex)] = at
}
