package tc

import (
	"errors"
	"fmt"

	"github.com/vishvananda/netlink"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/registry"
)

// port is an interface to count on.
type port struct {
	flow.Interface
	wanted string // the name that was asked for
	raw    bool   // there is no link header
	dirs   []flow.Direction

	detach []func() error // in the order of attaching
	gone   bool           // the interface has vanished
}

// newPort finds out what kind of interface it is.
func newPort(iface flow.Interface) (*port, error) {
	link, err := netlink.LinkByIndex(int(iface.Index))
	if err != nil {
		return nil, fmt.Errorf("interface %s: %w", iface.Name, err)
	}
	p := &port{Interface: iface, wanted: iface.Name, dirs: []flow.Direction{flow.Ingress, flow.Egress}}
	// The hardware type of include/uapi/linux/if_arp.h, as netlink names it.
	switch kind := link.Attrs().EncapType; kind {
	case "ether":
	case "loopback": // every packet passes egress and then ingress
		p.dirs = p.dirs[:1]
	case "none", "ppp", "ipip", "tunnel6", "sit", "gre",
		"unknown519", // ARPHRD_RAWIP
		"unknown823": // ARPHRD_IP6GRE
		p.raw = true
	default:
		return nil, fmt.Errorf("%w: interface %s: link type %s", registry.ErrUnsupported, iface.Name, kind)
	}
	return p, nil
}

// release detaches what is attached, the last first.
func (p *port) release() error {
	var errs []error
	for i := len(p.detach) - 1; i >= 0; i-- {
		errs = append(errs, p.detach[i]())
	}
	p.detach = nil
	return errors.Join(errs...)
}
