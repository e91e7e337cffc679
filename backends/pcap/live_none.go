//go:build !libpcap

package pcap

import (
	"fmt"

	"github.com/pktstat/pktstat/registry"
)

func openLive(device string, _ registry.BackendEnv) (registry.Source, error) {
	return nil, tryLive(device)
}

// tryLive names the build that has libpcap.
func tryLive(string) error {
	return fmt.Errorf("%w: --pcap-live needs libpcap, and this build lacks it: make build-libpcap makes one that has it; "+
		"on an interface of this machine, use --backend afpacket", registry.ErrUnsupported)
}
