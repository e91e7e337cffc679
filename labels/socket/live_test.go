package socket

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"strconv"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	_ "github.com/pktstat/pktstat/backends/kprobe"
	_ "github.com/pktstat/pktstat/backends/tc"
	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/test/livetest"
	"github.com/pktstat/pktstat/internal/test/testenv"
	"github.com/pktstat/pktstat/internal/test/testnet"
	"github.com/pktstat/pktstat/registry"
)

// alive are the values of a socket that is open, at this moment.
func alive(tb testing.TB, c net.Conn) func() map[string]string {
	return func() map[string]string { return valuesOf(testnet.TCPInfo(tb, c)) }
}

// backend is how a test counts.
type backend struct {
	name string
	caps registry.Caps
	open func(*testing.T, *testnet.Host) *livetest.Source
}

var backends = []backend{
	{"tc", registry.CapLive | registry.CapInterfaces, func(t *testing.T, h *testnet.Host) *livetest.Source {
		return livetest.Open(t, "tc", nil, loopback(t, h))
	}},
	{"kprobe", registry.CapLive | registry.CapProcess, func(t *testing.T, h *testnet.Host) *livetest.Source {
		return livetest.Open(t, "kprobe", nil, loopback(t, h))
	}},
}

func loopback(tb testing.TB, h *testnet.Host) *testnet.Iface {
	tb.Helper()
	link, err := h.Netlink().LinkByName("lo")
	if err != nil {
		tb.Fatal(err)
	}
	return &testnet.Iface{Host: h, Name: "lo", Index: link.Attrs().Index}
}

// rowOf returns the row of the packets that one end sends, as the backend counts them.
func rowOf(tb testing.TB, records []flow.Record, want flow.Key, netns uint32) flow.Row {
	tb.Helper()
	for i := range records {
		k := records[i].Key.Key()
		if k.Src == want.Src && k.Dst == want.Dst && k.Proto == flow.TCP && (k.NetNS == 0 || k.NetNS == netns) {
			p := flow.NewRow(&records[i])
			row := p.Readable()
			row.Dir = flow.Egress // lo shows tc each packet once, as incoming
			return row
		}
	}
	tb.Fatalf("no row of %v", want)
	return flow.Row{}
}

// TestSockets: at tc and at kprobe, rows have what the socket itself says, in IPv4, IPv6 and IPv4 over
// a socket of AF_INET6. A connection that ends before the refresh has its last values.
func TestSockets(t *testing.T) {
	testenv.Privileged(t)
	for _, b := range backends {
		t.Run(b.name, func(t *testing.T) {
			h := testnet.NewHost(t)
			netns := inodeIn(t, h)
			src := b.open(t, h)
			inside := h
			if !b.caps.Has(registry.CapInterfaces) {
				inside = nil // it sees all namespaces
			}
			o := open(t, inside, b.caps)
			for _, tt := range []struct {
				name    string
				connect func(testing.TB, *testnet.Host) connection
			}{{"IPv4", connectIPv4}, {"IPv6", connectIPv6}, {"mapped", connectMapped}} {
				t.Run(tt.name, func(t *testing.T) {
					c, short := tt.connect(t, h), tt.connect(t, h)
					time.Sleep(100 * time.Millisecond) // the life of the socket
					short.close()
					var records []flow.Record
					src.Collect(func(rs []flow.Record) { records = append(records, rs...) })
					for _, from := range []net.Conn{c.client, c.server} {
						o.wait(rowOf(t, records, key(from), netns), alive(t, from))
					}
					row := rowOf(t, records, short.sent, netns)
					o.wait(row, func() map[string]string {
						got := o.row(row)
						if cwnd, _ := strconv.Atoi(got["cwnd"]); got["srtt"] == "" || got["min_rtt"] == "" || cwnd < 10 { // RFC 6928
							return map[string]string{"socket_state": "closed"}
						}
						got["in_flight"], got["socket_state"] = "0", "closed"
						return got
					})
				})
			}
		})
	}
}

func connectIPv4(tb testing.TB, h *testnet.Host) connection {
	return connect(tb, h, net.Dialer{}, "tcp4", "127.0.0.1")
}

func connectIPv6(tb testing.TB, h *testnet.Host) connection {
	return connect(tb, h, net.Dialer{}, "tcp6", "::1")
}

// connectMapped connects two sockets of AF_INET6 over IPv4. Package net has no such client.
func connectMapped(tb testing.TB, h *testnet.Host) (c connection) {
	tb.Helper()
	err := h.Do(func() error {
		l, err := net.Listen("tcp", "[::]:0")
		if err != nil {
			return err
		}
		defer func() { _ = l.Close() }()
		fd, err := unix.Socket(unix.AF_INET6, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		file := os.NewFile(uintptr(fd), "socket")
		defer func() { _ = file.Close() }()
		to := &unix.SockaddrInet6{Port: l.Addr().(*net.TCPAddr).Port, Addr: netip.MustParseAddr("::ffff:127.0.0.1").As16()}
		if err := unix.Connect(fd, to); err != nil {
			return err
		}
		if c.client, err = net.FileConn(file); err != nil {
			return err
		}
		c.server, err = l.Accept()
		return err
	})
	if err != nil {
		tb.Fatal(err)
	}
	c.begin(tb)
	return c
}

func inodeIn(tb testing.TB, h *testnet.Host) (inode uint32) {
	tb.Helper()
	err := h.Do(func() (err error) {
		inode, err = inodeOf(thisThread)
		return err
	})
	if err != nil {
		tb.Fatal(err)
	}
	return inode
}

// TestInFlight: a socket whose segments are not acknowledged has them in flight.
func TestInFlight(t *testing.T) {
	testenv.Privileged(t)
	h := testnet.NewHost(t)
	c := connectIPv4(t, h)
	o := open(t, h, registry.CapLive|registry.CapInterfaces)
	lo, err := h.Netlink().LinkByName("lo")
	if err == nil {
		err = h.Netlink().LinkSetDown(lo)
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.client.Write(make([]byte, 100)); err != nil {
		t.Fatal(err)
	}
	row := flow.Row{Key: key(c.client)}
	o.wait(row, func() map[string]string {
		want := valuesOf(testnet.TCPInfo(t, c.client))
		if want["in_flight"] == "0" {
			return map[string]string{"in_flight": "not 0"}
		}
		return want
	})
}

// TestNoWrongValue: what is no socket of a row gives it no value.
func TestNoWrongValue(t *testing.T) {
	testenv.Privileged(t)
	h, other := testnet.NewHost(t), testnet.NewHost(t)
	o := open(t, h, registry.CapLive|registry.CapInterfaces)
	c := connectIPv4(t, h)
	var listener net.Listener
	if err := h.Do(func() (err error) { listener, err = net.Listen("tcp4", "127.0.0.1:0"); return err }); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	client := key(c.client)
	toListener := flow.Key{Proto: flow.TCP, Src: testnet.Unmapped(listener.Addr()), Dst: client.Src}
	elsewhere, udp, fragment, incoming := client, client, client, client
	elsewhere.NetNS = inodeIn(t, other)
	udp.Proto = flow.UDP
	fragment.Src = netip.AddrPortFrom(client.Src.Addr(), 0)
	remote := netip.MustParseAddrPort("192.0.2.1:80")
	incoming.Src, incoming.Dir = remote, flow.Ingress
	for name, k := range map[string]flow.Key{
		"a listening socket": toListener, "another namespace": elsewhere, "another protocol": udp, "a fragment": fragment, "translated": incoming,
	} {
		if got := o.row(flow.Row{Key: k}); len(got) != 0 {
			t.Errorf("%s: %v", name, got)
		}
	}
	both := flow.Row{Key: flow.Key{Proto: flow.TCP, Src: client.Dst, Dst: client.Src}}
	o.wait(both, alive(t, c.server)) // the first end's socket goes first
	both.EndsBy = flow.EndsDirection
	o.wait(both, alive(t, c.server))
}

// TestDevice: a socket that is bound to a device has packets only there.
func TestDevice(t *testing.T) {
	testenv.Privileged(t)
	h := testnet.NewHost(t)
	lo := loopback(t, h)
	bound := net.Dialer{Control: func(_, _ string, raw syscall.RawConn) (err error) {
		ctlErr := raw.Control(func(fd uintptr) { err = unix.BindToDevice(int(fd), "lo") })
		if ctlErr != nil {
			return ctlErr
		}
		return err
	}}
	o := open(t, h, registry.CapLive|registry.CapInterfaces)
	c := connect(t, h, bound, "tcp4", "127.0.0.1")
	for _, listed := range []bool{false, true} {
		row := flow.Row{Key: c.sent}
		row.Dir = flow.Egress // the other end is bound to no device
		if listed {
			o.list()
		}
		row.Ifindex = uint32(lo.Index)
		o.wait(row, alive(t, c.client))
		row.Ifindex++
		if got := o.row(row); len(got) != 0 {
			t.Errorf("on another device, listed %v: %v", listed, got)
		}
	}
}

// TestStalePath: a namespace's values are its own, although its file stands for another namespace
// by now.
func TestStalePath(t *testing.T) {
	testenv.Privileged(t)
	h, other := testnet.NewHost(t), testnet.NewHost(t)
	c := connectIPv4(t, h)
	o := open(t, nil, registry.CapLive)
	inode := inodeIn(t, h)
	spaces := o.Labeler.(*labeler).spaces
	row := flow.Row{Key: c.sent}
	row.NetNS = inode
	o.wait(row, alive(t, c.client))
	spaces.other[inode].path = "/run/netns/" + other.NetNS()
	if err := spaces.other[inode].dial(); !errors.Is(err, errGone) {
		t.Errorf("the file of another namespace: %v", err)
	}
	o.wait(row, alive(t, c.client))
	if got := spaces.other[inode].path; got != "/run/netns/"+h.NetNS() {
		t.Errorf("the namespace's file is %s", got)
	}
	if spaces.other[inode].conn != nil {
		t.Error("the namespace is still open: it would outlive its last process")
	}
}
