package process

import (
	"fmt"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// devices are the interfaces of a network namespace, by index.
type devices map[uint32]*netlink.LinkAttrs

// listDevices lists the interfaces of the namespace in which n was created.
func (n *namespaces) listDevices() (_ devices, err error) {
	h, err := netlink.NewHandleAt(netns.NsHandle(n.ownFD.Fd()), unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("network namespace %d: netlink socket: %w", n.own, err)
	}
	defer h.Close()
	links, err := h.LinkList()
	if err != nil {
		return nil, fmt.Errorf("network namespace %d: list the interfaces: %w", n.own, err)
	}
	d := make(devices, len(links))
	for _, l := range links {
		a := l.Attrs()
		if l.Type() == "veth" {
			a.ParentIndex = 0 // a veth's parent index is its peer, which is not below it
		}
		d[uint32(a.Index)] = a
	}
	return d, nil
}

// above reports whether one interface is on top of another one. Packets of the upper interface pass
// the lower one, too.
func (d devices) above(upper, lower uint32) bool {
	seen := map[uint32]bool{}
	var search func(i uint32) bool
	search = func(i uint32) bool {
		a := d[i]
		if i == upper {
			return true
		}
		if a == nil || seen[i] {
			return false
		}
		seen[i] = true
		if a.MasterIndex != 0 && search(uint32(a.MasterIndex)) {
			return true
		}
		for j, b := range d {
			if b.ParentIndex == int(i) && b.NetNsID < 0 && search(j) {
				return true
			}
		}
		return false
	}
	return search(lower)
}
