package process_test

import (
	"errors"
	"math/rand/v2"
	"net"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// udpSink reads datagrams on N ports and does not answer.
func udpSink(r role, o *orders) error {
	for i := range r.N {
		conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: r.Local.Addr().AsSlice(), Port: int(r.Local.Port()) + i})
		if err != nil {
			return err
		}
		defer conn.Close() //nolint:gocritic // they serve until the role ends
		go func() {
			buf := make([]byte, 2048)
			for {
				if _, err := conn.Read(buf); err != nil {
					return
				}
			}
		}()
	}
	o.done()
	o.wait()
	return nil
}

// udpTaker binds a port when it is free, sends a few datagrams and closes the socket. With N, it
// sometimes connects first.
func udpTaker(r role, o *orders) error {
	var over atomic.Bool
	go func() {
		o.wait()
		over.Store(true)
	}()
	o.done()
	for !over.Load() {
		if err := takeOnce(r); err != nil && !errors.Is(err, unix.EADDRINUSE) {
			return err
		}
		time.Sleep(time.Duration(rand.IntN(500)) * time.Microsecond) // let the other process bind the port
	}
	return nil
}

func takeOnce(r role) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: r.Local.Addr().As4(), Port: int(r.Local.Port())}); err != nil {
		return err
	}
	to := &unix.SockaddrInet4{Addr: r.Remote.Addr().As4(), Port: int(r.Remote.Port())}
	connected := r.N != 0 && rand.IntN(2) == 0
	if connected {
		if err := unix.Connect(fd, to); err != nil {
			return err
		}
	}
	for range 1 + rand.IntN(5) {
		if connected {
			_, err = unix.Write(fd, make([]byte, r.Size))
		} else {
			err = unix.Sendto(fd, make([]byte, r.Size), 0, to)
		}
		if err != nil {
			return err
		}
	}
	if rand.IntN(20) == 0 {
		time.Sleep(time.Duration(rand.IntN(300)) * time.Millisecond)
	}
	return nil
}
