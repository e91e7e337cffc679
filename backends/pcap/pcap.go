// Package pcap is the backend that reads capture files: pcap and pcapng, plain
// or compressed, from a file or a pipe. The packets' own time is its clock.
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
		Wants:   []string{"file"},
		New:     func() registry.BackendConfig { return &config{} },
	})
}

type config struct {
	file string
}

var _ registry.BackendConfig = (*config)(nil)

func (c *config) Flags(fs *flag.FlagSet) {
	fs.StringVar(&c.file, "file", "", "read the capture `FILE`; - is standard input")
}

// Open opens the capture. A regular file is read up to its first packet, so that
// a file that is no capture is an error here; a pipe is not waited for.
func (c *config) Open(ctx context.Context, env registry.BackendEnv) (registry.Source, error) {
	if c.file == "" {
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
