package device

import (
	"fmt"
	"slices"
	"strings"

	"github.com/vishvananda/netlink"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/registry"
)

// Look returns what a hook sees of an interface in the calling thread's network namespace. It
// returns an [registry.ErrUnsupported] with a remedy if a backend must not count there. The note
// is for the report. follow matches interfaces that the user did not name. If it matches all
// members of an interface, counting on the members replaces counting on the interface.
func Look(at registry.Point, l netlink.Link, follow registry.Follow) (note string, err error) {
	k := Of(l)
	sight := k.Sees[at]
	if sight == All {
		return "", nil
	}
	if sight == OneWay {
		return fmt.Sprintf("%s: %s: only egress is counted", l.Attrs().Name, k.lacks(at)), nil
	}
	members := membersOf(l)
	if sight == Inside && follow != nil && !slices.ContainsFunc(members, func(m flow.Interface) bool { return !follow.Means(m) }) {
		return k.lacks(at) + ": its members are counted", nil
	}
	return "", fmt.Errorf("%w: interface %s: %s: %s", registry.ErrUnsupported, l.Attrs().Name, k.lacks(at), k.remedy(members))
}

// LookAt is [Look] for an interface index.
func LookAt(at registry.Point, i flow.Interface, follow registry.Follow) (note string, err error) {
	l, err := netlink.LinkByIndex(int(i.Index))
	if err != nil {
		return "", fmt.Errorf("interface %s: %w", i.Name, err)
	}
	return Look(at, l, follow)
}

func (k *Kind) lacks(at registry.Point) string {
	return strings.ReplaceAll(k.Lacks, "POINT", at.String())
}

// remedy describes other ways to count the interface's traffic.
func (k *Kind) remedy(members []flow.Interface) string {
	var ways []string
	if members != nil {
		names := make([]string, len(members))
		for i, m := range members {
			names[i] = m.Name
		}
		ways = append(ways, "name its members ("+strings.Join(names, ", ")+")")
	}
	var backends []string
	for name, b := range registry.Backends.All() {
		if b.Caps.Has(registry.CapLive|registry.CapInterfaces) && k.Sees[b.Point] < Inside {
			backends = append(backends, "--backend "+name)
		}
	}
	if backends != nil {
		ways = append(ways, "use "+strings.Join(backends, " or "))
	}
	if ways == nil {
		return "count on another interface"
	}
	return strings.Join(ways, " or ")
}

// membersOf returns the interfaces with master l, by name.
func membersOf(l netlink.Link) (members []flow.Interface) {
	all, err := netlink.LinkList()
	if err != nil {
		return nil // the remedy then names backends only
	}
	for _, m := range all {
		if a := m.Attrs(); a.MasterIndex == l.Attrs().Index {
			members = append(members, flow.Interface{Index: uint32(a.Index), Name: a.Name})
		}
	}
	slices.SortFunc(members, func(a, b flow.Interface) int { return strings.Compare(a.Name, b.Name) })
	return members
}
