package service

import (
	"strings"
	"testing"

	"github.com/pktstat/pktstat/flow"
)

// TestList: the committed list has well-known services and a few thousand others.
func TestList(t *testing.T) {
	all := parse(list)
	if len(all) < 5000 {
		t.Errorf("%d services", len(all))
	}
	for want, k := range map[string]portKey{
		"https": {flow.TCP, 443}, "domain": {flow.UDP, 53}, "ssh": {flow.TCP, 22}, "ntp": {flow.UDP, 123},
		"mdns": {flow.UDPLite, 5353}, "postgresql": {flow.TCP, 5432}, "": {flow.ICMP, 8},
	} {
		if got := all[k]; got != want {
			t.Errorf("%v: %q, want %q", k, got, want)
		}
	}
	for k, name := range all {
		if strings.ContainsAny(name, " \t\x00") {
			t.Errorf("%v: name %q", k, name)
		}
	}
}

func TestParse(t *testing.T) {
	all := parse("# x 1/tcp\nfirst 7/tcp/udp\nsecond 7/tcp\nhigh 65536/tcp\nnone\n")
	if len(all) != 3 || all[portKey{flow.TCP, 7}] != "first" {
		t.Errorf("%v", all)
	}
}

func TestServicePort(t *testing.T) {
	for _, tt := range []struct{ src, dst, want uint16 }{{50000, 443, 443}, {53, 53, 53}, {0, 80, 80}, {80, 0, 80}, {0, 0, 0}} {
		if got := servicePort(flow.TCP, tt.src, tt.dst); got.port != tt.want {
			t.Errorf("%d and %d: %d", tt.src, tt.dst, got.port)
		}
	}
}
