package testnet

import (
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Delay holds IPv4 packets back that go from one host to another.
type Delay struct {
	tb    testing.TB
	from  *Iface       // whose queueing discipline holds them back, by netem
	relay atomic.Int64 // where the kernel has no netem: nanoseconds
}

// Delayed returns two ends of a way between two new hosts, without a delay at first. Packets from
// far to near are delayed. Where the kernel has no netem, a third host between the two relays them.
func Delayed(tb testing.TB) (near, far *Iface, d *Delay) {
	tb.Helper()
	near, far = Pair(tb, Link{})
	d = &Delay{tb: tb, from: far}
	err := d.netem(0)
	if err == nil {
		return near, far, d
	}
	if !errors.Is(err, unix.ENOENT) && !errors.Is(err, unix.EOPNOTSUPP) {
		tb.Fatalf("testnet: netem on %s: %v", far, err)
	}
	between := NewHost(tb)
	Sysctl(tb, between, "net/ipv4/ip_forward", "0")
	near, toNear := Connect(tb, near.Host, between, Link{})
	far, toFar := Connect(tb, far.Host, between, Link{})
	Route(tb, near, far.IPv4, toNear.IPv4)
	Route(tb, far, near.IPv4, toFar.IPv4)
	d.from = nil
	relay(tb, toNear, toFar, far, func() time.Duration { return 0 })
	relay(tb, toFar, toNear, near, func() time.Duration { return time.Duration(d.relay.Load()) })
	return near, far, d
}

// Set changes the delay of packets from now on.
func (d *Delay) Set(delay time.Duration) {
	d.tb.Helper()
	if d.from == nil {
		d.relay.Store(int64(delay))
		return
	}
	if err := d.netem(delay); err != nil {
		d.tb.Fatalf("testnet: netem on %s: %v", d.from, err)
	}
}

func (d *Delay) netem(delay time.Duration) error {
	return d.from.nl.QdiscReplace(netlink.NewNetem(
		netlink.QdiscAttrs{LinkIndex: d.from.Index, Handle: netlink.MakeHandle(1, 0), Parent: netlink.HANDLE_ROOT},
		netlink.NetemQdiscAttrs{Latency: uint32(delay.Microseconds()), Limit: 1000}))
}

// late is a frame on its way.
type late struct {
	due   time.Time
	frame []byte
}

// relay sends what arrives at one end out of the other, to the interface to.
func relay(tb testing.TB, in, out, to *Iface, delay func() time.Duration) {
	tb.Helper()
	s, err := out.OpenSender()
	if err != nil {
		tb.Fatalf("testnet: %v", err)
	}
	fd, err := in.openReceiver()
	if err != nil {
		tb.Fatalf("testnet: %v", errors.Join(err, s.Close()))
	}
	var stop atomic.Bool
	queue, sent, received := make(chan late, 1000), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(sent)
		for l := range queue {
			time.Sleep(time.Until(l.due))
			_ = s.Send(l.frame) // TCP sends a lost one again
		}
	}()
	go func() {
		defer close(received)
		defer close(queue)
		buf := make([]byte, 1<<16)
		for !stop.Load() {
			n, from, err := unix.Recvfrom(fd, buf, 0)
			sll, _ := from.(*unix.SockaddrLinklayer)
			if err != nil || sll == nil || sll.Pkttype == unix.PACKET_OUTGOING || n < 2*len(to.MAC) {
				continue
			}
			frame := append([]byte(nil), buf[:n]...)
			copy(frame[copy(frame, to.MAC):], out.MAC)
			queue <- late{time.Now().Add(delay()), frame}
		}
	}()
	tb.Cleanup(func() {
		stop.Store(true)
		<-received
		<-sent
		_ = unix.Close(fd)
		_ = s.Close()
	})
}

// openReceiver returns a packet socket that receives the interface's IPv4 packets. A receive ends
// after a while without packet.
func (i *Iface) openReceiver() (fd int, err error) {
	const ipv4 = 0x0008 // ETH_P_IP, in network order
	fd = -1
	err = i.Do(func() (err error) {
		fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, ipv4)
		return err
	})
	if err == nil {
		err = unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Usec: 100_000})
	}
	if err == nil {
		err = unix.Bind(fd, &unix.SockaddrLinklayer{Ifindex: i.Index, Protocol: ipv4})
	}
	if err != nil && fd >= 0 {
		err = errors.Join(err, unix.Close(fd))
	}
	if err != nil {
		return -1, fmt.Errorf("packet socket on %s: %w", i, err)
	}
	return fd, nil
}
