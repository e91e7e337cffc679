package testnet

import (
	"net"
	"net/netip"
	"os"
	"testing"

	"github.com/vishvananda/netlink"
)

// Sysctl sets a kernel parameter of the host's namespace, such as "net/ipv4/ip_forward".
func Sysctl(tb testing.TB, h *Host, name, value string) {
	tb.Helper()
	err := h.Do(func() error { return os.WriteFile("/proc/sys/"+name, []byte(value), 0) })
	if err != nil {
		tb.Fatalf("testnet: %s: %v", h.name, err)
	}
}

// Forward enables IPv4 forwarding on the host.
func Forward(tb testing.TB, h *Host) {
	tb.Helper()
	Sysctl(tb, h, "net/ipv4/ip_forward", "1")
}

// Route adds a route to an IPv4 address via another address, which the interface reaches.
func Route(tb testing.TB, from *Iface, to, via netip.Addr) {
	tb.Helper()
	err := from.nl.RouteAdd(&netlink.Route{
		LinkIndex: from.Index, Gw: via.AsSlice(),
		Dst: &net.IPNet{IP: to.AsSlice(), Mask: net.CIDRMask(32, 32)},
	})
	if err != nil {
		tb.Fatalf("testnet: %s: route to %v via %v: %v", from, to, via, err)
	}
}
