package bench

import (
	"errors"
	"fmt"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// exchange is a request and its answer between two sockets.
type exchange struct {
	name   string
	weight int // number of small exchanges that take as long
	open   func() (*talk, error)
}

// Exchanges of small packets, and of super-frames.
var exchanges = []exchange{
	{"UDP4, 64 bytes and back", 1, func() (*talk, error) { return newTalk(unix.SOCK_DGRAM, 64) }},
	{"TCP4, 64 bytes and back", 1, func() (*talk, error) { return newTalk(unix.SOCK_STREAM, 64) }},
	{"TCP4, 32 kB and back", 8, func() (*talk, error) { return newTalk(unix.SOCK_STREAM, 32<<10) }},
}

// talk is two connected sockets. One thread plays both ends: on the loopback interface, data has
// arrived when the send returns.
type talk struct {
	ends    [2]int
	payload []byte
}

func newTalk(kind, size int) (_ *talk, err error) {
	t := &talk{ends: [2]int{-1, -1}, payload: make([]byte, size)}
	defer func() {
		if err != nil {
			err = errors.Join(err, t.close())
		}
	}()
	if kind == unix.SOCK_DGRAM {
		err = t.connectUDP()
	} else {
		err = t.connectTCP()
	}
	if err != nil {
		return nil, err
	}
	patience := unix.Timeval{Sec: 10}
	for _, fd := range t.ends {
		for _, option := range []int{unix.SO_RCVTIMEO, unix.SO_SNDTIMEO} {
			if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, option, &patience); err != nil {
				return nil, err
			}
		}
	}
	return t, nil
}

// bound returns a socket on a port of 127.0.0.1 that the kernel chooses.
func bound(kind int) (fd int, at unix.Sockaddr, err error) {
	if fd, err = unix.Socket(unix.AF_INET, kind|unix.SOCK_CLOEXEC, 0); err != nil {
		return -1, nil, err
	}
	err = unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}})
	if err == nil {
		at, err = unix.Getsockname(fd)
	}
	return fd, at, err
}

func (t *talk) connectUDP() error {
	var at [2]unix.Sockaddr
	var err error
	for i := range t.ends {
		if t.ends[i], at[i], err = bound(unix.SOCK_DGRAM); err != nil {
			return err
		}
	}
	return errors.Join(unix.Connect(t.ends[0], at[1]), unix.Connect(t.ends[1], at[0]))
}

func (t *talk) connectTCP() error {
	l, at, err := bound(unix.SOCK_STREAM)
	if err == nil {
		defer func() { _ = unix.Close(l) }() // the connection is accepted
		err = unix.Listen(l, 1)
	}
	if err != nil {
		return err
	}
	if t.ends[0], _, err = bound(unix.SOCK_STREAM); err != nil {
		return err
	}
	if err := unix.Connect(t.ends[0], at); err != nil {
		return err
	}
	if t.ends[1], _, err = unix.Accept4(l, unix.SOCK_CLOEXEC); err != nil {
		return err
	}
	for _, fd := range t.ends {
		if err := unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1); err != nil {
			return err
		}
	}
	return nil
}

// run makes n exchanges.
func (t *talk) run(n int) error {
	for range n {
		if err := errors.Join(t.move(t.ends[0], t.ends[1]), t.move(t.ends[1], t.ends[0])); err != nil {
			return err
		}
	}
	return nil
}

// move sends the payload and receives it at the other end.
func (t *talk) move(from, to int) error {
	if n, err := unix.Write(from, t.payload); err != nil || n != len(t.payload) {
		return fmt.Errorf("sent %d of %d bytes: %w", n, len(t.payload), err)
	}
	for left := t.payload; len(left) > 0; {
		n, err := unix.Read(to, left)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil || n <= 0 {
			return fmt.Errorf("%d of %d bytes did not arrive: %w", len(left), len(t.payload), err)
		}
		left = left[n:]
	}
	return nil
}

func (t *talk) close() error {
	var errs []error
	for _, fd := range t.ends {
		if fd >= 0 {
			errs = append(errs, unix.Close(fd))
		}
	}
	return errors.Join(errs...)
}

// loopbackUp sets the namespace's loopback interface up, and returns its index.
func loopbackUp() (int, error) {
	lo, err := netlink.LinkByName("lo")
	if err == nil {
		err = netlink.LinkSetUp(lo)
	}
	if err != nil {
		return 0, fmt.Errorf("set lo up: %w", err)
	}
	return lo.Attrs().Index, nil
}
