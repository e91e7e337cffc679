package afpacket

import (
	"context"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/pktstat/pktstat/internal/kernel/bpfprobe"
	"github.com/pktstat/pktstat/internal/kernel/caps"
	"github.com/pktstat/pktstat/registry"
)

// Probe opens a socket and a small ring. It binds them to no interface.
func (c *config) Probe(context.Context) registry.ProbeResult {
	r := registry.ProbeResult{}
	for _, try := range []struct {
		name, since string
		do          func() error
	}{
		{"packet socket", "", trySocket},
		{"TPACKET_V3 ring with PACKET_VNET_HDR", "4.6", tryRing},
	} {
		err := explain(try.do())
		check := bpfprobe.Check(try.name, try.since, err, caps.NetRaw)
		r.Verdict, r.Err = check.Verdict, err
		r.Checks = append(r.Checks, check)
		if err != nil {
			break // later checks need it
		}
	}
	return r
}

func trySocket() error {
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("packet socket: %w", err)
	}
	return unix.Close(fd)
}

func tryRing() error {
	r, err := openRing(layout{rings: 1, blocks: 2, blockSize: minBlock})
	if err != nil {
		return err
	}
	return r.close()
}
