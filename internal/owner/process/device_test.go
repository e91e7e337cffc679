package process_test

import (
	"fmt"
	"net"
	"net/netip"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/owner/process"
	"github.com/pktstat/pktstat/internal/test/testenv"
	"github.com/pktstat/pktstat/internal/test/testnet"
)

// TestDevices: two processes use the same port, each bound to its own interface. The length of a
// datagram identifies its process.
func TestDevices(t *testing.T) {
	onEvery(t, func(t *testing.T, backend string) {
		t.Run("device", func(t *testing.T) {
			twoDevices(t, backend, false, func(on, peer *testnet.Iface) role {
				return role{Device: on.Name, Local: at(netip.IPv4Unspecified(), udpPort), Remote: at(peer.IPv4, udpPort)}
			})
		})
		for _, connect := range []bool{false, true} {
			t.Run(fmt.Sprintf("link-local,connect=%v", connect), func(t *testing.T) {
				twoDevices(t, backend, true, func(on, peer *testnet.Iface) role {
					return role{Zone: uint32(on.Index), Connect: connect, Local: at(linkLocal(t, on, 0xa), udpPort), Remote: at(linkLocal(t, peer, 0xb), udpPort)}
				})
			})
		}
	})
}

// TestDevicesTCP: two connections have the same addresses and ports, each on its own interface.
func TestDevicesTCP(t *testing.T) {
	onEvery(t, func(t *testing.T, backend string) {
		h := testnet.NewHost(t)
		var on []*testnet.Iface
		var clients []*helper
		for i := range 2 {
			o, peer := testnet.Connect(t, h, testnet.NewHost(t), testnet.Link{Chatty: true})
			on = append(on, o)
			start(t, peer.Host, role{Name: "tcpserver.peer", Local: at(netip.IPv6Unspecified(), tcpPort)})
			clients = append(clients, start(t, h, role{Name: fmt.Sprintf("tcplong.%d", i), Size: 50,
				Local: at(linkLocal(t, o, 0xa).WithZone(o.Name), 46000), Remote: at(linkLocal(t, peer, 0xb).WithZone(o.Name), tcpPort)}))
		}
		w := observeAll(t, backend, on)
		for range 3 {
			for _, p := range clients {
				p.order()
			}
			w.collect()
		}
		seen := map[int]bool{}
		for _, r := range w.records {
			if r.Key.Proto != flow.TCP {
				continue
			}
			i := 0
			if r.Key.Ifindex == uint32(on[1].Index) {
				i = 1
			}
			seen[i] = true
			o := w.owners.Get(r.Key.OwnerID)
			switch {
			case r.Key.Ifindex != 0 && (o.PID != clients[i].pid() || r.Match != flow.MatchExact):
				t.Errorf("%v on %s: %+v %v, want %d exact", r.Key.Dir, on[i], o, r.Match, clients[i].pid())
			case r.Key.Ifindex == 0 && r.Socket == 0 && r.Match != flow.MatchShared:
				t.Errorf("%v of any interface: %+v %v, want shared", r.Key.Dir, o, r.Match)
			}
		}
		if len(seen) == 0 || !w.wide && len(seen) != 2 {
			t.Errorf("traffic was seen in %v only", seen)
		}
	})
}

// linkLocal gives an interface the address fe80::n.
func linkLocal(t *testing.T, on *testnet.Iface, n byte) netip.Addr {
	t.Helper()
	a := netip.AddrFrom16([16]byte{0: 0xfe, 1: 0x80, 15: n})
	link, err := on.Netlink().LinkByName(on.Name)
	if err != nil {
		t.Fatal(err)
	}
	to := &netlink.Addr{IPNet: &net.IPNet{IP: a.AsSlice(), Mask: net.CIDRMask(64, 128)}, Flags: unix.IFA_F_NODAD}
	if err := on.Netlink().AddrAdd(link, to); err != nil {
		t.Fatalf("add %v to %s: %v", a, on, err)
	}
	return a
}

// twoDevices starts a process on each of two interfaces of a host. The first process opens its
// socket before the watch begins.
func twoDevices(t *testing.T, backend string, chatty bool, of func(on, peer *testnet.Iface) role) {
	h := testnet.NewHost(t)
	var on []*testnet.Iface
	var roles []role
	for i := range 2 {
		o, peer := testnet.Connect(t, h, testnet.NewHost(t), testnet.Link{Chatty: chatty})
		on = append(on, o)
		r := of(o, peer)
		r.Name, r.Size = fmt.Sprintf("udpbound.%d", i), 40+10*i
		roles = append(roles, r)
		start(t, peer.Host, role{Name: "udpserver.peer", Local: at(netip.IPv6Unspecified(), udpPort)})
	}
	asked := []*helper{start(t, h, roles[0])}
	w := observeAll(t, backend, on)
	asked = append(asked, start(t, h, roles[1]))
	for range 3 {
		for _, p := range asked {
			p.order()
		}
		w.collect()
	}
	w.expectLengths(asked)
}

// expectLengths fails unless each datagram is attributed to its process. The match must be exact if
// the hook knows the interface or the socket.
func (w *watch) expectLengths(asked []*helper) {
	w.t.Helper()
	seen := map[flow.Direction]bool{}
	for _, r := range w.records {
		k := r.Key.Key()
		if k.Proto != flow.UDP {
			continue
		}
		seen[k.Dir] = true
		over := uint64(headers)
		if k.Src.Addr().Is6() {
			over += 20
		}
		o := w.owners.Get(r.Key.OwnerID)
		if k.Ifindex == 0 && r.Socket == 0 { // neither the interface nor the socket is known
			if r.Match != flow.MatchShared {
				w.t.Errorf("%v %v > %v: %d %v, want shared", k.Dir, k.Src, k.Dst, o.PID, r.Match)
			}
			continue
		}
		var want uint32
		for _, p := range asked {
			if r.Bytes == r.Packets*(over+uint64(p.role.Size)) {
				want = p.pid()
			}
		}
		if o.PID != want || r.Match != flow.MatchExact {
			w.t.Errorf("%v %v > %v, interface %d: %d packets, %d bytes: %d %v, want %d exact", k.Dir, k.Src, k.Dst, k.Ifindex, r.Packets, r.Bytes, o.PID, r.Match, want)
		}
	}
	if !seen[flow.Ingress] || w.egress && !seen[flow.Egress] {
		w.t.Errorf("traffic was seen in %v only, in %d records", seen, len(w.records))
	}
}

// TestStackedDevices: a socket is bound to an interface on top of the counted one.
func TestStackedDevices(t *testing.T) {
	testenv.Privileged(t)
	for _, kind := range []string{"bridge", "vrf"} {
		t.Run(kind, func(t *testing.T) {
			h := testnet.NewHost(t)
			below, peer := testnet.Connect(t, h, testnet.NewHost(t), testnet.Link{Chatty: true})
			other, otherPeer := testnet.Connect(t, h, testnet.NewHost(t), testnet.Link{})
			upper := stacked(t, kind, below)
			to := netip.MustParseAddr("10.79.0.2")
			address(t, peer.Host, peer.Name, to)
			if kind == "bridge" {
				address(t, h, upper, netip.MustParseAddr("10.79.0.1"))
			} else {
				address(t, h, below.Name, netip.MustParseAddr("10.79.0.1"))
			}
			for _, p := range []*testnet.Iface{peer, otherPeer} {
				start(t, p.Host, role{Name: "udpserver.peer", Local: at(netip.IPv6Unspecified(), udpPort)})
			}
			w := observeAll(t, "tc", []*testnet.Iface{below, other})
			any4 := at(netip.IPv4Unspecified(), udpPort)
			asked := []*helper{
				start(t, h, role{Name: "udpbound.upper", Device: upper, Local: any4, Remote: at(to, udpPort), Size: 40}),
				start(t, h, role{Name: "udpbound.other", Device: other.Name, Local: any4, Remote: at(otherPeer.IPv4, udpPort), Size: 50}),
			}
			for range 2 {
				for _, p := range asked {
					p.order()
				}
				w.collect()
			}
			w.expectLengths(asked)
		})
	}
}

// stacked puts an interface of a kind on top of another one.
func stacked(t *testing.T, kind string, below *testnet.Iface) string {
	t.Helper()
	attrs := netlink.LinkAttrs{Name: "upper"}
	upper := netlink.Link(&netlink.Bridge{LinkAttrs: attrs})
	if kind == "vrf" {
		upper = &netlink.Vrf{LinkAttrs: attrs, Table: 10}
	}
	testenv.Feature(t, kind, "4.3", func() error { return below.Netlink().LinkAdd(upper) })
	link, err := below.Netlink().LinkByName(below.Name)
	if err != nil {
		t.Fatal(err)
	}
	if err := below.Netlink().LinkSetUp(upper); err != nil {
		t.Fatal(err)
	}
	if err := below.Netlink().LinkSetMaster(link, upper); err != nil {
		t.Fatalf("put %s into %s: %v", below, kind, err)
	}
	return attrs.Name
}

// TestProcPorts: /proc does not show the interface that a socket is bound to.
func TestProcPorts(t *testing.T) {
	testenv.Privileged(t)
	h := testnet.NewHost(t)
	var on []*testnet.Iface
	var asked []*helper
	for i := range 2 {
		o, peer := testnet.Connect(t, h, testnet.NewHost(t), testnet.Link{})
		on = append(on, o)
		start(t, peer.Host, role{Name: "udpserver.peer", Local: at(netip.IPv6Unspecified(), udpPort)})
		asked = append(asked, start(t, h, role{Name: "udpbound.main", Device: o.Name, Local: at(netip.IPv4Unspecified(), udpPort), Remote: at(peer.IPv4, udpPort), Size: 40 + i}))
	}
	w := observeAll(t, "tc", on, func(o *process.Options) { o.Proc = true })
	for range 2 {
		for _, p := range asked {
			p.order()
		}
		w.collect()
	}
	if len(w.records) == 0 {
		t.Fatal("no traffic was seen")
	}
	for _, r := range w.records {
		if r.Match != flow.MatchShared {
			t.Errorf("%v: %v, want shared", r.Key.Key(), r.Match)
		}
	}
}
