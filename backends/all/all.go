// Package all registers every backend of this repository.
package all

import (
	// Each registers itself.
	_ "github.com/pktstat/pktstat/backends/afpacket"
	_ "github.com/pktstat/pktstat/backends/cgroup"
	_ "github.com/pktstat/pktstat/backends/kprobe"
	_ "github.com/pktstat/pktstat/backends/pcap"
	_ "github.com/pktstat/pktstat/backends/tc"
	_ "github.com/pktstat/pktstat/backends/xdp"
)
