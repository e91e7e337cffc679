package stack

import (
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/vishvananda/netlink"

	"github.com/pktstat/pktstat/internal/netif/device"
)

func TestStack(t *testing.T) {
	const (
		eth0, eth1, bond0, vlan, bridge = 2, 3, 4, 5, 6
		vethA, vethB, macvlan, port     = 7, 8, 9, 10
	)
	var s Stack
	for index, n := range map[uint32]node{
		1: {}, eth0: {master: bond0}, eth1: {master: bond0}, bond0: {}, vlan: {on: bond0, master: bridge}, bridge: {},
		vethA: {on: vethB}, vethB: {on: vethA}, macvlan: {on: vethA}, port: {master: bridge},
	} {
		s.set(index, n)
	}
	for _, tc := range []struct {
		counted []uint32
		want    map[uint32][]uint32
	}{
		{[]uint32{1, eth0, eth1}, nil},
		{[]uint32{eth0, eth1, bond0}, map[uint32][]uint32{bond0: {eth0, eth1}}},
		{[]uint32{eth1, vlan, bond0}, map[uint32][]uint32{bond0: {eth1}, vlan: {bond0}}},
		{[]uint32{bridge, eth0}, map[uint32][]uint32{bridge: {eth0}}},
		{[]uint32{bridge, vlan, port, eth0}, map[uint32][]uint32{bridge: {vlan, port}, vlan: {eth0}}},
		{[]uint32{vethA, vethB}, map[uint32][]uint32{vethB: {vethA}}},
		{[]uint32{vethB, vethA, macvlan}, map[uint32][]uint32{vethB: {vethA}, macvlan: {vethA}}},
		{[]uint32{vethB, macvlan}, map[uint32][]uint32{macvlan: {vethB}}},
		{[]uint32{vethA}, nil},
	} {
		rand.Shuffle(len(tc.counted), func(i, j int) { tc.counted[i], tc.counted[j] = tc.counted[j], tc.counted[i] })
		if got := s.Below(tc.counted); !maps.EqualFunc(got, tc.want, slices.Equal) {
			t.Errorf("of %v: %v, want %v", tc.counted, got, tc.want)
		}
	}
	s.Changed = false
	s.set(eth0, node{master: bond0})
	if s.Changed {
		t.Error("Changed is set without a change")
	}
	s.Remove(vlan)
	if got := s.Below([]uint32{bridge, eth0}); len(got) != 0 || !s.Changed {
		t.Errorf("without the VLAN between them: %v, changed %t", got, s.Changed)
	}
}

// A parent index in another network namespace has no meaning in this one.
func TestParentElsewhere(t *testing.T) {
	a := netlink.Dummy{LinkAttrs: netlink.LinkAttrs{Index: 5, ParentIndex: 7, NetNsID: 0}}
	if n := newNode(&a); n.on != 0 {
		t.Errorf("%+v", n)
	}
	a.NetNsID = -1
	if n := newNode(&a); n.on != 7 {
		t.Errorf("%+v", n)
	}
}

// An ifb has packets of other interfaces. An Open vSwitch internal port has packets of the other
// ports.
func TestStackNotTold(t *testing.T) {
	const (
		eth0, eth1, ifb0, ifb1    = 2, 3, 4, 5
		system, port, inner, veth = 6, 7, 8, 9
	)
	var s Stack
	for index, n := range map[uint32]node{
		eth0: {}, eth1: {}, ifb0: {upper: device.OnOthers}, ifb1: {upper: device.OnOthers},
		system: {upper: device.OnSwitch}, inner: {upper: device.OnSwitch}, port: {master: system}, veth: {master: system},
	} {
		s.set(index, n)
	}
	for _, tc := range []struct {
		counted []uint32
		want    map[uint32][]uint32
	}{
		{[]uint32{ifb0}, nil},
		{[]uint32{ifb0, ifb1}, nil},
		{[]uint32{eth0, ifb0}, map[uint32][]uint32{ifb0: {eth0}}},
		{[]uint32{ifb1, eth1, ifb0, eth0}, map[uint32][]uint32{ifb0: {eth0, eth1}, ifb1: {eth0, eth1}}},
		{[]uint32{inner}, nil},
		{[]uint32{inner, eth0}, nil},
		{[]uint32{system, inner, port}, map[uint32][]uint32{system: {port}, inner: {port}}},
		{[]uint32{inner, veth, port}, map[uint32][]uint32{inner: {port, veth}}},
		{[]uint32{port, veth}, nil},
	} {
		rand.Shuffle(len(tc.counted), func(i, j int) { tc.counted[i], tc.counted[j] = tc.counted[j], tc.counted[i] })
		if got := s.Below(tc.counted); !maps.EqualFunc(got, tc.want, slices.Equal) {
			t.Errorf("of %v: %v, want %v", tc.counted, got, tc.want)
		}
	}
}
