package process_test

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// socketOf opens a socket of protocol r.N and type r.Size.
func socketOf(r role) (int, error) {
	fd, err := unix.Socket(unix.AF_INET, r.Size|unix.SOCK_CLOEXEC, r.N)
	if err != nil {
		return -1, fmt.Errorf("socket of type %d, protocol %d: %w", r.Size, r.N, err)
	}
	tv := unix.NsecToTimeval(int64(limit))
	return fd, unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &tv)
}

// payload returns the payload of a read from a socket of a type. A raw socket also returns the IP
// header.
func payload(typ int, b []byte) []byte {
	if typ == unix.SOCK_RAW && len(b) > 20 {
		return b[20:]
	}
	return b
}

// sockServer answers the first message, through a socket of any protocol.
func sockServer(r role, o *orders) error {
	fd, err := socketOf(r)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: r.Local.Addr().As4(), Port: int(r.Local.Port())}); err != nil {
		return err
	}
	if r.Size == unix.SOCK_STREAM {
		if err := unix.Listen(fd, 1); err != nil {
			return err
		}
	}
	o.done()
	buf := make([]byte, 1000)
	if r.Size == unix.SOCK_STREAM {
		var conn int
		err := uninterrupted(func() (err error) {
			conn, _, err = unix.Accept(fd)
			return err
		})
		if err != nil {
			return err
		}
		defer unix.Close(conn)
		n, err := receive(conn, buf)
		if err == nil {
			_, err = unix.Write(conn, buf[:n])
		}
		o.wait()
		return err
	}
	var n int
	var from unix.Sockaddr
	err = uninterrupted(func() (err error) {
		n, from, err = unix.Recvfrom(fd, buf, 0)
		return err
	})
	if err == nil {
		err = unix.Sendto(fd, payload(r.Size, buf[:n]), 0, from)
	}
	o.wait()
	return err
}

// sockQuery sends a query through a connected socket of any protocol, and answers with its port.
func sockQuery(r role, o *orders) error {
	fd, err := socketOf(r)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if err := unix.Connect(fd, &unix.SockaddrInet4{Addr: r.Remote.Addr().As4(), Port: int(r.Remote.Port())}); err != nil {
		return err
	}
	at, err := unix.Getsockname(fd)
	if err != nil {
		return err
	}
	buf := make([]byte, 100)
	if _, err := unix.Write(fd, buf); err != nil {
		return err
	}
	if _, err := receive(fd, buf); err != nil {
		return err
	}
	port := at.(*unix.SockaddrInet4).Port
	if r.Size == unix.SOCK_RAW {
		port = 0 // raw sockets return the protocol as the port
	}
	o.done(port)
	o.wait()
	return nil
}

// lateQuery waits for an order before it makes its socket.
func lateQuery(r role, o *orders) error {
	o.done()
	o.wait()
	return udpQuery(r, o)
}
