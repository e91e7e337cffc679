package sockdiag

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Multicast groups of NETLINK_SOCK_DIAG (enum sknetlink_groups).
const (
	destroyedIPv4 = 1 // SKNLGRP_INET_TCP_DESTROY
	destroyedIPv6 = 3 // SKNLGRP_INET6_TCP_DESTROY
)

// Home is the id of the network namespace in which a [Listener] was opened.
const Home = -1

// Listener receives the last state of each TCP socket that the kernel destroys, in the network
// namespace of the thread that opened it.
type Listener struct {
	file  *os.File
	raw   syscall.RawConn
	ended atomic.Bool
	buf   []byte
	oob   []byte
}

// roomForEvents is the size of the receive buffer. The state of a socket takes about 1 KiB of it.
const roomForEvents = 8 << 20

// Listen opens a Listener. It needs cap_net_admin. If everywhere is true, it also receives from the
// namespaces that have an id in the thread's one (ip-netns(8), NETLINK_LISTEN_ALL_NSID).
func Listen(everywhere bool) (*Listener, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_SOCK_DIAG)
	if err != nil {
		return nil, fmt.Errorf("open sock_diag: %w", err)
	}
	if err := subscribe(fd, everywhere); err != nil {
		_ = unix.Close(fd)
		return nil, fmt.Errorf("listen to closed sockets: %w", err)
	}
	l := &Listener{file: os.NewFile(uintptr(fd), "sock_diag"), buf: make([]byte, received), oob: make([]byte, unix.CmsgSpace(4))}
	if l.raw, err = l.file.SyscallConn(); err != nil {
		_ = l.file.Close()
		return nil, err
	}
	return l, nil
}

func subscribe(fd int, everywhere bool) error {
	all := 0
	if everywhere {
		all = 1
	}
	// Without an address of its own, a socket gets no multicast of the kernel, which has address 0.
	// To bind removes memberships.
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return err
	}
	// A small buffer loses more, and Lost counts that.
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, roomForEvents)
	for _, option := range []struct{ name, value int }{
		{unix.NETLINK_NO_ENOBUFS, 1},
		{unix.NETLINK_LISTEN_ALL_NSID, all},
		{unix.NETLINK_ADD_MEMBERSHIP, destroyedIPv4},
		{unix.NETLINK_ADD_MEMBERSHIP, destroyedIPv6},
	} {
		if err := unix.SetsockoptInt(fd, unix.SOL_NETLINK, option.name, option.value); err != nil {
			return err
		}
	}
	return nil
}

// Close closes the Listener, and ends Read.
func (l *Listener) Close() error {
	l.ended.Store(true)
	return l.file.Close()
}

// Lost returns how many sockets found no room in the receive buffer.
func (l *Listener) Lost() (lost uint32) {
	_ = l.raw.Control(func(fd uintptr) {
		var info [9]uint32 // SK_MEMINFO_VARS; the last is SK_MEMINFO_DROPS
		size := uint32(unsafe.Sizeof(info))
		_, _, failed := unix.Syscall6(unix.SYS_GETSOCKOPT, fd, unix.SOL_SOCKET, unix.SO_MEMINFO,
			uintptr(unsafe.Pointer(&info)), uintptr(unsafe.Pointer(&size)), 0)
		if failed == 0 {
			lost = info[len(info)-1]
		}
	})
	return lost
}

// Read calls each for every socket that is destroyed, with the id of its network namespace, until
// Close.
func (l *Listener) Read(each func(nsid int32, e Ends, info Info)) error {
	for {
		n, oobn, err := l.receive()
		if l.ended.Load() {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read closed sockets: %w", err)
		}
		nsid := namespaceOf(l.oob[:oobn])
		for b := l.buf[:n]; len(b) > 0; {
			var m message
			if m, b, err = next(b); err != nil {
				return err
			}
			if m.kind != byFamily {
				continue
			}
			e, info, ok, err := parse(m.body)
			if err != nil {
				return err
			}
			if ok {
				each(nsid, e, info)
			}
		}
	}
}

func (l *Listener) receive() (n, oobn int, err error) {
	waited := l.raw.Read(func(fd uintptr) bool {
		for {
			n, oobn, _, _, err = unix.Recvmsg(int(fd), l.buf, l.oob, 0)
			if !errors.Is(err, unix.EINTR) {
				return !errors.Is(err, unix.EAGAIN)
			}
		}
	})
	if waited != nil {
		return 0, 0, waited
	}
	return n, oobn, err
}

// namespaceOf reads the id of the sender's network namespace. The kernel adds none for the
// listener's own.
func namespaceOf(oob []byte) int32 {
	messages, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return Home
	}
	for _, m := range messages {
		if m.Header.Level == unix.SOL_NETLINK && m.Header.Type == unix.NETLINK_LISTEN_ALL_NSID && len(m.Data) >= 4 {
			return int32(binary.NativeEndian.Uint32(m.Data))
		}
	}
	return Home
}
