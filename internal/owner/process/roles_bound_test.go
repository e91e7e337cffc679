package process_test

import (
	"errors"
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"
)

// sockaddr returns an address for the system calls. zone is the interface index of a link-local
// address.
func sockaddr(a netip.AddrPort, zone uint32) (family int, sa unix.Sockaddr) {
	if a.Addr().Is4() {
		return unix.AF_INET, &unix.SockaddrInet4{Addr: a.Addr().As4(), Port: int(a.Port())}
	}
	return unix.AF_INET6, &unix.SockaddrInet6{Addr: a.Addr().As16(), Port: int(a.Port()), ZoneId: zone}
}

// datagramSocket opens a UDP socket. Device binds it to an interface, Zone to a link-local address
// of that interface, and Connect connects it.
func datagramSocket(r role) (fd int, to unix.Sockaddr, err error) {
	family, local := sockaddr(r.Local, r.Zone)
	_, to = sockaddr(r.Remote, r.Zone)
	if fd, err = unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0); err != nil {
		return -1, nil, err
	}
	if err := prepare(fd, r, local, to); err != nil {
		return -1, nil, errors.Join(err, unix.Close(fd))
	}
	if r.Connect {
		to = nil
	}
	return fd, to, nil
}

func prepare(fd int, r role, local, to unix.Sockaddr) error {
	tv := unix.NsecToTimeval(int64(limit))
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &tv); err != nil {
		return err
	}
	if r.Device != "" {
		if err := unix.BindToDevice(fd, r.Device); err != nil {
			return fmt.Errorf("bind to device %s: %w", r.Device, err)
		}
	}
	if err := unix.Bind(fd, local); err != nil {
		return fmt.Errorf("bind to %v: %w", r.Local, err)
	}
	if !r.Connect {
		return nil
	}
	if err := unix.Connect(fd, to); err != nil {
		return fmt.Errorf("connect to %v: %w", r.Remote, err)
	}
	return nil
}

// udpBound sends a query from one socket at every order.
func udpBound(r role, o *orders) error { return ask(r, o, func() error { return nil }) }

// udpSpawn is udpBound that also starts another program each time.
func udpSpawn(r role, o *orders) error {
	return ask(r, o, func() error {
		cmd, err := child(role{Name: "idle"}, nil)
		if err != nil {
			return err
		}
		return cmd.Run()
	})
}

func ask(r role, o *orders, before func() error) error {
	fd, to, err := datagramSocket(r)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	o.done()
	buf := make([]byte, r.Size)
	for o.wait() {
		if err := before(); err != nil {
			return err
		}
		if err := sendOn(fd, buf, to); err != nil {
			return err
		}
		if _, err := receive(fd, buf); err != nil {
			return err
		}
		o.done()
	}
	return nil
}

// uninterrupted calls f again if a signal interrupts it. The runtime's signals interrupt calls on a
// socket with SO_RCVTIMEO, although they restart other calls (signal(7)).
func uninterrupted(f func() error) error {
	for {
		if err := f(); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// receive waits for a packet.
func receive(fd int, b []byte) (n int, err error) {
	err = uninterrupted(func() (err error) {
		n, _, err = unix.Recvfrom(fd, b, 0)
		return err
	})
	return n, err
}

// sendOn sends to an address. A nil address means that the socket is connected.
func sendOn(fd int, b []byte, to unix.Sockaddr) error {
	if to == nil {
		_, err := unix.Write(fd, b)
		return err
	}
	return unix.Sendto(fd, b, 0, to)
}
