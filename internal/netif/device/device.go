// Package device knows the kinds of network interfaces that are not as others are: their
// packets do not pass every point of the kernel, or are all packets of other interfaces.
package device

import (
	"slices"

	"github.com/vishvananda/netlink"

	"github.com/pktstat/pktstat/registry"
)

// Sight is how much of an interface's traffic passes a point of the kernel.
type Sight uint8

// Sights, best first.
const (
	All    Sight = iota
	OneWay       // one direction
	Inside       // what no member carries
	None         // nothing, or nothing that can be read
)

// String returns the sight in words.
func (s Sight) String() string {
	return [...]string{"all", "egress only", "only what stays inside of it", "no"}[s]
}

// Upper is on which interfaces an interface is stacked, where the kernel does not report it.
type Upper uint8

// Stacks that the kernel does not report.
const (
	AsTold   Upper = iota // none
	OnOthers              // all of its packets are of others: it is not known of which
	OnSwitch              // on the ports of an Open vSwitch datapath
)

// Kind is a kind of interfaces.
type Kind struct {
	Name string // "VRF", for people
	// Sees has the points that do not see [All] of it. Lacks says what these lack: in its
	// text, POINT stands for the name of one. Because says why, for the documents.
	Sees           map[registry.Point]Sight
	Lacks, Because string
	Upper          Upper

	is func(netlink.Link) bool
}

// Kinds are all kinds that are not as others are.
var Kinds = []Kind{
	{
		// vrf_ip_rcv() and vrf_finish_direct() of drivers/net/vrf.c.
		Name: "VRF", is: IsVRF,
		Sees:    map[registry.Point]Sight{registry.PointTC: Inside, registry.PointXDP: Inside},
		Lacks:   "the traffic of a VRF does not pass POINT",
		Because: "the kernel hands packets of a VRF to packet sockets only; its members show them, too",
	},
	{
		// ipvlan_nf_input() of drivers/net/ipvlan/ipvlan_l3s.c.
		Name: "ipvlan in mode l3s", is: isL3S,
		Sees:    map[registry.Point]Sight{registry.PointTC: OneWay, registry.PointXDP: None, registry.PointTap: OneWay},
		Lacks:   "what comes in on an ipvlan interface in mode l3s does not pass POINT",
		Because: "what comes in gets to it in netfilter, behind all of them; the interface below shows it",
	},
	{
		// skb_mac_header_rebuild() of include/linux/skbuff.h.
		Name: "xfrm, vti", is: ofType("xfrm", "vti", "vti6"),
		Sees:    map[registry.Point]Sight{registry.PointXDP: None},
		Lacks:   "packets of an xfrm or vti interface pass POINT behind a header that is not theirs",
		Because: "a decrypted packet has the Ethernet header of the encrypted one, which XDP cannot tell from a packet",
	},
	{Name: "ifb", is: ofType("ifb"), Upper: OnOthers},
	{Name: "Open vSwitch", is: ofType("openvswitch"), Upper: OnSwitch},
}

// Of returns the kind of an interface: the zero Kind if it is as others are.
func Of(l netlink.Link) Kind {
	for _, k := range Kinds {
		if k.is(l) {
			return k
		}
	}
	return Kind{}
}

// IsVRF reports whether an interface is a VRF (l3mdev).
func IsVRF(l netlink.Link) bool { return l.Type() == "vrf" }

// ofType recognises what `ip -d link` shows as the type (IFLA_INFO_KIND).
func ofType(types ...string) func(netlink.Link) bool {
	return func(l netlink.Link) bool { return slices.Contains(types, l.Type()) }
}

func isL3S(l netlink.Link) bool {
	i, ok := l.(*netlink.IPVlan)
	return ok && i.Mode == netlink.IPVLAN_MODE_L3S
}
