package process_test

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// roles are what helpers do, by the first part of the role's name.
var roles map[string]func(role, *orders) error

func init() {
	roles = map[string]func(role, *orders) error{
		"udpserver":   func(r role, o *orders) error { return udpServer(r, o, false) },
		"udpbound":    udpBound,
		"udpgive":     udpGive,
		"udpheir":     udpHeir,
		"udpreceiver": udpReceiver,
		"udpspawn":    udpSpawn,
		"udpexec":     udpExec,
		"udpafter":    udpAfter,
		"udpsink":     udpSink,
		"udptaker":    udpTaker,
		"udpwho":      func(r role, o *orders) error { return udpServer(r, o, true) },
		"tcpserver":   tcpServer,
		"tcpreset":    tcpReset,
		"udpquery":    udpQuery,
		"tcpquery":    tcpQuery,
		"tcprefused":  tcpRefused,
		"tcplong":     tcpLong,
		"udp6to4":     udp6to4,
		"udpmany":     udpMany,
		"tcpmany":     tcpMany,
		"sockserver":  sockServer,
		"sockquery":   sockQuery,
		"latequery":   lateQuery,
		"prefork":     prefork,
		"worker":      worker,
		"heir":        heir,
		"parent":      parent,
		"ping":        func(r role, o *orders) error { return ping(r, o, unix.SOCK_DGRAM) },
		"rawping":     func(r role, o *orders) error { return ping(r, o, unix.SOCK_RAW) },
		"sendfile":    sendfile,
		"zerocopy":    zerocopy,
		"iouring":     ioUring,
		"idle":        func(_ role, o *orders) error { o.done(); o.wait(); return nil },
	}
}

const limit = time.Minute // emulated machines are slow

func deadline(c interface{ SetDeadline(time.Time) error }) error {
	return c.SetDeadline(time.Now().Add(limit))
}

func reusePort(_, _ string, c syscall.RawConn) error {
	var err error
	if cerr := c.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1) }); cerr != nil {
		return cerr
	}
	return err
}

// udpServer echoes every datagram until it is told to end. With who, the first bytes of an answer
// are its PID.
func udpServer(r role, o *orders, who bool) error {
	lc := net.ListenConfig{Control: reusePort}
	for range max(r.N, 1) { // N ports
		conn, err := lc.ListenPacket(context.Background(), "udp", r.Local.String())
		if err != nil {
			return err
		}
		defer conn.Close() //nolint:gocritic // they serve until the role ends
		r.Local = netip.AddrPortFrom(r.Local.Addr(), r.Local.Port()+1)
		go func() {
			buf := make([]byte, 65536)
			for {
				n, from, err := conn.ReadFrom(buf)
				if err != nil {
					return
				}
				if who {
					binary.BigEndian.PutUint32(buf, uint32(os.Getpid()))
				}
				_, _ = conn.WriteTo(buf[:n], from)
			}
		}()
	}
	o.done()
	o.wait()
	return nil
}

// tcpServer echoes.
func tcpServer(r role, o *orders) error {
	for range max(r.N, 1) { // N ports
		l, err := listen(r)
		if err != nil {
			return err
		}
		defer l.Close() //nolint:gocritic // they serve until the role ends
		r.Local = netip.AddrPortFrom(r.Local.Addr(), r.Local.Port()+1)
		go serve(l)
	}
	o.done()
	o.wait()
	return nil
}

func listen(r role) (net.Listener, error) {
	lc := net.ListenConfig{Control: reusePort}
	lc.SetMultipathTCP(r.MPTCP)
	return lc.Listen(context.Background(), "tcp", r.Local.String())
}

func serve(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer c.Close()
			_, _ = io.Copy(c, c)
		}()
	}
}

// tcpReset resets every connection after it has received data.
func tcpReset(r role, o *orders) error {
	l, err := listen(r)
	if err != nil {
		return err
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = c.Read(make([]byte, 10))
			_ = c.(*net.TCPConn).SetLinger(0)
			_ = c.Close()
		}
	}()
	o.done()
	o.wait()
	return l.Close()
}

func dial(r role, network string) (net.Conn, error) {
	d := net.Dialer{Timeout: limit}
	d.SetMultipathTCP(r.MPTCP)
	if r.Local.IsValid() {
		if strings.HasPrefix(network, "tcp") {
			d.LocalAddr = net.TCPAddrFromAddrPort(r.Local)
		} else {
			d.LocalAddr = net.UDPAddrFromAddrPort(r.Local)
		}
	}
	c, err := d.Dial(network, r.Remote.String())
	if err != nil {
		return nil, err
	}
	return c, deadline(c)
}

// exchange sends size bytes and reads as many.
func exchange(c net.Conn, size int) error {
	if err := deadline(c); err != nil {
		return err
	}
	out := make([]byte, max(size, 1))
	if _, err := c.Write(out); err != nil {
		return err
	}
	_, err := io.ReadFull(c, out)
	return err
}

// udpQuery sends one query from a new socket, and answers with its port.
func udpQuery(r role, o *orders) error {
	port, err := query(r)
	if err != nil {
		return err
	}
	o.done(port)
	return nil
}

func query(r role) (uint16, error) {
	network := "udp6"
	if r.Remote.Addr().Is4() {
		network = "udp4"
	}
	conn, err := net.ListenPacket(network, "")
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	if err := deadline(conn); err != nil {
		return 0, err
	}
	buf := make([]byte, max(r.Size, 1))
	if _, err := conn.WriteTo(buf, net.UDPAddrFromAddrPort(r.Remote)); err != nil {
		return 0, err
	}
	if _, _, err := conn.ReadFrom(buf); err != nil {
		return 0, err
	}
	return uint16(conn.LocalAddr().(*net.UDPAddr).Port), nil
}

func portOf(a net.Addr) uint16 {
	p, _ := netip.ParseAddrPort(a.String())
	return p.Port()
}

func tcpQuery(r role, o *orders) error {
	c, err := dial(r, "tcp")
	if err != nil {
		return err
	}
	port := portOf(c.LocalAddr())
	if err := exchange(c, r.Size); err != nil && r.N == 0 {
		return err // with N, the other end resets the connection
	}
	if err := c.Close(); err != nil {
		return err
	}
	o.done(port)
	o.wait()
	return nil
}

// tcpRefused connects from a given port to a port without a listener.
func tcpRefused(r role, o *orders) error {
	if c, err := dial(r, "tcp"); err == nil {
		c.Close()
		return errors.New("the port has a listener")
	} else if !errors.Is(err, unix.ECONNREFUSED) {
		return err
	}
	o.done()
	return nil
}

// tcpLong connects, and exchanges data at every order.
func tcpLong(r role, o *orders) error {
	c, err := dial(r, "tcp")
	if err != nil {
		return err
	}
	o.done(portOf(c.LocalAddr()))
	for o.wait() {
		if err := exchange(c, r.Size); err != nil {
			return err
		}
		o.done()
	}
	return c.Close()
}

// udp6to4 sends IPv4 through an IPv6 socket.
func udp6to4(r role, o *orders) error {
	fd, err := unix.Socket(unix.AF_INET6, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	tv := unix.NsecToTimeval(int64(limit))
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &tv); err != nil {
		return err
	}
	to := &unix.SockaddrInet6{Port: int(r.Remote.Port()), Addr: r.Remote.Addr().As16()}
	if r.N == 1 {
		if err := unix.Connect(fd, to); err != nil {
			return err
		}
		_, err = unix.Write(fd, make([]byte, 32))
	} else {
		err = unix.Sendto(fd, make([]byte, 32), 0, to)
	}
	if err != nil {
		return err
	}
	if _, err := receive(fd, make([]byte, 100)); err != nil {
		return err
	}
	at, err := unix.Getsockname(fd)
	if err != nil {
		return err
	}
	o.done(at.(*unix.SockaddrInet6).Port)
	return nil
}

// udpMany sends N queries, each from a new socket.
func udpMany(r role, o *orders) error {
	for range r.N {
		if _, err := query(r); err != nil {
			return err
		}
	}
	o.done()
	o.wait()
	return nil
}

// tcpMany makes N short connections, one after the other.
func tcpMany(r role, o *orders) error {
	for range r.N {
		c, err := dial(r, "tcp")
		if err != nil {
			return err
		}
		if err := exchange(c, r.Size); err != nil {
			return err
		}
		if err := c.Close(); err != nil {
			return err
		}
	}
	o.done()
	o.wait()
	return nil
}
