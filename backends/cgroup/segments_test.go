package cgroup

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/test/livetest"
	"github.com/pktstat/pktstat/internal/test/testenv"
	"github.com/pktstat/pktstat/internal/test/testnet"
)

// TestSegments compares super-frames with the counts of tc for the same traffic, at the sending
// and at the receiving socket.
func TestSegments(t *testing.T) {
	testenv.Privileged(t)
	for _, offloads := range []bool{false, true} {
		for _, v6 := range []bool{false, true} {
			t.Run(fmt.Sprintf("offloads=%t/v6=%t", offloads, v6), func(t *testing.T) {
				const attempts = 10
				for n := 1; !compareSegments(t, offloads, v6); n++ {
					if n == attempts {
						t.Fatalf("in each of %d attempts a packet has interrupted another one", attempts)
					}
				}
			})
		}
	}
}

// compareSegments returns false if a packet was counted to no flow: then a comparison makes no
// sense.
func compareSegments(t *testing.T, offloads, v6 bool) bool {
	a, b := testnet.Pair(t, testnet.Link{Offloads: offloads})
	at, here := livetest.Open(t, "tc", nil, a), openHere(t, a)
	defer at.Close()
	defer here.Close()
	from, to := a.IPv4, b.IPv4
	if v6 {
		from, to = a.IPv6, b.IPv6
	}
	there := connection(t, a, b, from, to)
	if offloads { // without offloads, older kernels refuse to
		segmented(t, a, b, from, to)
	}
	synAck := fmt.Sprint(flow.TCP, there.Dst, there.Src, flow.Egress)

	tcSum, cgroupSum := map[string]flow.Counters{}, map[string]flow.Counters{}
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		at.Collect(func(rs []flow.Record) {
			for _, r := range rs {
				k := r.Key.Key()
				r.FrameBytes = 0
				// Both ends of the link see it.
				add(tcSum, fmt.Sprint(k.Proto, k.Src, k.Dst, flow.Egress), r.Counters)
				add(tcSum, fmt.Sprint(k.Proto, k.Src, k.Dst, flow.Ingress), r.Counters)
			}
		})
		other, lost := here.Collect(func(rs []flow.Record) {
			for _, r := range rs {
				k := r.Key.Key()
				add(cgroupSum, fmt.Sprint(k.Proto, k.Src, k.Dst, k.Dir), r.Counters)
			}
		})
		if !other.IsZero() || !lost.IsZero() {
			return false
		}
		if v6 && lacksSynAck(tcSum[synAck], cgroupSum[synAck]) {
			cgroupSum[synAck] = tcSum[synAck]
		}
		if equal(tcSum, cgroupSum) {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("tc     %+v\ncgroup %+v", tcSum, cgroupSum)
		}
	}
	k := fmt.Sprint(flow.TCP, there.Src, there.Dst, flow.Egress)
	if c := cgroupSum[k]; c.Packets < 1000 || c.Bytes < 1<<20 {
		t.Errorf("%s: %+v: the segments are not counted", k, c)
	}
	return true
}

// lacksSynAck reports whether a single packet without data is missing. In IPv6, Linux 5.10 does
// not run the programs for the second packet of a connection, whose socket does not exist yet.
func lacksSynAck(all, some flow.Counters) bool {
	d := all.Minus(some)
	return d.Packets == 1 && d.Bytes >= 60 && d.Bytes <= 100
}

func add(m map[string]flow.Counters, k string, c flow.Counters) {
	sum := m[k]
	sum.Add(c)
	m[k] = sum
}

func equal(a, b map[string]flow.Counters) bool {
	for k := range a {
		if a[k] != b[k] {
			return false
		}
	}
	return len(a) == len(b) && len(a) > 0
}

// connection sends over a TCP connection and leaves it open: packets of a closed one have no
// socket.
func connection(t *testing.T, a, b *testnet.Iface, from, to netip.Addr) (there flow.Key) {
	t.Helper()
	var l net.Listener
	err := b.Do(func() (err error) {
		l, err = net.Listen("tcp", netip.AddrPortFrom(to, 0).String())
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	var client net.Conn
	err = a.Do(func() (err error) {
		client, err = (&net.Dialer{LocalAddr: &net.TCPAddr{IP: from.AsSlice()}}).Dial("tcp", l.Addr().String())
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	server, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	const large, small = 3 << 20, 100_000
	for _, c := range []net.Conn{client, server} {
		if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
			t.Fatal(err)
		}
	}
	done := make(chan error, 1)
	go func() {
		_, err := io.CopyN(io.Discard, server, large)
		if err == nil {
			_, err = server.Write(make([]byte, small))
		}
		done <- err
	}()
	if _, err := client.Write(make([]byte, large)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.CopyN(io.Discard, client, small); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	return flow.Key{Src: client.LocalAddr().(*net.TCPAddr).AddrPort(), Dst: l.Addr().(*net.TCPAddr).AddrPort()}
}

// segmented sends datagrams with UDP_SEGMENT, to a socket that gets each by itself.
func segmented(t *testing.T, a, b *testnet.Iface, from, to netip.Addr) {
	t.Helper()
	var in, out *net.UDPConn
	err := b.Do(func() (err error) {
		in, err = net.ListenUDP("udp", &net.UDPAddr{IP: to.AsSlice(), Port: 4000})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	err = a.Do(func() (err error) {
		out, err = net.DialUDP("udp", &net.UDPAddr{IP: from.AsSlice()}, in.LocalAddr().(*net.UDPAddr))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	raw, err := out.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	const size, count = 1000, 40
	var optErr error
	if err := raw.Control(func(fd uintptr) { optErr = unix.SetsockoptInt(int(fd), unix.SOL_UDP, unix.UDP_SEGMENT, size) }); err != nil || optErr != nil {
		t.Fatal(err, optErr)
	}
	if err := in.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 2*size)
	for range 5 {
		if _, err := out.Write(make([]byte, (count-1)*size+7)); err != nil {
			t.Fatal(err)
		}
		for range count {
			if _, err := in.Read(buf); err != nil {
				t.Fatal(err)
			}
		}
	}
}
