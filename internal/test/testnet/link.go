package testnet

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Link describes a veth pair. The zero value is an Ethernet link with an MTU of 1500, and carries
// only what the test sends.
type Link struct {
	// MTU of both ends; 0: 1500.
	MTU int

	// Offloads leaves segmentation, checksum and receive offloads on, which is the default of veth.
	// Then interface counters count super-frames. Without offloads, the link carries packets as on
	// a wire.
	Offloads bool

	// Chatty enables ARP, neighbour and multicast listener discovery, and link-local addresses.
	// Without it, neighbours are static. IPv6 addresses are then on lo, where the kernel joins no
	// group for them.
	Chatty bool

	// Queues of each end; 0: 1.
	Queues int
}

// Iface is a host's end of a link.
type Iface struct {
	*Host

	Name       string
	Index      int
	MAC        net.HardwareAddr
	MTU        int
	IPv4, IPv6 netip.Addr

	link netlink.Link
}

// Pair returns the two ends of a link between two new hosts.
func Pair(tb testing.TB, l Link) (a, b *Iface) {
	tb.Helper()
	return Connect(tb, NewHost(tb), NewHost(tb), l)
}

// Connect joins two hosts by a new link. When it returns, both ends are up, have addresses and
// reach each other.
func Connect(tb testing.TB, a, b *Host, l Link) (ia, ib *Iface) {
	tb.Helper()
	if l.MTU == 0 {
		l.MTU = 1500
	}
	a.links++
	if b != a {
		b.links++
	}
	ia = &Iface{Host: a, Name: fmt.Sprintf("veth%da", a.links), MTU: l.MTU}
	ib = &Iface{Host: b, Name: fmt.Sprintf("veth%db", b.links), MTU: l.MTU}
	n := byte(links.Add(1))
	ia.IPv4, ib.IPv4 = netip.AddrFrom4([4]byte{198, 18, n, 1}), netip.AddrFrom4([4]byte{198, 18, n, 2})
	ia.IPv6, ib.IPv6 = addr6(n, 1), addr6(n, 2)
	if err := connect(ia, ib, l); err != nil {
		tb.Fatalf("testnet: link %s and %s: %v", ia, ib, err)
	}
	tb.Cleanup(func() {
		// A socket or process that is left in the namespace would keep the link alive.
		_ = a.nl.LinkDel(ia.link)
	})
	return ia, ib
}

// links numbers the subnets of this process.
var links atomic.Uint32

func addr6(subnet, host byte) netip.Addr {
	return netip.AddrFrom16([16]byte{0: 0xfd, 7: subnet, 15: host})
}

func connect(a, b *Iface, l Link) error {
	veth := netlink.NewVeth(netlink.LinkAttrs{
		Name: a.Name, MTU: l.MTU, Namespace: netlink.NsFd(a.ns),
		NumTxQueues: max(1, l.Queues), NumRxQueues: max(1, l.Queues), TxQLen: 1000,
	})
	veth.PeerName, veth.PeerNamespace, veth.PeerMTU = b.Name, netlink.NsFd(b.ns), uint32(l.MTU)
	veth.PeerNumTxQueues, veth.PeerNumRxQueues = uint32(veth.NumTxQueues), uint32(veth.NumRxQueues)
	if err := a.nl.LinkAdd(veth); err != nil {
		return fmt.Errorf("create: %w", err)
	}
	for _, i := range []*Iface{a, b} {
		if err := i.lookup(); err != nil {
			return err
		}
		if !l.Chatty {
			if err := i.hush(); err != nil {
				return err
			}
		}
		if !l.Offloads {
			if err := i.SetOffloads(false); err != nil {
				return err
			}
		}
		if err := i.nl.LinkSetUp(i.link); err != nil {
			return fmt.Errorf("set %s up: %w", i, err)
		}
	}
	for _, ends := range [][2]*Iface{{a, b}, {b, a}} {
		if err := ends[0].waitUp(); err != nil {
			return err
		}
		address := ends[0].addressQuiet
		if l.Chatty {
			address = ends[0].addressChatty
		}
		if err := address(ends[1]); err != nil {
			return fmt.Errorf("address %s: %w", ends[0], err)
		}
	}
	return nil
}

// String returns the host and the interface.
func (i *Iface) String() string { return i.name + "/" + i.Name }

func (i *Iface) lookup() error {
	link, err := i.nl.LinkByName(i.Name)
	if err != nil {
		return fmt.Errorf("find %s: %w", i, err)
	}
	i.link, i.Index, i.MAC = link, link.Attrs().Index, link.Attrs().HardwareAddr
	return nil
}

// hush stops what the kernel would send by itself. Call it before the interface is set up.
func (i *Iface) hush() error {
	const addrGenModeNone = "1" // IN6_ADDR_GEN_MODE_NONE: no link-local address, so no listener reports
	return i.Do(func() error {
		for name, value := range map[string]string{
			"addr_gen_mode": addrGenModeNone, "accept_ra": "0", "router_solicitations": "0", "accept_dad": "0",
		} {
			path := "/proc/sys/net/ipv6/conf/" + i.Name + "/" + name
			if err := os.WriteFile(path, []byte(value), 0o644); err != nil {
				return fmt.Errorf("%s: %w", i, err)
			}
		}
		return nil
	})
}

// waitUp waits until the interface can send. The kernel activates the first end's queue only some
// time after the other end is up.
func (i *Iface) waitUp() error {
	return i.wait(func() (bool, error) {
		link, err := i.nl.LinkByIndex(i.Index)
		return err == nil && link.Attrs().OperState == netlink.OperUp, err
	}, "carrier")
}

// wait polls until the kernel has done something.
func (i *Iface) wait(done func() (bool, error), what string) error {
	const limit = 10 * time.Second
	for deadline := time.Now().Add(limit); ; time.Sleep(time.Millisecond) {
		ok, err := done()
		if err != nil {
			return fmt.Errorf("%s: wait for %s: %w", i, what, err)
		}
		if ok {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%s: no %s after %s", i, what, limit)
		}
	}
}

// addressQuiet gives i its addresses and static routes to peer.
func (i *Iface) addressQuiet(peer *Iface) error {
	lo, err := i.nl.LinkByName("lo")
	if err != nil {
		return err
	}
	if err := i.addAddr(i.link, i.IPv4, 24); err != nil {
		return err
	}
	if err := i.addAddr(lo, i.IPv6, 128); err != nil {
		return err
	}
	for _, ip := range []netip.Addr{peer.IPv4, peer.IPv6} {
		err := i.nl.NeighAdd(&netlink.Neigh{
			LinkIndex: i.Index, State: netlink.NUD_PERMANENT,
			IP: ip.AsSlice(), HardwareAddr: peer.MAC,
		})
		if err != nil {
			return fmt.Errorf("neighbour %s: %w", ip, err)
		}
	}
	err = i.nl.RouteAdd(&netlink.Route{
		LinkIndex: i.Index, Dst: netlink.NewIPNet(peer.IPv6.AsSlice()), Src: i.IPv6.AsSlice(),
	})
	if err != nil {
		return fmt.Errorf("route to %s: %w", peer.IPv6, err)
	}
	return nil
}

// addressChatty gives i its addresses in subnets of the link.
func (i *Iface) addressChatty(*Iface) error {
	if err := i.addAddr(i.link, i.IPv4, 24); err != nil {
		return err
	}
	return i.addAddr(i.link, i.IPv6, 64)
}

func (i *Iface) addAddr(on netlink.Link, ip netip.Addr, bits int) error {
	addr := &netlink.Addr{IPNet: &net.IPNet{IP: ip.AsSlice(), Mask: net.CIDRMask(bits, ip.BitLen())}}
	if ip.Is6() {
		addr.Flags = unix.IFA_F_NODAD // usable at once
	}
	if err := i.nl.AddrAdd(on, addr); err != nil {
		return fmt.Errorf("add %s: %w", addr.IPNet, err)
	}
	return i.wait(func() (bool, error) { return i.isLocal(ip) }, "route of "+ip.String())
}

// isLocal reports whether the kernel delivers packets to ip. For IPv6, it adds the local route some
// time after the address (addrconf_dad_work).
func (i *Iface) isLocal(ip netip.Addr) (bool, error) {
	family := netlink.FAMILY_V4
	if ip.Is6() {
		family = netlink.FAMILY_V6
	}
	routes, err := i.nl.RouteListFiltered(family, &netlink.Route{
		Table: unix.RT_TABLE_LOCAL, Type: unix.RTN_LOCAL, Dst: netlink.NewIPNet(ip.AsSlice()),
	}, netlink.RT_FILTER_TABLE|netlink.RT_FILTER_TYPE|netlink.RT_FILTER_DST)
	return len(routes) > 0, err
}
