// Package device lists the kinds of network interfaces with exceptions: their packets bypass
// hooks, or are packets of other interfaces.
package device

import (
	"slices"

	"github.com/vishvananda/netlink"

	"github.com/pktstat/pktstat/registry"
)

// Sight is the part of an interface's traffic that passes a hook.
type Sight uint8

// Sights, the best first.
const (
	All    Sight = iota
	OneWay       // egress only
	Inside       // traffic that stays on the interface; the rest passes its members
	None         // no readable packet
)

// String describes the sight.
func (s Sight) String() string {
	return [...]string{"all", "egress only", "only traffic that stays on it", "no"}[s]
}

// Upper is the stacking of an interface, if the kernel does not report it.
type Upper uint8

// Kinds of stacking that the kernel does not report.
const (
	AsTold   Upper = iota // none: the kernel reports everything
	OnOthers              // its packets belong to other, unknown interfaces
	OnSwitch              // its packets belong to the ports of an Open vSwitch datapath
)

// Kind is a kind of interface with exceptions.
type Kind struct {
	Name string // "VRF", for people
	// Sees maps a hook to what it sees, if that is not [All]. Lacks describes what the hook
	// misses; POINT in the text stands for the hook's name. Because is the reason, for the
	// documents.
	Sees           map[registry.Point]Sight
	Lacks, Because string
	Upper          Upper

	is func(netlink.Link) bool
}

// Kinds are all kinds of interfaces with exceptions.
var Kinds = []Kind{
	{
		// vrf_ip_rcv() and vrf_finish_direct() in drivers/net/vrf.c.
		Name: "VRF", is: IsVRF,
		Sees:    map[registry.Point]Sight{registry.PointTC: Inside, registry.PointXDP: Inside},
		Lacks:   "the traffic of a VRF does not pass POINT",
		Because: "the kernel passes packets of a VRF to packet sockets only; its members see them too",
	},
	{
		// ipvlan_nf_input() in drivers/net/ipvlan/ipvlan_l3s.c.
		Name: "ipvlan in mode l3s", is: isL3S,
		Sees:    map[registry.Point]Sight{registry.PointTC: OneWay, registry.PointXDP: None, registry.PointTap: OneWay},
		Lacks:   "incoming packets of an ipvlan interface in mode l3s do not pass POINT",
		Because: "incoming packets reach the interface in netfilter, after every hook; the interface below sees them",
	},
	{
		// skb_mac_header_rebuild() in include/linux/skbuff.h.
		Name: "xfrm, vti", is: ofType("xfrm", "vti", "vti6"),
		Sees:    map[registry.Point]Sight{registry.PointXDP: None},
		Lacks:   "packets of an xfrm or vti interface have a foreign Ethernet header at POINT",
		Because: "a decrypted packet still has the Ethernet header of the encrypted one, and XDP cannot recognize it",
	},
	{Name: "ifb", is: ofType("ifb"), Upper: OnOthers},
	{Name: "Open vSwitch", is: ofType("openvswitch"), Upper: OnSwitch},
}

// Of returns the kind of an interface, the zero Kind if it has no exceptions.
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

// ofType matches the type in `ip -d link` (IFLA_INFO_KIND).
func ofType(types ...string) func(netlink.Link) bool {
	return func(l netlink.Link) bool { return slices.Contains(types, l.Type()) }
}

func isL3S(l netlink.Link) bool {
	i, ok := l.(*netlink.IPVlan)
	return ok && i.Mode == netlink.IPVLAN_MODE_L3S
}
