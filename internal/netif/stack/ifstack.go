// Package stack finds out which network interfaces are on top of which: packets of the
// upper one pass the lower one, too.
package stack

import (
	"iter"
	"maps"
	"slices"

	"github.com/vishvananda/netlink"

	"github.com/pktstat/pktstat/internal/netif/device"
)

// Stack is the interfaces of a network namespace, by index. The zero value has none.
type Stack struct {
	nodes map[uint32]node
	// Changed is set by each change, for the owner to clear.
	Changed bool
}

// node is an interface.
type node struct {
	on     uint32 // what a VLAN, macvlan or tunnel interface is on, the peer of a veth; 0: none
	master uint32 // the bridge, bond, team or VRF that it is a port of: that one is on top
	upper  device.Upper
}

func newNode(l netlink.Link) node {
	a := l.Attrs()
	n := node{master: uint32(a.MasterIndex), upper: device.Of(l).Upper}
	elsewhere := a.NetNsID >= 0 // ParentIndex is an index of another network namespace
	if !elsewhere && a.ParentIndex != a.Index {
		n.on = uint32(a.ParentIndex)
	}
	return n
}

// Set adds an interface, or what has become of it.
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

// Remove takes an interface out.
func (s *Stack) Remove(index uint32) {
	delete(s.nodes, index)
	s.Changed = true
}

// All iterates over the indexes of the interfaces, in no order.
func (s *Stack) All() iter.Seq[uint32] { return maps.Keys(s.nodes) }

// under returns for each interface which ones are next below it. Where the kernel does not
// tell, these may be any of the counted ones.
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

// Below returns for each of the counted interfaces that is stacked on others of them
// which ones these are: the nearest ones, through any that are not counted.
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
		// Of the two ends of a veth pair, the newer one is on top.
		found[c] = slices.DeleteFunc(found[c], func(o uint32) bool { return o > c && slices.Contains(found[o], c) })
	}
	maps.DeleteFunc(found, func(_ uint32, on []uint32) bool { return len(on) == 0 })
	return found
}
