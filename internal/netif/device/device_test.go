package device

import (
	"errors"
	"strings"
	"testing"

	"github.com/vishvananda/netlink"

	"github.com/pktstat/pktstat/registry"
)

// TestLook: the result of Look for each kind of interface and hook.
func TestLook(t *testing.T) {
	a := func(name string) netlink.LinkAttrs { return netlink.LinkAttrs{Index: 1 << 30, Name: name} }
	vrf, l3s := &netlink.Vrf{LinkAttrs: a("red")}, &netlink.IPVlan{LinkAttrs: a("iv"), Mode: netlink.IPVLAN_MODE_L3S}
	for _, c := range []struct {
		at        registry.Point
		l         netlink.Link
		named     bool
		note, err string // parts
	}{
		{registry.PointTC, vrf, true, "", "not supported: interface red: the traffic of a VRF does not pass tc: "},
		{registry.PointXDP, vrf, true, "", "the traffic of a VRF does not pass XDP: "},
		{registry.PointTap, vrf, true, "", ""},
		{registry.PointUnknown, vrf, true, "", ""},
		{registry.PointTC, vrf, false, "the traffic of a VRF does not pass tc: its members are counted", ""},
		{registry.PointTC, l3s, true, "iv: incoming packets of an ipvlan interface in mode l3s do not pass tc: only egress is counted", ""},
		{registry.PointTap, l3s, false, "do not pass packet sockets: only egress is counted", ""},
		{registry.PointXDP, l3s, false, "", "interface iv: incoming packets"},
		{registry.PointTC, &netlink.IPVlan{LinkAttrs: a("iv"), Mode: netlink.IPVLAN_MODE_L3}, true, "", ""},
		{registry.PointXDP, &netlink.Xfrmi{LinkAttrs: a("ipsec0")}, true, "", "interface ipsec0: "},
		{registry.PointXDP, &netlink.Vti{LinkAttrs: a("vti0")}, false, "", "interface vti0: "},
		{registry.PointTC, &netlink.Xfrmi{LinkAttrs: a("ipsec0")}, true, "", ""},
		{registry.PointTC, &netlink.Ifb{LinkAttrs: a("ifb0")}, true, "", ""},
		{registry.PointTC, &netlink.Dummy{LinkAttrs: a("dummy0")}, true, "", ""},
	} {
		var follow registry.Follow
		if !c.named {
			follow = func(registry.Link) bool { return true }
		}
		note, err := Look(c.at, c.l, follow)
		if (note == "") != (c.note == "") || !strings.Contains(note, c.note) {
			t.Errorf("%s of %s: note %q, want %q", c.at, c.l.Attrs().Name, note, c.note)
		}
		if (err == nil) != (c.err == "") || err != nil && (!errors.Is(err, registry.ErrUnsupported) || !strings.Contains(err.Error(), c.err)) {
			t.Errorf("%s of %s: %v, want %q", c.at, c.l.Attrs().Name, err, c.err)
		}
	}
}

// Each kind that a hook does not see has the texts Lacks and Because.
func TestKinds(t *testing.T) {
	for _, k := range Kinds {
		if len(k.Sees) > 0 != strings.Contains(k.Lacks, "POINT") || len(k.Sees) > 0 != (k.Because != "") {
			t.Errorf("%s: %+v", k.Name, k)
		}
	}
}
