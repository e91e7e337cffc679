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
// replaced (rtnetlink(7)). To look at all filters of hundreds of interfaces twice a second
// would cost too much.
type changes struct {
	socket *nl.NetlinkSocket
	buf    []byte
	now    uint64            // counts changes
	at     map[uint32]change // the last ones of an interface
	all    uint64            // the last one that may have been of any
}

// change is the number of the last one of any kind, and of a qdisc that was removed.
type change struct{ any, qdisc uint64 }

// keptChanges bounds how many interfaces are remembered.
const keptChanges = 4096

// listen begins to listen in the network namespace of the calling thread.
func listen() (*changes, error) {
	socket, err := nl.Subscribe(unix.NETLINK_ROUTE, unix.RTNLGRP_TC)
	if err != nil {
		return nil, fmt.Errorf("watch the filters: %w", err)
	}
	// Another pktstat on hundreds of interfaces makes thousands of changes at once. If that is
	// refused, changes are missed, which costs a look at all filters.
	_ = socket.SetReceiveBufferSize(1<<21, true)
	return &changes{socket: socket, buf: make([]byte, nl.RECEIVE_BUFFER_SIZE), at: map[uint32]change{}}, nil
}

// close may be called twice.
func (c *changes) close() { c.socket.Close() }

// until returns the number of the last change that is known of.
func (c *changes) until() uint64 {
	c.hear()
	return c.now
}

// held returns how to find out whether a filter is there with its program. That looks at the
// filters if there was a change after since, or since it last did so.
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

// sameQdisc reports whether the qdisc of filters is the one that was there at since. In doubt
// it is not.
func (c *changes) sameQdisc(index uint32, since uint64) bool {
	c.hear()
	return max(c.all, c.at[index].qdisc) <= since
}

// hear takes the notices that have come.
func (c *changes) hear() {
	for {
		n, from, err := unix.Recvfrom(c.socket.GetFd(), c.buf, unix.MSG_DONTWAIT)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.EAGAIN):
			return
		case errors.Is(err, unix.ENOBUFS): // more happened than the socket's buffer holds
			c.everywhere()
			continue
		case err != nil: // it will not get better: look every time
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
		// The kernel repeats the request's flags. With this one, it has replaced none.
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
