package web

import (
	"errors"
	"net"
	"strings"
	"testing"

	"github.com/pktstat/pktstat/registry"
)

func TestAddress(t *testing.T) {
	for target, want := range map[string]string{
		"": "127.0.0.1:8080", "-": "127.0.0.1:8080", "9090": "127.0.0.1:9090", "0": "127.0.0.1:0",
		"localhost:80": "localhost:80", "[::1]:80": "[::1]:80", ":80": ":80", "192.0.2.1:80": "192.0.2.1:80",
	} {
		if got, err := addressOf(target); got != want || err != nil {
			t.Errorf("%q: %q, %v, want %q", target, got, err, want)
		}
	}
	for _, target := range []string{"localhost", "localhost:http", "::1", "[::1]", "127.0.0.1:65536", "report.html", "http://127.0.0.1:80/", "65536"} {
		if _, err := addressOf(target); !errors.Is(err, registry.ErrUsage) || !strings.Contains(err.Error(), "use HOST:PORT") {
			t.Errorf("%q: %v", target, err)
		}
	}
}

func TestPortInUse(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, _, err = try(l.Addr().String())
	if err == nil || !strings.Contains(err.Error(), "another program has this port") || errors.Is(err, registry.ErrUsage) {
		t.Errorf("a port in use: %v", err)
	}
	if _, _, err := try("192.0.2.1:0"); !errors.Is(err, registry.ErrUsage) || !strings.Contains(err.Error(), "does not have that address") {
		t.Errorf("another machine's address: %v", err)
	}
}
