// Package afpacket is the backend that reads copies of packets from packet sockets (packet(7)),
// through rings in shared memory. It works on any kernel and needs only CAP_NET_RAW.
package afpacket

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"runtime"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/kernel/caps"
	"github.com/pktstat/pktstat/internal/netif/attach"
	"github.com/pktstat/pktstat/registry"
)

func init() {
	registry.Backends.Register("afpacket", registry.Backend{
		Summary: "reads copies of packets from AF_PACKET rings, in both directions, on any kernel without BPF; needs only cap_net_raw",
		Caps:    registry.CapIngress | registry.CapEgress | registry.CapLive | registry.CapInterfaces,
		Cost:    registry.CostCopy,
		Point:   point,
		Layers:  flow.LayerIP | flow.LayerFrame,
		Clock:   registry.ClockWall,
		New:     func() registry.BackendConfig { return &config{} },
	})
}

// point is the hook at which it sees packets.
const point = registry.PointTap

type config struct {
	rings    int // of an interface; 0: the default for the machine
	ringSize int // MiB of an interface, for all of its rings; 0: the default
	snapLen  int // 0: the headers
}

var _ registry.BackendConfig = (*config)(nil)

// Bounds of the options.
const (
	maxRings    = 64
	maxRingSize = 1 << 11 // MiB: the kernel allocates no more than 4 GiB
	minSnapLen  = 64
	maxSnapLen  = 1 << 15 // a block has room for it
)

func (c *config) Flags(fs *flag.FlagSet) {
	number(fs, &c.rings, "rings", "read each interface through `N` rings, each for some of the flows (default: one a CPU, at most 4; 1 on lo and with IPsec)", 1, maxRings)
	number(fs, &c.ringSize, "ring-size", "memory for the capture rings of each interface, in `MIB` (default 16, less with more than 6 interfaces)", 1, maxRingSize)
	number(fs, &c.snapLen, "snaplen", "copy at most `N` bytes of a packet (default 192, 1024 where IPv6 has extension headers)", minSnapLen, maxSnapLen)
}

// number declares an option that is a number in [low, high]. It shows no default value, because
// that depends on the machine.
func number(fs *flag.FlagSet, to *int, name, usage string, low, high int) {
	fs.Func(name, usage, func(s string) error {
		n, err := strconv.Atoi(s)
		if err != nil || n < low || n > high {
			return fmt.Errorf("%q is not a number from %d to %d", s, low, high)
		}
		*to = n
		return nil
	})
}

// atOnce is how many interfaces are attached or detached at a time. Both wait for RCU grace
// periods (packet_set_ring and packet_release in net/packet/af_packet.c).
const atOnce = 64

// Open opens rings on every interface.
func (c *config) Open(ctx context.Context, env registry.BackendEnv) (registry.Source, error) {
	return attach.Open(ctx, attach.Options[*counter]{
		Env:   env,
		Point: point,
		Load:  func() (*counter, error) { return newCounter(env.MaxFlows, env.Now), nil },
		NewHook: func(t *counter) (attach.Hook, error) {
			return &hook{layout: c.layout, counter: t, planned: len(env.Interfaces), snapLen: c.snapLen, debugf: env.Debugf}, nil
		},
		AtOnce:  atOnce,
		Explain: explain,
	})
}

// layout is the size of the rings of an interface.
type layout struct {
	rings     int
	blocks    int // of each ring
	blockSize int
}

// Sizes in bytes. The kernel hands over a block when it is full, or after retireAfter. With
// several blocks, the kernel always has one to fill.
const (
	defaultSize = 16 << 20
	allSizes    = 96 << 20 // of all interfaces, by default
	shareSize   = 1 << 20  // of a ring that shares an interface with others, at least
	minSize     = 64 << 10
	minBlock    = 16 << 10
	maxBlock    = 1 << 20
	minBlocks   = 8
)

func (c *config) layout(interfaces int) layout {
	size := c.ringSize << 20
	if size == 0 {
		size = max(minSize, min(defaultSize, allSizes/max(1, interfaces)))
	}
	l := layout{rings: c.rings}
	if l.rings == 0 {
		l.rings = max(1, min(runtime.NumCPU(), 4, size/shareSize))
		if l.rings > 1 && mayDecrypt() {
			l.rings = 1 // a decrypted packet is of another flow than its ESP packet
		}
	}
	least := c.leastBlock()
	l.blockSize = maxBlock
	for l.blockSize > least && size/l.rings/l.blockSize < minBlocks {
		l.blockSize /= 2
	}
	l.blocks = max(2, size/l.rings/l.blockSize)
	return l
}

// leastBlock is the size of a block that holds two copied packets, in whole pages.
func (c *config) leastBlock() int {
	least := minBlock
	for least < 2*c.snapLen || least < os.Getpagesize() {
		least *= 2
	}
	return least
}

// explain wraps an error in its kind.
func explain(err error) error {
	for _, lacks := range []error{unix.ENOPROTOOPT, unix.EAFNOSUPPORT, unix.EPROTONOSUPPORT} {
		if errors.Is(err, lacks) {
			return fmt.Errorf("%w: %w", registry.ErrUnsupported, err)
		}
	}
	return caps.Explain(err, caps.NetRaw)
}
