package afpacket

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	_ "github.com/pktstat/pktstat/backends/tc" // for comparison
	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/test/livetest"
	"github.com/pktstat/pktstat/internal/test/testenv"
	"github.com/pktstat/pktstat/internal/test/testnet"
)

// route is a path from a over a router to d. Super-frames cross the first link whole. The router
// segments them in software, so the second link has the packets of a wire.
type route struct{ a, b, c, d *testnet.Iface }

func newRoute(t *testing.T) route {
	t.Helper()
	router := testnet.NewHost(t)
	var r route
	r.a, r.b = testnet.Connect(t, testnet.NewHost(t), router, testnet.Link{Offloads: true})
	r.c, r.d = testnet.Connect(t, router, testnet.NewHost(t), testnet.Link{})
	err := errors.Join(
		router.Do(func() error {
			return errors.Join(os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0o644),
				os.WriteFile("/proc/sys/net/ipv6/conf/all/forwarding", []byte("1"), 0o644))
		}),
		addRoute(r.a, r.b, r.d), addRoute(r.d, r.c, r.a))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// addRoute adds a route from an interface to another by way of via.
func addRoute(from, via, to *testnet.Iface) error {
	var errs []error
	for _, r := range []netlink.Route{
		{Dst: netlink.NewIPNet(to.IPv4.AsSlice()), Gw: via.IPv4.AsSlice()},
		{Dst: netlink.NewIPNet(to.IPv6.AsSlice()), Gw: via.IPv6.AsSlice(), Src: from.IPv6.AsSlice()},
	} {
		r.LinkIndex, r.Flags = from.Index, int(netlink.FLAG_ONLINK)
		if err := from.Netlink().RouteAdd(&r); err != nil {
			errs = append(errs, fmt.Errorf("route from %s to %s: %w", from, r.Dst, err))
		}
	}
	return errors.Join(errs...)
}

// compare runs traffic, and compares flows before and after they are segmented.
func (r route) compare(t *testing.T, traffic func() []flow.Key) {
	t.Helper()
	whole, segments := livetest.Open(t, "afpacket", nil, r.b), livetest.Open(t, "afpacket", nil, r.d)
	before := r.b.Settle()
	keys := traffic()
	before = r.b.Settle().Minus(before)
	r.d.Settle()
	b, d := whole.Records(), segments.Records()
	for _, k := range keys {
		if w, s := livetest.Sum(b, k), livetest.Sum(d, k); w != s || w.IsZero() {
			t.Errorf("%v > %v: counted %+v, in segments %+v", k.Src, k.Dst, w, s)
		}
	}
	if n := livetest.Sum(b, keys[0]).Packets; n < 2*before.RxPackets {
		t.Errorf("%d packets in %d frames: there were no super-frames", n, before.RxPackets)
	}
}

func TestTCPSegments(t *testing.T) {
	testenv.Privileged(t)
	for _, v6 := range []bool{false, true} {
		t.Run(fmt.Sprintf("v6=%v", v6), func(t *testing.T) {
			r := newRoute(t)
			r.compare(t, func() []flow.Key {
				there, back := testnet.SendTCP(t, r.a, r.d, testnet.TCP{V6: v6, Request: 20 << 20, Reply: 1 << 20})
				return []flow.Key{there, back}
			})
		})
	}
}

// TestUDPSegments sends super-frames of UDP_SEGMENT, whose last segment is a short one.
func TestUDPSegments(t *testing.T) {
	testenv.Privileged(t)
	for _, v6 := range []bool{false, true} {
		t.Run(fmt.Sprintf("v6=%v", v6), func(t *testing.T) {
			r := newRoute(t)
			// Before, packet sockets drop them, and the kernel counts them as dropped.
			testenv.Feature(t, "UDP segmentation in struct virtio_net_hdr", "6.2", func() error { return tryUDPSegments(t) })
			r.compare(t, func() []flow.Key {
				k, err := sendUDPSegments(r.a, r.d, v6, 300, 700, 30_000)
				if err != nil {
					t.Fatal(err)
				}
				return []flow.Key{k}
			})
		})
	}
}

// tryUDPSegments returns an error if packet sockets do not get them.
func tryUDPSegments(t *testing.T) error {
	a, b := testnet.Pair(t, testnet.Link{Offloads: true})
	s := livetest.Open(t, "afpacket", nil, b)
	before := b.Settle()
	if _, err := sendUDPSegments(a, b, false, 1, 700, 7000); err != nil {
		return err
	}
	if n := b.Settle().Minus(before).RxPackets; n > 1 { // on older kernels
		return fmt.Errorf("the link does not carry them: %d frames", n)
	}
	_, lost := s.Collect(func([]flow.Record) {})
	if lost.Packets > 0 {
		return errors.New("packet sockets drop them")
	}
	return nil
}

// sendUDPSegments sends n times bytes in segments of a size.
func sendUDPSegments(from, to *testnet.Iface, v6 bool, n, size, bytes int) (flow.Key, error) {
	src, dst := from.IPv4, to.IPv4
	if v6 {
		src, dst = from.IPv6, to.IPv6
	}
	k := flow.Key{Proto: flow.UDP, Src: netip.AddrPortFrom(src, 41000), Dst: netip.AddrPortFrom(dst, 9)}
	err := from.Do(func() error {
		c, err := net.DialUDP("udp", net.UDPAddrFromAddrPort(k.Src), net.UDPAddrFromAddrPort(k.Dst))
		if err != nil {
			return err
		}
		defer c.Close()
		raw, err := c.SyscallConn()
		if err != nil {
			return err
		}
		var serr error
		err = raw.Control(func(fd uintptr) {
			serr = unix.SetsockoptInt(int(fd), unix.IPPROTO_UDP, unix.UDP_SEGMENT, size)
		})
		if err := errors.Join(err, serr); err != nil {
			return err
		}
		payload := make([]byte, bytes)
		for range n {
			// The port is closed: the error belongs to the datagram before.
			if _, err := c.Write(payload); err != nil && !errors.Is(err, unix.ECONNREFUSED) {
				return err
			}
		}
		return nil
	})
	return k, err
}

// TestBigTCP sends super-frames above 64 KiB. On older kernels, IPv6 super-frames have a header
// that their segments lack. IPv4 super-frames have no total length. No router forwards all of
// them, so the test compares with the counts of tc at both ends.
func TestBigTCP(t *testing.T) {
	testenv.Privileged(t)
	for _, v6 := range []bool{false, true} {
		t.Run(fmt.Sprintf("v6=%v", v6), func(t *testing.T) {
			a, b := testnet.Pair(t, testnet.Link{Offloads: true})
			link, err := a.Netlink().LinkByIndex(a.Index)
			if err != nil {
				t.Fatal(err)
			}
			const size = 180_000
			if v6 {
				testenv.Feature(t, "BIG TCP over IPv6", "5.19", func() error { return a.Netlink().LinkSetGSOMaxSize(link, size) })
			} else {
				testenv.Feature(t, "BIG TCP over IPv4", "6.3", func() error { return a.Netlink().LinkSetGSOIPv4MaxSize(link, size) })
			}
			var ours, theirs []*livetest.Source
			for _, on := range []*testnet.Iface{a, b} {
				ours = append(ours, livetest.Open(t, "afpacket", nil, on))
				theirs = append(theirs, livetest.Open(t, "tc", nil, on))
			}
			before := b.Settle()
			there, back := testnet.SendTCP(t, a, b, testnet.TCP{V6: v6, Request: 50 << 20})
			crossed := b.Settle().Minus(before)
			for i := range ours {
				got, want := ours[i].Records(), theirs[i].Records()
				for _, k := range []flow.Key{there, back} {
					if g, w := livetest.Sum(got, k), livetest.Sum(want, k); g != w || g.IsZero() {
						t.Errorf("end %d: %v > %v: counted %+v, tc %+v", i, k.Src, k.Dst, g, w)
					}
				}
			}
			if n := crossed.RxBytes / crossed.RxPackets; n <= 1<<16 {
				t.Logf("a frame has %d bytes on average: not all are above 64 KiB", n)
			}
		})
	}
}

// TestTunnel sends super-frames through VXLAN: each segment also repeats the headers inside of
// the tunnel. The flow is the tunnel's.
func TestTunnel(t *testing.T) {
	testenv.Privileged(t)
	r := newRoute(t)
	va, vd := addVXLAN(t, r.a, r.d, 1), addVXLAN(t, r.d, r.a, 2)
	whole, segments := livetest.Open(t, "afpacket", nil, r.b), livetest.Open(t, "afpacket", nil, r.d)
	before := r.b.Settle()
	testnet.SendTCP(t, va, vd, testnet.TCP{Request: 20 << 20})
	before = r.b.Settle().Minus(before)
	r.d.Settle()
	b, d := whole.Records(), segments.Records()
	compared, packets := 0, uint64(0)
	for i := range d {
		k := d[i].Key.Key()
		if k.Proto == flow.TCP {
			t.Errorf("a flow from inside of the tunnel: %+v", k)
		}
		if d[i].Packets < 100 {
			continue // the hosts' own
		}
		compared++
		w, s := livetest.Sum(b, k), livetest.Sum(d, k)
		packets += w.Packets
		if w != s {
			t.Errorf("%v > %v: counted %+v, in segments %+v", k.Src, k.Dst, w, s)
		}
	}
	if compared < 2 || packets < 2*before.RxPackets {
		t.Errorf("%d flows with %d packets in %d frames were compared", compared, packets, before.RxPackets)
	}
}

// addVXLAN adds an interface with the address 10.8.0.host.
func addVXLAN(t *testing.T, on, remote *testnet.Iface, host byte) *testnet.Iface {
	t.Helper()
	vxlan := &netlink.Vxlan{
		LinkAttrs: netlink.LinkAttrs{Name: "vxlan", MTU: 1450},
		VxlanId:   7, Port: 4789, Learning: false,
		Group: remote.IPv4.AsSlice(), SrcAddr: on.IPv4.AsSlice(), VtepDevIndex: on.Index,
	}
	nl := on.Netlink()
	if err := nl.LinkAdd(vxlan); err != nil {
		testenv.Missing(t, fmt.Sprintf("no vxlan interface: %v", err))
	}
	v := &testnet.Iface{Host: on.Host, Name: "vxlan", Index: vxlan.Index, IPv4: netip.AddrFrom4([4]byte{10, 8, 0, host})}
	addr := &netlink.Addr{IPNet: &net.IPNet{IP: v.IPv4.AsSlice(), Mask: net.CIDRMask(24, 32)}}
	if err := errors.Join(nl.AddrAdd(vxlan, addr), nl.LinkSetUp(vxlan)); err != nil {
		t.Fatal(err)
	}
	return v
}
