package attach

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/vishvananda/netlink"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/kernel/held"
	"github.com/pktstat/pktstat/internal/netif/device"
	"github.com/pktstat/pktstat/registry"
)

// Port is an interface to count on.
type Port struct {
	flow.Interface
	Raw      bool // there is no link header
	Loopback bool
	VRF      bool // packet sockets get what comes in as outgoing, too
	Queued   bool // a VRF with a qdisc of its own, through which passes what leaves it

	notes []string // on what kind of interface it is

	wanted   string   // the name that was asked for; "" if any or a pattern means it
	attached Attached // as it is, or was last
	kept     []*held.Thing
	below    []uint32 // the ports that it is stacked on, as it is, or was last
	gone     bool     // nothing is counted on it any more
}

// newPort finds out what kind of interface it is, and refuses it if its packets do not
// pass the point.
func newPort(at registry.Point, iface flow.Interface, wanted string, follow registry.Follow) (*Port, error) {
	link, err := netlink.LinkByIndex(int(iface.Index))
	if err != nil {
		return nil, fmt.Errorf("interface %s: %w", iface.Name, err)
	}
	p := &Port{Interface: iface, VRF: device.IsVRF(link), wanted: wanted}
	note, err := device.Look(at, link, follow)
	if err != nil {
		return nil, err
	}
	if note != "" {
		p.notes = append(p.notes, note)
	}
	if p.VRF {
		if p.Queued, err = hasQdisc(link); err != nil {
			return nil, fmt.Errorf("interface %s: %w", iface.Name, err)
		}
	}
	// The hardware type of include/uapi/linux/if_arp.h, as netlink names it.
	switch kind := link.Attrs().EncapType; kind {
	case "ether":
	case "loopback":
		p.Loopback = true
	case "none", "ppp", "ipip", "tunnel6", "sit", "gre",
		"unknown519", // ARPHRD_RAWIP
		"unknown823": // ARPHRD_IP6GRE
		p.Raw = true
	case "ieee802.11", "ieee802.11/prism", "ieee802.11/radiotap":
		return nil, fmt.Errorf("%w: interface %s: link type %s: it is in monitor mode and shows raw wireless frames: count on it in managed mode, or read a capture",
			registry.ErrUnsupported, iface.Name, kind)
	default:
		return nil, fmt.Errorf("%w: interface %s: link type %s: there is neither Ethernet nor plain IP on it", registry.ErrUnsupported, iface.Name, strings.TrimPrefix(kind, "unknown"))
	}
	return p, nil
}

// isGone reports whether there is no such interface any more.
func (p *Port) isGone() bool {
	_, err := netlink.LinkByIndex(int(p.Index))
	return hasGone(err)
}

// hasQdisc reports whether an interface that has none by itself was given one.
func hasQdisc(l netlink.Link) (bool, error) {
	all, err := netlink.QdiscList(l)
	if err != nil && !errors.Is(err, netlink.ErrDumpInterrupted) {
		return false, fmt.Errorf("list qdiscs: %w", err)
	}
	return slices.ContainsFunc(all, func(q netlink.Qdisc) bool {
		return q.Attrs().Parent == netlink.HANDLE_ROOT && q.Type() != "noqueue"
	}), nil
}

// detach may be called twice.
func (p *Port) detach() error {
	detach := p.attached.Detach
	p.attached.Detach = nil
	if detach == nil {
		return nil
	}
	return detach()
}
