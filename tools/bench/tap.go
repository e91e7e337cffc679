package bench

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/kernel/cgroup2"
	"github.com/pktstat/pktstat/internal/netif/netns"
	"github.com/pktstat/pktstat/internal/owner/ids"
	"github.com/pktstat/pktstat/internal/owner/process"
	"github.com/pktstat/pktstat/registry"
)

// tap attaches programs. Closing the result of open detaches them.
type tap struct {
	name string
	open func(context.Context) (io.Closer, error)
}

// closers are closed in reverse order.
type closers []io.Closer

func (c closers) Close() error {
	var errs []error
	for i := len(c) - 1; i >= 0; i-- {
		errs = append(errs, c[i].Close())
	}
	return errors.Join(errs...)
}

// tapper makes taps for a network namespace.
type tapper struct {
	space *netns.Namespace
	lo    int // interface index
	flows int
}

// taps returns the taps of a hook.
func (p *tapper) taps(h Hook) []tap {
	empty := tap{Empty, func(context.Context) (io.Closer, error) { return p.empty(h) }}
	app := tap{AppBytes, func(context.Context) (io.Closer, error) { return p.appBytes(h) }}
	switch h {
	case HookTC, HookXDP:
		return []tap{empty, {Ours, p.backend(string(h))}, {Processes, p.attributed(p.backend(string(h)))}}
	case HookCgroup:
		return []tap{empty, {Ours, p.backend("cgroup")}}
	}
	return []tap{empty, {Ours, p.backend("kprobe", "hook="+string(h))}, app}
}

// backend opens a backend as shipped.
func (p *tapper) backend(name string, options ...string) func(context.Context) (io.Closer, error) {
	return func(ctx context.Context) (io.Closer, error) {
		b, err := registry.Backends.Lookup(name)
		if err != nil {
			return nil, err
		}
		c := b.New()
		fs := flag.NewFlagSet(name, flag.ContinueOnError)
		c.Flags(fs)
		for _, o := range options {
			key, value, _ := strings.Cut(o, "=")
			if err := fs.Set(key, value); err != nil {
				return nil, err
			}
		}
		env := registry.BackendEnv{
			NetNS: &registry.NetNS{Name: p.space.String(), Do: p.space.Do}, MaxFlows: p.flows, Now: time.Now,
			Notify: func(string, ...any) {}, Debugf: func(string, ...any) {},
		}
		if b.Caps.Has(registry.CapInterfaces) {
			env.Interfaces = []flow.Interface{{Index: uint32(p.lo), Name: "lo"}}
		}
		return c.Open(ctx, env)
	}
}

// attributed opens a backend together with attribution to processes.
func (p *tapper) attributed(open func(context.Context) (io.Closer, error)) func(context.Context) (io.Closer, error) {
	return func(ctx context.Context) (io.Closer, error) {
		counting, err := open(ctx)
		if err != nil {
			return nil, err
		}
		var a *process.Attributor
		err = p.space.Do(func() (err error) {
			a, err = process.Open(ctx, process.Options{Owners: ids.New(flow.DimsFlow|flow.DimsOwner, 1<<20), Now: time.Now})
			return err
		})
		if err != nil {
			return nil, errors.Join(err, counting.Close())
		}
		return closers{counting, a}, nil
	}
}

// Functions where the kernel calls kprobe's programs.
var (
	functions   = []string{"ip_finish_output2", "ip_rcv_core"}
	tracepoints = []string{"net_dev_queue", "netif_receive_skb"}
)

// empty attaches programs that do nothing.
func (p *tapper) empty(h Hook) (_ io.Closer, err error) {
	var all closers
	defer func() {
		if err != nil {
			err = errors.Join(err, all.Close())
		}
	}()
	// add keeps the program open, because call finds programs by their descriptors.
	add := func(spec ebpf.ProgramSpec, verdict int32, attach func(*ebpf.Program) (link.Link, error)) error {
		spec.Name, spec.License = "empty", "MIT"
		spec.Instructions = asm.Instructions{asm.Mov.Imm(asm.R0, verdict), asm.Return()}
		prog, err := ebpf.NewProgram(&spec)
		if err != nil {
			return err
		}
		all = append(all, prog)
		l, err := attach(prog)
		if err == nil {
			all = append(all, l)
		}
		return err
	}
	switch h {
	case HookTC:
		for _, at := range []ebpf.AttachType{ebpf.AttachTCXIngress, ebpf.AttachTCXEgress} {
			err = errors.Join(err, add(ebpf.ProgramSpec{Type: ebpf.SchedCLS}, -1, func(prog *ebpf.Program) (link.Link, error) {
				return link.AttachTCX(link.TCXOptions{Interface: p.lo, Program: prog, Attach: at})
			}))
		}
	case HookXDP:
		const pass = 2
		err = add(ebpf.ProgramSpec{Type: ebpf.XDP}, pass, func(prog *ebpf.Program) (link.Link, error) {
			return link.AttachXDP(link.XDPOptions{Program: prog, Interface: p.lo, Flags: link.XDPGenericMode})
		})
	case HookCgroup:
		root, rootErr := cgroup2.Path()
		if rootErr != nil {
			return nil, rootErr
		}
		for _, at := range []ebpf.AttachType{ebpf.AttachCGroupInetIngress, ebpf.AttachCGroupInetEgress} {
			err = errors.Join(err, add(ebpf.ProgramSpec{Type: ebpf.CGroupSKB, AttachType: at}, 1, func(prog *ebpf.Program) (link.Link, error) {
				return link.AttachCgroup(link.CgroupOptions{Path: root, Attach: at, Program: prog})
			}))
		}
	case HookFentry:
		for _, f := range functions {
			err = errors.Join(err, add(ebpf.ProgramSpec{Type: ebpf.Tracing, AttachType: ebpf.AttachTraceFEntry, AttachTo: f}, 0, func(prog *ebpf.Program) (link.Link, error) {
				return link.AttachTracing(link.TracingOptions{Program: prog})
			}))
		}
	case HookKprobe:
		for _, f := range functions {
			err = errors.Join(err, add(ebpf.ProgramSpec{Type: ebpf.Kprobe}, 0, func(prog *ebpf.Program) (link.Link, error) { return link.Kprobe(f, prog, nil) }))
		}
	case HookTracepoint:
		for _, f := range tracepoints {
			err = errors.Join(err, add(ebpf.ProgramSpec{Type: ebpf.RawTracepoint}, 0, func(prog *ebpf.Program) (link.Link, error) {
				return link.AttachRawTracepoint(link.RawTracepointOptions{Name: f, Program: prog})
			}))
		}
	}
	return all, err
}

// appBytes attaches the probe for application bytes.
func (p *tapper) appBytes(h Hook) (io.Closer, error) {
	spec, err := loadAppBytes()
	if err != nil {
		return nil, err
	}
	maps.DeleteFunc(spec.Programs, func(name string, _ *ebpf.ProgramSpec) bool { return !strings.HasPrefix(name, string(h)+"_") })
	coll, err := ebpf.NewCollection(spec)
	if err != nil {
		return nil, err
	}
	for name, prog := range coll.Programs {
		var l link.Link
		switch at := spec.Programs[name].AttachTo; h {
		case HookFentry:
			l, err = link.AttachTracing(link.TracingOptions{Program: prog})
		case HookKprobe:
			l, err = link.Kprobe(at, prog, nil)
		default:
			l, err = link.AttachRawTracepoint(link.RawTracepointOptions{Name: at, Program: prog})
		}
		if err != nil {
			coll.Close()
			return nil, err
		}
		return closers{closerFunc(coll.Close), l}, nil
	}
	return nil, fmt.Errorf("no program for %s", h)
}

type closerFunc func()

func (f closerFunc) Close() error { f(); return nil }

// ownPrograms returns the BPF programs that this process has open, by id.
func ownPrograms() (map[ebpf.ProgramID]bool, error) {
	files, err := filepath.Glob("/proc/self/fdinfo/*")
	if err != nil {
		return nil, err
	}
	ids := map[ebpf.ProgramID]bool{}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil || !bytes.Contains(text, []byte("prog_id:")) {
			continue // closed by now, or not a program
		}
		_, rest, _ := bytes.Cut(text, []byte("prog_id:"))
		line, _, _ := bytes.Cut(rest, []byte("\n"))
		id, err := strconv.ParseUint(string(bytes.TrimSpace(line)), 10, 32)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		ids[ebpf.ProgramID(id)] = true
	}
	return ids, nil
}

// usage is the run time and calls of programs.
type usage struct {
	time  time.Duration
	calls uint64 // of programs that count packets or bytes
}

// runTime adds up the kernel's statistics of programs at a hook. Calls of programs that watch
// sockets do not count, but their time does: it is part of a packet's cost.
func runTime(h Hook, ids map[ebpf.ProgramID]bool) (usage, error) {
	var u usage
	for id := range ids {
		p, err := ebpf.NewProgramFromID(id)
		if err != nil {
			return u, fmt.Errorf("program %d: %w", id, err)
		}
		stats, err := p.Stats()
		kind := p.Type()
		if err = errors.Join(err, p.Close()); err != nil {
			return u, fmt.Errorf("program %d: %w", id, err)
		}
		if h != HookTC && h != HookXDP || kind == ebpf.SchedCLS || kind == ebpf.XDP {
			u.calls += stats.RunCount
		}
		u.time += stats.Runtime
	}
	return u, nil
}
