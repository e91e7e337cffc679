// Package pcap is the backend that reads capture files: pcap and pcapng, plain or compressed,
// from a file or a pipe. The timestamps of the packets are its clock. With the build tag libpcap,
// it also counts live on devices of libpcap, by the wall clock.
package pcap

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"strings"

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
		Files:   "file",
		Reads:   isCapture,
		Fields: []flow.Field{{
			Name: fileField, Aliases: []string{"capture"}, Title: "File", Noun: "capture", Help: "name of the capture that has the packets",
			Kind: flow.Text, Groupable: true,
		}},
		New: func() registry.BackendConfig { return &config{} },
	})
}

// fileField is the field that distinguishes captures.
const fileField = "file"

type config struct {
	files files
	live  string // a device of libpcap
}

// files is the value of an option that appends names.
type files []string

var _ registry.List = (*files)(nil)

// IsList implements [registry.List].
func (*files) IsList() bool { return true }

// String names the first few.
func (f *files) String() string {
	const few = 3
	if len(*f) <= few+1 {
		return strings.Join(*f, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join((*f)[:few], ", "), len(*f)-few)
}

// Set implements [flag.Value].
func (f *files) Set(s string) error {
	if s == "" {
		return errors.New("the name of a file is missing")
	}
	*f = append(*f, s)
	return nil
}

var (
	_ registry.BackendConfig = (*config)(nil)
	_ registry.Clocked       = (*config)(nil)
)

func (c *config) Flags(fs *flag.FlagSet) {
	fs.Var(&c.files, "file", "read the capture `FILE`; - is standard input; repeatable, and the same as an argument; pktstat reads several in the order of time")
	fs.StringVar(&c.live, "live", "", "count live on the `DEVICE` through libpcap, for what no other backend can open; needs a build with libpcap (make build-libpcap)")
}

// Clock implements [registry.Clocked].
func (c *config) Clock() registry.Clock {
	if c.live != "" {
		return registry.ClockWall
	}
	return registry.ClockSource
}

// Open opens the capture, or the device. It reads a regular file up to the first packet, so that
// a file that is no capture is an error here. It does not wait for a pipe.
func (c *config) Open(ctx context.Context, env registry.BackendEnv) (registry.Source, error) {
	switch {
	case c.live != "" && c.files != nil:
		return nil, fmt.Errorf("%w: --pcap-live and --pcap-file ask for two things: count on one of them", registry.ErrUsage)
	case c.live != "":
		return openLive(c.live, env)
	case c.files == nil:
		return nil, fmt.Errorf("%w: which capture? name it: pktstat FILE", registry.ErrUsage)
	case len(c.files) > 1:
		return openSeveral(ctx, c.files, &env)
	}
	in, err := openInput(c.files[0], env.Stdin)
	if err != nil {
		return nil, err
	}
	s := newSource(in, newShared(&env))
	if in.pipe {
		return s, nil
	}
	if err := s.begin(ctx); err != nil {
		_ = s.Close() // nothing is lost
		return nil, err
	}
	return s, nil
}
