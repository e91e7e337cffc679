package process_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// ping sends an echo request through an ICMP or a raw socket, and waits for the reply.
func ping(r role, o *orders, typ int) error {
	family, proto, request, reply := unix.AF_INET, unix.IPPROTO_ICMP, byte(8), byte(0)
	if r.Remote.Addr().Is6() {
		family, proto, request, reply = unix.AF_INET6, unix.IPPROTO_ICMPV6, 128, 129
	}
	fd, err := unix.Socket(family, typ|unix.SOCK_CLOEXEC, proto)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	tv := unix.NsecToTimeval(int64(limit))
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &tv); err != nil {
		return err
	}
	var to unix.Sockaddr
	if family == unix.AF_INET {
		to = &unix.SockaddrInet4{Addr: r.Remote.Addr().As4()}
	} else {
		to = &unix.SockaddrInet6{Addr: r.Remote.Addr().As16()}
	}
	if r.Connect {
		if err := unix.Connect(fd, to); err != nil {
			return err
		}
	}
	for range max(r.N, 1) {
		msg := make([]byte, 64)
		msg[0] = request
		binary.BigEndian.PutUint16(msg[4:], uint16(os.Getpid()))
		binary.BigEndian.PutUint16(msg[2:], checksum(msg))
		if r.Connect {
			to = nil
		}
		if err := sendOn(fd, msg, to); err != nil {
			return err
		}
		for {
			buf := make([]byte, 200)
			n, err := receive(fd, buf)
			if err != nil {
				return err
			}
			if typ == unix.SOCK_RAW && family == unix.AF_INET && n > 20 {
				buf = buf[20:]
			}
			if buf[0] == reply {
				break
			}
		}
	}
	o.done()
	o.wait()
	return nil
}

func checksum(b []byte) uint16 {
	var sum uint32
	for i := 0; i < len(b); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(b[i:]))
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}

// sendfile sends a file with sendfile(2).
func sendfile(r role, o *orders) error {
	c, err := dial(r, "tcp")
	if err != nil {
		return err
	}
	defer c.Close()
	f, err := os.CreateTemp("", "pktstat-sendfile-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }()
	defer f.Close()
	if err := f.Truncate(int64(r.Size)); err != nil {
		return err
	}
	raw, err := c.(*net.TCPConn).SyscallConn()
	if err != nil {
		return err
	}
	sent := 0
	var serr error
	err = raw.Write(func(fd uintptr) bool {
		for sent < r.Size {
			var n int
			n, serr = unix.Sendfile(int(fd), int(f.Fd()), nil, r.Size-sent)
			if errors.Is(serr, unix.EAGAIN) {
				return false
			}
			if serr != nil || n == 0 {
				return true
			}
			sent += n
		}
		return true
	})
	if err := errors.Join(err, serr); err != nil {
		return err
	}
	if _, err := io.ReadFull(c, make([]byte, sent)); err != nil {
		return err
	}
	o.done(portOf(c.LocalAddr()))
	return nil
}

// zerocopy sends with MSG_ZEROCOPY.
func zerocopy(r role, o *orders) error {
	c, err := dial(r, "tcp")
	if err != nil {
		return err
	}
	defer c.Close()
	raw, err := c.(*net.TCPConn).SyscallConn()
	if err != nil {
		return err
	}
	var serr error
	data, sent := make([]byte, r.Size), 0 // the socket's buffer may be too small for all
	err = raw.Control(func(fd uintptr) {
		if serr = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_ZEROCOPY, 1); serr == nil {
			sent, serr = unix.SendmsgN(int(fd), data, nil, nil, unix.MSG_ZEROCOPY)
		}
	})
	if err := errors.Join(err, serr); err != nil {
		return err
	}
	if _, err := io.ReadFull(c, data[:sent]); err != nil {
		return err
	}
	o.done(portOf(c.LocalAddr()))
	return nil
}

// The parts of io_uring that a client needs (include/uapi/linux/io_uring.h).
const (
	uringOpConnect, uringOpSend, uringOpRecv, uringOpClose = 16, 26, 27, 19

	uringSQEAsync   = 1 << 4
	uringGetEvents  = 1
	uringOffSQ      = 0
	uringOffCQ      = 0x8000000
	uringOffSQEs    = 0x10000000
	uringSQESize    = 64
	uringEntries    = 8
	uringParamsSize = 120
)

// uring is an io_uring with one operation at a time.
type uring struct {
	fd           int
	sq, cq, sqes []byte
	params       [uringParamsSize]byte
}

// word returns a field of the ring. The parameter at param is the field's offset.
func (u *uring) word(ring []byte, param int) *uint32 {
	return (*uint32)(unsafe.Pointer(&ring[binary.NativeEndian.Uint32(u.params[param:])]))
}

func newUring() (*uring, error) {
	u := &uring{}
	fd, _, errno := unix.Syscall(unix.SYS_IO_URING_SETUP, uringEntries, uintptr(unsafe.Pointer(&u.params)), 0)
	if errno != 0 {
		return nil, fmt.Errorf("io_uring_setup: %w", errno)
	}
	u.fd = int(fd)
	for _, m := range []struct {
		to     *[]byte
		offset int64
		size   int
	}{{&u.sq, uringOffSQ, 4096}, {&u.cq, uringOffCQ, 4096}, {&u.sqes, uringOffSQEs, uringEntries * uringSQESize}} {
		mem, err := unix.Mmap(u.fd, m.offset, m.size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_POPULATE)
		if err != nil {
			return nil, errors.Join(err, unix.Close(u.fd))
		}
		*m.to = mem
	}
	return u, nil
}

// do submits an operation and waits for its result.
func (u *uring) do(op uint8, fd int, addr unsafe.Pointer, length uint32, offset uint64) error {
	const sqTail, sqMask, sqArray = 40 + 4, 40 + 8, 40 + 24
	const cqHead, cqMask, cqCQEs = 80, 80 + 8, 80 + 20
	tail := u.word(u.sq, sqTail)
	i := *tail & *u.word(u.sq, sqMask)
	sqe := u.sqes[int(i)*uringSQESize:][:uringSQESize]
	clear(sqe)
	sqe[0], sqe[1] = op, uringSQEAsync // run the operation in a worker thread
	binary.NativeEndian.PutUint32(sqe[4:], uint32(fd))
	binary.NativeEndian.PutUint64(sqe[8:], offset)
	binary.NativeEndian.PutUint64(sqe[16:], uint64(uintptr(addr)))
	binary.NativeEndian.PutUint32(sqe[24:], length)
	array := binary.NativeEndian.Uint32(u.params[sqArray:])
	binary.NativeEndian.PutUint32(u.sq[array+4*i:], i)
	*tail++
	if _, _, errno := unix.Syscall6(unix.SYS_IO_URING_ENTER, uintptr(u.fd), 1, 1, uringGetEvents, 0, 0); errno != 0 {
		return fmt.Errorf("io_uring_enter: %w", errno)
	}
	head := u.word(u.cq, cqHead)
	at := binary.NativeEndian.Uint32(u.params[cqCQEs:]) + 16*(*head&*u.word(u.cq, cqMask))
	res := int32(binary.NativeEndian.Uint32(u.cq[at+8:]))
	*head++
	if res < 0 {
		return fmt.Errorf("io_uring operation %d: %w", op, unix.Errno(-res))
	}
	return nil
}

// ioUring connects, sends, receives and closes in workers of io_uring.
func ioUring(r role, o *orders) error {
	u, err := newUring()
	if err != nil {
		return err
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	to := &unix.RawSockaddrInet4{Family: unix.AF_INET, Addr: r.Remote.Addr().As4()}
	binary.BigEndian.PutUint16((*[2]byte)(unsafe.Pointer(&to.Port))[:], r.Remote.Port())
	if err := u.do(uringOpConnect, fd, unsafe.Pointer(to), 0, unix.SizeofSockaddrInet4); err != nil {
		return err
	}
	at, err := unix.Getsockname(fd)
	if err != nil {
		return err
	}
	buf := make([]byte, 32)
	if err := u.do(uringOpSend, fd, unsafe.Pointer(&buf[0]), 32, 0); err != nil {
		return err
	}
	if err := u.do(uringOpRecv, fd, unsafe.Pointer(&buf[0]), 32, 0); err != nil {
		return err
	}
	if err := u.do(uringOpClose, fd, nil, 0, 0); err != nil {
		return err
	}
	o.done(at.(*unix.SockaddrInet4).Port)
	return nil
}
