package sockdiag

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// Conn asks about the sockets of one network namespace: the namespace of the thread that opened
// it. It is not safe for concurrent use.
type Conn struct {
	fd   int
	seq  uint32
	buf  []byte
	send []byte
}

// ErrUnavailable is the error if the kernel has no tcp_diag.
var ErrUnavailable = errors.New("the kernel has no tcp_diag (CONFIG_INET_TCP_DIAG)")

// received is the size of the buffer. The kernel fills no more than 32 KiB at a time
// (netlink_dump).
const received = 32 << 10

// answerLimit is far longer than an answer takes.
const answerLimit = 100 * time.Millisecond

// Dial opens a Conn. It returns [ErrUnavailable] if the kernel cannot answer.
func Dial() (*Conn, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_SOCK_DIAG)
	if err != nil {
		return nil, fmt.Errorf("open sock_diag: %w", err)
	}
	c := &Conn{fd: fd, buf: make([]byte, received)}
	// An answer that finds no room is dropped. The limit keeps Find from waiting for it.
	limit := unix.NsecToTimeval(answerLimit.Nanoseconds())
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &limit); err != nil {
		_ = c.Close()
		return nil, fmt.Errorf("limit sock_diag: %w", err)
	}
	// A dump of no state answers at once. The kernel loads the module tcp_diag for it.
	if _, err := c.dump(unix.AF_INET, 0, func(Ends, Info) bool { return true }); err != nil {
		_ = c.Close()
		if errors.Is(err, unix.ENOENT) {
			err = ErrUnavailable
		}
		return nil, err
	}
	return c, nil
}

// Close closes the Conn.
func (c *Conn) Close() error { return unix.Close(c.fd) }

// Batch is the largest number of sockets that Find takes. All answers fit into the receive buffer.
const Batch = 64

// Find asks for single sockets, at most [Batch]. It calls found for each one that exists and has a
// peer. A socket that is bound to another device than asked for does not exist.
func (c *Conn) Find(ends []Ends, found func(i int, info Info)) error {
	first := c.seq + 1
	c.send = c.send[:0]
	for i := range ends {
		family := uint8(unix.AF_INET6)
		if ends[i].isIPv4() {
			family = unix.AF_INET // finds sockets of AF_INET6, too
		}
		c.seq++
		c.send = appendRequest(c.send, c.seq, family, ^uint32(0), &ends[i])
	}
	if err := unix.Sendto(c.fd, c.send, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return fmt.Errorf("ask sock_diag: %w", err)
	}
	for left := len(ends); left > 0; {
		err := c.receive(func(m message) error {
			i := int(m.seq - first)
			if i < 0 || i >= len(ends) {
				return nil
			}
			left--
			return c.answer(m, &ends[i], func(info Info) { found(i, info) })
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// answer reads the answer about one socket.
func (c *Conn) answer(m message, asked *Ends, found func(Info)) error {
	if m.kind == unix.NLMSG_ERROR {
		if err := errorOf(m); err != nil && !errors.Is(err, unix.ENOENT) {
			return fmt.Errorf("ask sock_diag for a socket: %w", err)
		}
		return nil
	}
	e, info, ok, err := parse(m.body)
	if err != nil {
		return err
	}
	// If there is no connection, the kernel answers with a listening socket.
	e.Device = asked.Device
	if ok && e == *asked {
		found(info)
	}
	return nil
}

// Dump calls each for all TCP sockets that have a peer. It ends early if each returns false, and
// then reports false: the caller must close the Conn.
func (c *Conn) Dump(each func(Ends, Info) bool) (complete bool, err error) {
	for _, family := range []uint8{unix.AF_INET, unix.AF_INET6} {
		if complete, err = c.dump(family, live, each); err != nil || !complete {
			return false, err
		}
	}
	return true, nil
}

func (c *Conn) dump(family uint8, states uint32, each func(Ends, Info) bool) (complete bool, err error) {
	c.seq++
	c.send = appendRequest(c.send[:0], c.seq, family, states, nil)
	if err := unix.Sendto(c.fd, c.send, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return false, fmt.Errorf("ask sock_diag: %w", err)
	}
	for done, stop := false, false; !done; {
		err := c.receive(func(m message) error {
			switch {
			case m.seq != c.seq || stop:
				return nil
			case m.kind == unix.NLMSG_DONE || m.kind == unix.NLMSG_ERROR:
				done = true
				return errorOf(m)
			}
			e, info, ok, err := parse(m.body)
			if err == nil && ok {
				stop = !each(e, info)
			}
			return err
		})
		if err != nil {
			return false, fmt.Errorf("list sockets by sock_diag: %w", err)
		}
		if stop {
			return false, nil
		}
	}
	return true, nil
}

// receive reads one datagram, and calls each for its messages.
func (c *Conn) receive(each func(message) error) error {
	n, _, err := unix.Recvfrom(c.fd, c.buf, 0)
	if errors.Is(err, unix.EINTR) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read sock_diag: %w", err)
	}
	for b := c.buf[:n]; len(b) > 0; {
		var m message
		if m, b, err = next(b); err != nil {
			return err
		}
		if err := each(m); err != nil {
			return err
		}
	}
	return nil
}
