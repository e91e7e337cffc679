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
	return fmt.Errorf("%w: --pcap-live takes libpcap, and this build is without it: make build-libpcap builds one with it; "+
		"on an interface of this machine --backend afpacket does without", registry.ErrUnsupported)
}
