// Package stack finds out which network interfaces are stacked on others. The lower ones see the
// packets of the upper one too.
package stack

import (
	"iter"
	"maps"
	"slices"

	"github.com/vishvananda/netlink"

	"github.com/pktstat/pktstat/internal/netif/device"
)

// Stack holds the interfaces of a network namespace by index. The zero value is empty.
type Stack struct {
	nodes map[uint32]node
	// Changed is set by every change. The caller clears it.
	Changed bool
}

// node is an interface.
type node struct {
	on     uint32 // lower interface of a VLAN, macvlan or tunnel, or peer of a veth; 0: none
	master uint32 // bridge, bond, team or VRF of this port, which is the upper interface
	upper  device.Upper
}

func newNode(l netlink.Link) node {
	a := l.Attrs()
	n := node{master: uint32(a.MasterIndex), upper: device.Of(l).Upper}
	elsewhere := a.NetNsID >= 0 // ParentIndex belongs to another network namespace
	if !elsewhere && a.ParentIndex != a.Index {
		n.on = uint32(a.ParentIndex)
	}
	return n
}

// Set adds or updates an interface.
func (s *Stack) Set(l netlink.Link) { s.set(uint32(l.Attrs().Index), newNode(l)) }

func (s *Stack) set(index uint32, n node) {
	if s.nodes == nil {
		s.nodes = map[uint32]node{}
	}
	if old, ok := s.nodes[index]; !ok || old != n {
		s.nodes[index] = n
		s.Changed = true
	}
}

// Remove removes an interface.
func (s *Stack) Remove(index uint32) {
	delete(s.nodes, index)
	s.Changed = true
}

// All iterates over the indexes of the interfaces, in no order.
func (s *Stack) All() iter.Seq[uint32] { return maps.Keys(s.nodes) }

// under returns the next lower interfaces of each interface. If the kernel does not report them,
// it returns all counted interfaces that may be lower.
func (s *Stack) under(counted []uint32) map[uint32][]uint32 {
	under := make(map[uint32][]uint32, len(s.nodes))
	var ports []uint32 // of Open vSwitch datapaths
	for index, n := range s.nodes {
		if n.on != 0 {
			under[index] = append(under[index], n.on)
		}
		if n.master == 0 {
			continue
		}
		if s.nodes[n.master].upper == device.OnSwitch {
			ports = append(ports, index)
		} else {
			under[n.master] = append(under[n.master], index)
		}
	}
	for index, n := range s.nodes {
		switch n.upper {
		case device.OnSwitch:
			under[index] = append(under[index], ports...)
		case device.OnOthers:
			for _, c := range counted {
				if s.nodes[c].upper != device.OnOthers {
					under[index] = append(under[index], c)
				}
			}
		}
	}
	return under
}

// Below returns the nearest lower interfaces for each counted interface. It skips lower
// interfaces that are not counted, and looks below them.
func (s *Stack) Below(counted []uint32) map[uint32][]uint32 {
	under := s.under(counted)
	is := make(map[uint32]bool, len(counted))
	for _, c := range counted {
		is[c] = true
	}
	found := map[uint32][]uint32{}
	for _, c := range counted {
		seen := map[uint32]bool{c: true}
		for todo := under[c]; len(todo) > 0; {
			next := todo[0]
			todo = todo[1:]
			switch {
			case seen[next]:
			case is[next]:
				found[c] = append(found[c], next)
			default:
				todo = append(slices.Clip(todo), under[next]...)
			}
			seen[next] = true
		}
		slices.Sort(found[c])
	}
	for c := range found {
		// In a veth pair, the newer interface (higher index) is the upper one.
		found[c] = slices.DeleteFunc(found[c], func(o uint32) bool { return o > c && slices.Contains(found[o], c) })
	}
	maps.DeleteFunc(found, func(_ uint32, on []uint32) bool { return len(on) == 0 })
	return found
}
