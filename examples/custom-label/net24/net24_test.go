package net24

import (
	"errors"
	"net/netip"
	"testing"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/plugintest/labeltest"
	"github.com/pktstat/pktstat/registry"
)

func ends(dir flow.Direction, src, dst string) flow.Key {
	return flow.Key{Proto: flow.TCP, Dir: dir, Src: netip.MustParseAddrPort(src), Dst: netip.MustParseAddrPort(dst)}
}

// TestConformance checks all promises of pktstat to users of a label.
func TestConformance(t *testing.T) {
	in := func(net string) map[string]string { return map[string]string{"net24": net} }
	curl := flow.Owner{PID: 7, Start: 8, Comm: "curl"}
	labeltest.Run(t, labeltest.Options{Name: "net24", Cases: []labeltest.Case{
		{Key: ends(flow.Egress, "192.0.2.1:50000", "198.51.100.7:443"), Owner: curl, Want: in("198.51.100.0/24")},
		{Key: ends(flow.Ingress, "198.51.100.7:443", "192.0.2.1:50000"), Owner: curl, Want: in("198.51.100.0/24")},
		{Key: ends(0, "[2001:db8:1:2::3]:53", "[2001:db8::1]:53"), Want: in("2001:db8:1::/48")},
		{Key: flow.Key{EtherType: 0x88cc}},
	}})
}

func TestOptions(t *testing.T) {
	labeltest.Run(t, labeltest.Options{Name: "net24", Args: []string{"v4=16"}, Cases: []labeltest.Case{
		{Key: ends(flow.Egress, "192.0.2.1:50000", "198.51.100.7:443"), Want: map[string]string{"net24": "198.51.0.0/16"}},
	}})
	if _, err := (&config{v4: 33}).Open(t.Context(), registry.LabelEnv{}); !errors.Is(err, registry.ErrUsage) {
		t.Errorf("33 bits: %v", err)
	}
}
