package service

import (
	"net/netip"
	"testing"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/plugintest/labeltest"
)

func TestConformance(t *testing.T) {
	ends := func(proto flow.Proto, src, dst string) flow.Key {
		return flow.Key{Proto: proto, Src: netip.MustParseAddrPort(src), Dst: netip.MustParseAddrPort(dst)}
	}
	named := func(name string) map[string]string { return map[string]string{"service": name} }
	curl := flow.Owner{PID: 7, Start: 8, Comm: "curl", UID: 1000, Container: "docker:web"}
	labeltest.Run(t, labeltest.Options{Name: "service", Cases: []labeltest.Case{
		{Key: ends(flow.TCP, "192.0.2.1:50000", "192.0.2.2:443"), Want: named("https")},
		{Key: ends(flow.TCP, "192.0.2.2:443", "192.0.2.1:50000"), Owner: curl, Want: named("https")},
		{Key: ends(flow.UDP, "[2001:db8::1]:53", "[2001:db8::2]:53"), Owner: curl, Want: named("domain")},
		{Key: ends(flow.UDPLite, "192.0.2.1:5353", "224.0.0.251:5353"), Want: named("mdns")},
		{Key: ends(flow.TCP, "0.0.0.0:0", "0.0.0.0:22"), Want: named("ssh")}, // rows are grouped by the destination port
		{Key: ends(flow.TCP, "192.0.2.1:60001", "192.0.2.2:60002"), Owner: curl},
		{Key: ends(flow.TCP, "192.0.2.1:0", "192.0.2.2:0")}, // a later fragment
		{Key: flow.Key{Proto: flow.ICMP, Subtype: 22}, Owner: curl},
		{Key: flow.Key{EtherType: 0x88cc}},
	}})
}
