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
	Raw      bool // packets have no link header
	Loopback bool
	VRF      bool // packet sockets see incoming packets as outgoing ones too
	Queued   bool // a VRF with a qdisc, which outgoing packets pass

	notes      []string         // about the kind of the interface
	directions []flow.Direction // that can be compared with the interface's own counters
	kind       string           // as `ip -d link` has it

	wanted   string   // name given by the user; "" if "any" or a pattern matched
	attached Attached // current or last attachment
	kept     []*held.Thing
	below    []uint32 // ports that it is stacked on, now or last
	gone     bool     // the interface has vanished
}

// newPort finds out the kind of an interface. It returns an error if its packets do not pass the
// hook at the given point.
func newPort(at registry.Point, iface flow.Interface, wanted string, follow registry.Follow) (*Port, error) {
	link, err := netlink.LinkByIndex(int(iface.Index))
	if err != nil {
		return nil, fmt.Errorf("interface %s: %w", iface.Name, err)
	}
	p := &Port{
		Interface: iface, VRF: device.IsVRF(link), wanted: wanted,
		directions: compared(at, link), kind: link.Type(),
	}
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
	// The hardware type in include/uapi/linux/if_arp.h, with netlink's names.
	switch kind := link.Attrs().EncapType; kind {
	case "ether":
	case "loopback":
		p.Loopback = true
	case "none", "ppp", "ipip", "tunnel6", "sit", "gre",
		"unknown519", // ARPHRD_RAWIP
		"unknown823": // ARPHRD_IP6GRE
		p.Raw = true
	case "ieee802.11", "ieee802.11/prism", "ieee802.11/radiotap":
		return nil, fmt.Errorf("%w: interface %s: link type %s: in monitor mode it has raw 802.11 frames: use managed mode, or read a capture",
			registry.ErrUnsupported, iface.Name, kind)
	default:
		return nil, fmt.Errorf("%w: interface %s: link type %s: it carries neither Ethernet nor plain IP", registry.ErrUnsupported, iface.Name, strings.TrimPrefix(kind, "unknown"))
	}
	return p, nil
}

// isGone reports whether the interface has vanished.
func (p *Port) isGone() bool {
	_, err := netlink.LinkByIndex(int(p.Index))
	return hasGone(err)
}

// hasQdisc reports whether an interface without a default qdisc got one.
func hasQdisc(l netlink.Link) (bool, error) {
	all, err := netlink.QdiscList(l)
	if err != nil && !errors.Is(err, netlink.ErrDumpInterrupted) {
		return false, fmt.Errorf("list qdiscs: %w", err)
	}
	return slices.ContainsFunc(all, func(q netlink.Qdisc) bool {
		return q.Attrs().Parent == netlink.HANDLE_ROOT && q.Type() != "noqueue"
	}), nil
}

// detach detaches the port. It may be called twice.
func (p *Port) detach() error {
	detach := p.attached.Detach
	p.attached.Detach = nil
	if detach == nil {
		return nil
	}
	return detach()
}
