package tc

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/test/livetest"
	"github.com/pktstat/pktstat/internal/test/testenv"
	"github.com/pktstat/pktstat/internal/test/testnet"
	"github.com/pktstat/pktstat/registry"
)

// TestRetransmits: the rows of sent packets have the retransmits of TCP_INFO, for both families, on
// each interface that the packets pass. No other row has any.
func TestRetransmits(t *testing.T) {
	testenv.Privileged(t)
	for _, c := range []struct {
		name string
		// ends returns both ends, and a lossy interface on the way to each of them.
		ends func(t *testing.T) (a, b *testnet.Iface, lossy []*testnet.Iface)
		dir  flow.Direction // in which sent packets count
		vlan uint16         // of frames at lossy
	}{
		{"link", func(t *testing.T) (a, b *testnet.Iface, lossy []*testnet.Iface) {
			a, b = testnet.Pair(t, testnet.Link{Offloads: true})
			return a, b, []*testnet.Iface{a, b}
		}, flow.Egress, 0},
		{"bridge", func(t *testing.T) (a, b *testnet.Iface, lossy []*testnet.Iface) {
			port, b := testnet.Pair(t, testnet.Link{Offloads: true, Chatty: true})
			return upper(t, port, &netlink.Bridge{}), b, []*testnet.Iface{port, b}
		}, flow.Egress, 0},
		{"vlan", func(t *testing.T) (a, b *testnet.Iface, lossy []*testnet.Iface) {
			below, peer := testnet.Pair(t, testnet.Link{Offloads: true, Chatty: true})
			return upper(t, below, &netlink.Vlan{VlanId: 7}), upper(t, peer, &netlink.Vlan{VlanId: 7}), []*testnet.Iface{below, peer}
		}, flow.Egress, 7},
		{"lo", func(t *testing.T) (a, b *testnet.Iface, lossy []*testnet.Iface) {
			lo := &testnet.Iface{
				Host: testnet.NewHost(t), Name: "lo", Index: 1,
				IPv4: netip.MustParseAddr("127.0.0.1"), IPv6: netip.IPv6Loopback(),
			}
			return lo, lo, []*testnet.Iface{lo}
		}, flow.Ingress, 0},
	} {
		for _, method := range methods {
			t.Run(c.name+"/"+method, func(t *testing.T) {
				needsMethod(t, method)
				a, b, lossy := c.ends(t)
				for _, i := range lossy {
					livetest.Lossy(t, i, 8)
				}
				at := map[*testnet.Host][]*testnet.Iface{}
				for _, i := range append([]*testnet.Iface{a, b}, lossy...) {
					if !slices.Contains(at[i.Host], i) {
						at[i.Host] = append(at[i.Host], i)
					}
				}
				var sources []*livetest.Source
				for _, on := range at {
					sources = append(sources, livetest.Open(t, "tc", args(method), on...))
				}
				r := livetest.Retransmits{
					A: a, B: b,
					Collect: func(f func([]flow.Record)) {
						for _, s := range sources {
							s.Collect(f)
						}
					},
					Places: func(end *testnet.Iface) (places []flow.Key) {
						for _, i := range at[end.Host] {
							place := flow.Key{Ifindex: uint32(i.Index), Dir: c.dir}
							if slices.Contains(lossy, i) {
								place.VLAN = c.vlan
							}
							places = append(places, place)
						}
						return places
					},
					Notes: func() (notes []string) {
						for _, s := range sources {
							notes = append(notes, s.Attachment().Notes...)
						}
						return notes
					},
				}
				r.Check(t)
			})
		}
	}
}

// TestRetransmitsCapabilities: the capabilities that tc needs are enough for retransmits.
func TestRetransmitsCapabilities(t *testing.T) {
	testenv.Privileged(t)
	lo := &testnet.Iface{Name: "lo", Index: 1}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := keepOnly(unix.CAP_BPF, unix.CAP_NET_ADMIN, unix.CAP_PERFMON); err != nil {
			t.Error(err)
			return
		}
		s, err := (&config{method: methodAuto}).Open(context.Background(), livetest.Setup(nil, lo).Env)
		if err != nil {
			t.Error(err)
			return
		}
		if notes := s.(registry.Attached).Attachment().Notes; len(notes) != 0 {
			t.Errorf("notes %q", notes)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	<-ended
}

// upper puts a new interface on top of another one, and gives it the addresses.
func upper(t *testing.T, below *testnet.Iface, l netlink.Link) *testnet.Iface {
	t.Helper()
	nl, name := below.Netlink(), "upper"
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	l.Attrs().Name = name
	if l.Type() == "vlan" {
		l.Attrs().ParentIndex = below.Index
	}
	testenv.Feature(t, l.Type(), "5.10", func() error { return nl.LinkAdd(l) })
	top, err := nl.LinkByName(name)
	must(err)
	link, err := nl.LinkByName(below.Name)
	must(err)
	if l.Type() == "bridge" {
		must(nl.LinkSetMaster(link, top))
	}
	must(nl.LinkSetUp(top))
	for ip, bits := range map[netip.Addr]int{below.IPv4: 24, below.IPv6: 64} {
		a := &netlink.Addr{IPNet: &net.IPNet{IP: ip.AsSlice(), Mask: net.CIDRMask(bits, ip.BitLen())}}
		must(nl.AddrDel(link, a))
		if ip.Is6() {
			a.Flags = unix.IFA_F_NODAD // usable at once
		}
		must(nl.AddrAdd(top, a))
	}
	return &testnet.Iface{Host: below.Host, Name: name, Index: top.Attrs().Index, IPv4: below.IPv4, IPv6: below.IPv6}
}
