package testnet

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/pktstat/pktstat/flow"
)

// Flow is traffic on a link: addresses, ports and protocol, and its exact counters. It has no
// direction and no interface, which depend on the observer.
type Flow struct {
	Key flow.Key
	flow.Counters
}

// Header lengths.
const (
	ethernetLen = 14
	ipv4Len     = 20
	ipv6Len     = 40
	udpLen      = 8
	icmpLen     = 8
)

// ioTimeout bounds every wait for packets. On a link of two namespaces they arrive at once or
// never. An emulated machine takes 20 s for 100 MB.
const ioTimeout = 2 * time.Minute

// newFlow returns a flow of packets with the given layer-4 length each.
func newFlow(key flow.Key, packets, layer4 int) Flow {
	length := ipv4Len + layer4
	if key.Src.Addr().Is6() {
		length = ipv6Len + layer4
	}
	n := uint64(packets)
	return Flow{key, flow.Counters{
		Packets: n, Bytes: n * uint64(length), FrameBytes: n * uint64(ethernetLen+length),
	}}
}

// addr returns the interface's address of a family.
func (i *Iface) addr(v6 bool) netip.Addr {
	if v6 {
		return i.IPv6
	}
	return i.IPv4
}

// UDP describes datagrams.
type UDP struct {
	V6               bool
	SrcPort, DstPort uint16 // 0: a free port, and 9
	Payload, Count   int    // bytes of each; number
}

// SendUDP sends datagrams from one interface to the other. A socket receives each, so that the host
// does not answer with ICMP.
func SendUDP(tb testing.TB, from, to *Iface, u UDP) Flow {
	tb.Helper()
	if u.DstPort == 0 {
		u.DstPort = 9
	}
	if u.Payload+ipv6Len+udpLen > from.MTU {
		tb.Fatalf("testnet: a payload of %d bytes would be fragmented at an MTU of %d", u.Payload, from.MTU)
	}
	src, dst := netip.AddrPortFrom(from.addr(u.V6), u.SrcPort), netip.AddrPortFrom(to.addr(u.V6), u.DstPort)
	src, err := sendUDP(from, to, src, dst, u)
	if err != nil {
		tb.Fatalf("testnet: udp %s to %s: %v", src, dst, err)
	}
	return newFlow(flow.Key{Src: src, Dst: dst, Proto: flow.UDP}, u.Count, udpLen+u.Payload)
}

// sendUDP returns the sender's address.
func sendUDP(from, to *Iface, src, dst netip.AddrPort, u UDP) (netip.AddrPort, error) {
	var out, in *net.UDPConn
	err := to.Do(func() (err error) {
		in, err = net.ListenUDP("udp", net.UDPAddrFromAddrPort(dst))
		return err
	})
	if err != nil {
		return src, err
	}
	defer in.Close()
	err = from.Do(func() (err error) {
		out, err = net.DialUDP("udp", net.UDPAddrFromAddrPort(src), net.UDPAddrFromAddrPort(dst))
		return err
	})
	if err != nil {
		return src, err
	}
	defer out.Close()
	src = netip.AddrPortFrom(src.Addr(), uint16(out.LocalAddr().(*net.UDPAddr).Port))
	if err := in.SetReadDeadline(time.Now().Add(ioTimeout)); err != nil {
		return src, err
	}
	payload, buf := make([]byte, u.Payload), make([]byte, u.Payload+1)
	// One by one, because a full receive buffer would drop datagrams.
	for k := range u.Count {
		if _, err := out.Write(payload); err != nil {
			return src, fmt.Errorf("send %d: %w", k, err)
		}
		if _, err := in.Read(buf); err != nil {
			return src, fmt.Errorf("receive %d: %w", k, err)
		}
	}
	return src, nil
}

// TCP describes a connection. The client sends, then the server sends, then both close.
type TCP struct {
	V6               bool
	SrcPort, DstPort uint16 // 0: a free port, and 5001
	Request, Reply   int    // bytes
}

// SendTCP makes a connection from one interface to the other, and returns the keys of its two
// directions. The number of packets is up to TCP.
func SendTCP(tb testing.TB, from, to *Iface, c TCP) (there, back flow.Key) {
	tb.Helper()
	if c.DstPort == 0 {
		c.DstPort = 5001
	}
	src, dst := netip.AddrPortFrom(from.addr(c.V6), c.SrcPort), netip.AddrPortFrom(to.addr(c.V6), c.DstPort)
	src, err := sendTCP(from, to, src, dst, c)
	if err != nil {
		tb.Fatalf("testnet: tcp %s to %s: %v", src, dst, err)
	}
	return flow.Key{Src: src, Dst: dst, Proto: flow.TCP}, flow.Key{Src: dst, Dst: src, Proto: flow.TCP}
}

// sendTCP returns the client's address.
func sendTCP(from, to *Iface, src, dst netip.AddrPort, c TCP) (netip.AddrPort, error) {
	var l *net.TCPListener
	err := to.Do(func() (err error) {
		l, err = net.ListenTCP("tcp", net.TCPAddrFromAddrPort(dst))
		return err
	})
	if err != nil {
		return src, err
	}
	defer l.Close()
	served := make(chan error, 1)
	go func() { served <- serveTCP(l, c) }()

	var conn *net.TCPConn
	err = from.Do(func() (err error) {
		conn, err = net.DialTCP("tcp", net.TCPAddrFromAddrPort(src), net.TCPAddrFromAddrPort(dst))
		return err
	})
	if err != nil {
		return src, err
	}
	defer conn.Close()
	src = netip.AddrPortFrom(src.Addr(), uint16(conn.LocalAddr().(*net.TCPAddr).Port))
	if err := conn.SetDeadline(time.Now().Add(ioTimeout)); err != nil {
		return src, err
	}
	if err := sendZeros(conn, c.Request); err != nil {
		return src, err
	}
	if err := conn.CloseWrite(); err != nil {
		return src, err
	}
	return src, errors.Join(receive(conn, c.Reply), <-served)
}

func serveTCP(l *net.TCPListener, c TCP) error {
	if err := l.SetDeadline(time.Now().Add(ioTimeout)); err != nil {
		return err
	}
	conn, err := l.Accept()
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(ioTimeout)); err != nil {
		return err
	}
	if err := receive(conn, c.Request); err != nil {
		return err
	}
	return sendZeros(conn, c.Reply)
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) {
	clear(b)
	return len(b), nil
}

func sendZeros(w io.Writer, n int) error {
	_, err := io.CopyN(w, zeros{}, int64(n))
	return err
}

// receive reads to the end of the data, and fails unless it gets n bytes.
func receive(r io.Reader, n int) error {
	got, err := io.Copy(io.Discard, r)
	if err != nil {
		return err
	}
	if got != int64(n) {
		return fmt.Errorf("received %d bytes of %d", got, n)
	}
	return nil
}
