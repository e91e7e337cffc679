// Package xdp is the backend that counts at XDP, where packets enter. Native XDP runs in the
// driver of the interface, before the kernel allocates an skb. Generic XDP runs at the beginning
// of the network stack. XDP sees incoming packets only.
package xdp

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"golang.org/x/sys/unix"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/kernel/bpfflow"
	"github.com/pktstat/pktstat/internal/kernel/bpfprobe"
	"github.com/pktstat/pktstat/internal/kernel/caps"
	"github.com/pktstat/pktstat/internal/netif/attach"
	"github.com/pktstat/pktstat/registry"
)

func init() {
	registry.Backends.Register("xdp", registry.Backend{
		Summary:    "counts incoming packets in the driver or at the beginning of the network stack, from Linux 5.10 on",
		Caps:       registry.CapIngress | registry.CapLive | registry.CapInterfaces,
		Cost:       registry.CostDriver,
		Point:      point,
		Layers:     flow.LayerIP | flow.LayerFrame,
		Clock:      registry.ClockWall,
		Shorthands: []registry.Shorthand{{Name: "x", Long: "xdp", Usage: "short for --backend xdp"}},
		New:        func() registry.BackendConfig { return &config{mode: modeAuto} },
	})
}

// point is the hook at which it sees packets.
const point = registry.PointXDP

// needs are all capabilities that the backend needs. The verifier demands CAP_PERFMON of programs
// that subtract pointers, as they do for the length of a packet.
var needs = []caps.Capability{caps.BPF, caps.NetAdmin, caps.PerfMon}

type config struct {
	mode string
}

var _ registry.BackendConfig = (*config)(nil)

func (c *config) Flags(fs *flag.FlagSet) {
	fs.Func("mode", "attach in `MODE` auto, generic, native or offload (default auto: native where the driver has it, else generic)", func(s string) error {
		switch s {
		case modeAuto, modeGeneric, modeNative, modeOffload:
			c.mode = s
			return nil
		}
		return fmt.Errorf("unknown mode %q: there are auto, generic, native, offload", s)
	})
}

// Open loads the programs and attaches one to every interface.
func (c *config) Open(ctx context.Context, env registry.BackendEnv) (registry.Source, error) {
	return attach.Open(ctx, attach.Options[*bpfflow.Table]{
		Env:   env,
		Point: point,
		Load: func() (*bpfflow.Table, error) {
			return load(c.mode, env.Interfaces, bpfflow.Options{MaxFlows: env.MaxFlows, Now: env.Now, Debugf: env.Debugf})
		},
		NewHook: func(t *bpfflow.Table) (attach.Hook, error) {
			return &hook{programs: t.Programs, mode: c.mode, debugf: env.Debugf}, nil
		},
		Notes:   []string{noteIngress},
		Explain: explain,
	})
}

func explain(err error) error { return bpfprobe.Explain(err, needs...) }

// load loads the programs and the table.
func load(mode string, ifaces []flow.Interface, o bpfflow.Options) (*bpfflow.Table, error) {
	spec, err := loadXdp()
	if err != nil {
		return nil, err
	}
	if mode == modeOffload {
		return loadOffload(spec, ifaces, o)
	}
	err = haveFrags()
	if err != nil && o.Debugf != nil {
		o.Debugf("only packets in one part: %v", err)
	}
	prepare(spec, &o, err == nil)
	return bpfflow.Load(spec, o)
}

// prepare adapts the programs to a kernel that has packets in several parts, or to one that lacks
// the helpers for them.
func prepare(spec *ebpf.CollectionSpec, o *bpfflow.Options, frags bool) {
	if !frags {
		delete(spec.Programs, programName(false, true))
		delete(spec.Programs, programName(true, true))
		return
	}
	constants := map[string]any{"frags": uint32(1)}
	maps.Copy(constants, o.Constants)
	o.Constants = constants
}

// programName returns the name of a program: for interfaces without a link header, and
// for packets in several parts.
func programName(raw, frags bool) string {
	name := "xdp_ingress"
	if raw {
		name += "_raw"
	}
	if frags {
		name += "_frags"
	}
	return name
}

// haveFrags loads a program that takes packets in several parts (since 5.18).
func haveFrags() error {
	const hasFrags = 1 << 5 // BPF_F_XDP_HAS_FRAGS
	prog, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Type: ebpf.XDP, Flags: hasFrags, License: "MIT",
		Instructions: asm.Instructions{asm.FnXdpGetBuffLen.Call(), asm.Mov.Imm(asm.R0, xdpPass), asm.Return()},
	})
	if errors.Is(err, unix.EINVAL) { // the error for a flag that the kernel does not know
		err = fmt.Errorf("%w: %w", registry.ErrUnsupported, err)
	}
	if err != nil {
		return fmt.Errorf("load a program for packets in several parts: %w", err)
	}
	return prog.Close()
}

const xdpPass = 2 // XDP_PASS of include/uapi/linux/bpf.h
