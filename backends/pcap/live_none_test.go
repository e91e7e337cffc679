//go:build !libpcap

package pcap

import (
	"errors"
	"strings"
	"testing"

	"github.com/pktstat/pktstat/registry"
)

// The error of a build without libpcap names the build that has it.
func TestLiveWithoutLibpcap(t *testing.T) {
	c := &config{live: "eth0"}
	src, err := c.Open(t.Context(), env())
	r := c.Probe(t.Context())
	if src != nil || r.Verdict != registry.No {
		t.Errorf("Open: %v, Probe: %v", src, r.Verdict)
	}
	for what, err := range map[string]error{"Open": err, "Probe": r.Err} {
		if !errors.Is(err, registry.ErrUnsupported) || !strings.Contains(err.Error(), "make build-libpcap") {
			t.Errorf("%s: %v", what, err)
		}
	}
}
