// Package pcap is the backend that reads capture files: pcap and pcapng, plain
// or compressed, from a file or a pipe. The packets' own time is its clock. Built with the
// tag libpcap it also counts live, on what libpcap can open, by the wall clock.
package pcap

import (
	"context"
	"flag"
	"fmt"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/registry"
)

func init() {
	registry.Backends.Register("pcap", registry.Backend{
		Summary: "reads captures: pcap and pcapng, also gzip or zstd compressed, from a file or a pipe",
		Caps:    registry.CapFile,
		Cost:    registry.CostCopy,
		Layers:  flow.LayerIP | flow.LayerFrame,
		Clock:   registry.ClockSource,
		Wants:   []string{"file", "live"},
		New:     func() registry.BackendConfig { return &config{} },
	})
}

type config struct {
	file string
	live string // a device of libpcap
}

var (
	_ registry.BackendConfig = (*config)(nil)
	_ registry.Clocked       = (*config)(nil)
)

func (c *config) Flags(fs *flag.FlagSet) {
	fs.StringVar(&c.file, "file", "", "read the capture `FILE`; - is standard input")
	fs.StringVar(&c.live, "live", "", "count on the `DEVICE` live, through libpcap: for what no other backend can open; takes a build with it (make build-libpcap)")
}

// Clock implements [registry.Clocked].
func (c *config) Clock() registry.Clock {
	if c.live != "" {
		return registry.ClockWall
	}
	return registry.ClockSource
}

// Open opens the capture, or the device. A regular file is read up to its first packet, so that
// a file that is no capture is an error here; a pipe is not waited for.
func (c *config) Open(ctx context.Context, env registry.BackendEnv) (registry.Source, error) {
	switch {
	case c.live != "" && c.file != "":
		return nil, fmt.Errorf("%w: --pcap-live and --pcap-file ask for two things: count on one of them", registry.ErrUsage)
	case c.live != "":
		return openLive(c.live, env)
	case c.file == "":
		return nil, fmt.Errorf("%w: which capture? name it with --pcap-file FILE", registry.ErrUsage)
	}
	in, err := openInput(c.file, env.Stdin)
	if err != nil {
		return nil, err
	}
	s := newSource(in, env.Interval)
	if in.pipe {
		return s, nil
	}
	if err := s.begin(ctx); err != nil {
		_ = s.Close() // nothing was read from it that could be lost
		return nil, err
	}
	return s, nil
}
