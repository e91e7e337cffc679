package testnet

import (
	"errors"
	"net"
	"testing"

	"github.com/vishvananda/netlink"
)

// MPLS makes packets from one end of a link to the other end's IPv4 address use MPLS, with two
// labels.
func MPLS(tb testing.TB, from, to *Iface) {
	tb.Helper()
	labels := []int{16, 17}
	Sysctl(tb, to.Host, "net/mpls/platform_labels", "100")
	Sysctl(tb, to.Host, "net/mpls/conf/"+to.Name+"/input", "1")
	Sysctl(tb, to.Host, "net/mpls/conf/lo/input", "1") // the second label arrives there
	lo, err := to.nl.LinkByName("lo")
	if err != nil {
		tb.Fatalf("testnet: %s: %v", to, err)
	}
	var errs []error
	for _, l := range labels {
		errs = append(errs, to.nl.RouteAdd(&netlink.Route{MPLSDst: &l, LinkIndex: lo.Attrs().Index}))
	}
	errs = append(errs, from.nl.RouteAdd(&netlink.Route{
		LinkIndex: from.Index, Gw: to.IPv4.AsSlice(), Src: from.IPv4.AsSlice(),
		Dst:   &net.IPNet{IP: to.IPv4.AsSlice(), Mask: net.CIDRMask(32, 32)},
		Encap: &netlink.MPLSEncap{Labels: labels},
	}))
	if err := errors.Join(errs...); err != nil {
		tb.Fatalf("testnet: MPLS from %s to %s: %v", from, to, err)
	}
}
