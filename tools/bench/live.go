package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
)

// liveFlows returns the numbers of flows for live frames.
func (r *runner) liveFlows() []int {
	var flows []int
	for _, n := range r.Scale.Flows {
		if n == 1 || n == 1<<16 || n == 1<<20 || n == r.Scale.Flows[len(r.Scale.Flows)-1] && n < 1<<16 {
			flows = append(flows, n)
		}
	}
	return flows
}

// live sends frames over a veth pair as fast as possible. At the other end is the program, at XDP
// in the driver or at tc. After it, another program at tc counts and drops the frames. All of that
// runs on one CPU. So the packet rate is one over the cost of sending, receiving, counting and
// dropping a frame. Time of other processes on that CPU does not count.
func (r *runner) live(ctx context.Context) error {
	return inNamespace(func() error {
		t, err := pin(r.cpu)
		if err != nil {
			return err
		}
		w, err := newWire()
		if err != nil {
			return err
		}
		l := &liveRunner{runner: r, thread: t, wire: w, softirq: findSoftirqThread(r.cpu)}
		if l.softirq.schedstat == "" {
			r.result.note("live frames: rates are over wall-clock time, because ksoftirqd/%d cannot be seen from here", r.cpu)
		}
		for _, hook := range r.Hooks {
			for _, flows := range r.liveFlows() {
				if err := l.liveCase(ctx, hook, flows); err != nil {
					return err
				}
			}
		}
		return t.unpin()
	})
}

type liveRunner struct {
	*runner
	thread    *thread // in the namespace
	wire      wire
	softirq   softirqThread
	generator *ebpf.Program
}

func (l *liveRunner) liveCase(ctx context.Context, hook Hook, flows int) (err error) {
	l.Progress("live %s: %d flows", hook, flows)
	seq, err := newSequence(l.sequenceLen(flows))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, seq.close()) }()
	seq.uniform(flows, l.random())
	gen, err := loadDriverFor("generate_xdp", traffic{sequence: seq, target: l.wire.in}, func(*ebpf.ProgramSpec) {})
	if err != nil {
		return fmt.Errorf("generator: %w", err)
	}
	defer gen.Close()
	l.generator = gen.Programs["generate_xdp"]

	o, table := l.fitting(hook, flows)
	g := Group{
		Case: Case{
			Experiment: "live", Hook: hook, Packet: udp4.name, Size: 64, Flows: flows,
			Distribution: DistUniform, Table: table, State: StateWarm,
		},
		Unit: UnitPackets,
	}
	end, err := loadEnd()
	if err != nil {
		return err
	}
	defer end.Close()
	return l.with(o, func(ps programs) error {
		paths := map[*program]*path{}
		for _, p := range ps {
			paths[p] = &path{hook: hook, program: p.program, end: end.Programs["drop_tc"], arrivals: end.Variables["arrivals"]}
			if _, err := l.send(ctx, paths[p], max(flows, l.Scale.LivePackets/10)); err != nil {
				return fmt.Errorf("%s: %w", p.name, err)
			}
		}
		return l.rounds(g, ps, func(p *program, _ int) (float64, error) {
			return l.send(ctx, paths[p], l.Scale.LivePackets)
		})
	})
}

// loadEnd loads the program after the measured one.
func loadEnd() (*ebpf.Collection, error) {
	spec, err := loadEmpty()
	if err != nil {
		return nil, err
	}
	spec.Programs = map[string]*ebpf.ProgramSpec{"drop_tc": spec.Programs["drop_tc"]}
	return ebpf.NewCollection(spec)
}

// path is the way of packets to a program and to the counter after it.
type path struct {
	hook         Hook
	program, end *ebpf.Program
	arrivals     *ebpf.Variable
}

// attach attaches the program and the end of its path. The caller must close the links, also after
// an error.
func (p *path) attach(ifindex int) (links []io.Closer, err error) {
	add := func(l link.Link, err error) error {
		if err == nil {
			links = append(links, l)
		}
		return err
	}
	tcx := link.TCXOptions{Interface: ifindex, Program: p.program, Attach: ebpf.AttachTCXIngress}
	if p.hook == HookXDP {
		err = add(link.AttachXDP(link.XDPOptions{Program: p.program, Interface: ifindex, Flags: link.XDPDriverMode}))
	} else {
		err = add(link.AttachTCX(tcx))
	}
	if err != nil {
		return links, fmt.Errorf("attach to %s: %w", p.hook, err)
	}
	tcx.Program = p.end // after the measured program
	if err := add(link.AttachTCX(tcx)); err != nil {
		return links, fmt.Errorf("attach the end of the path: %w", err)
	}
	return links, nil
}

// arrivals is as in bpf/empty.bpf.c.
type arrivals [maxCPUs]position

func (p *path) arrived() (uint64, error) {
	var a arrivals
	if err := p.arrivals.Get(&a); err != nil {
		return 0, fmt.Errorf("read arrivals: %w", err)
	}
	sum := uint64(0)
	for i := range a {
		sum += a[i].N
	}
	return sum, nil
}

// BPF_F_TEST_XDP_LIVE_FRAMES (include/uapi/linux/bpf.h): the kernel acts on the program's verdict.
const liveFrames = 1 << 1

// send sends n packets, and returns how many arrived in a second.
func (l *liveRunner) send(ctx context.Context, p *path, n int) (rate float64, err error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	links, err := p.attach(l.wire.out)
	defer func() {
		for _, l := range links {
			err = errors.Join(err, l.Close())
		}
	}()
	if err != nil {
		return 0, err
	}
	before, err := p.arrived()
	if err != nil {
		return 0, err
	}
	start, err := l.time()
	if err != nil {
		return 0, err
	}
	_, err = l.generator.Run(&ebpf.RunOptions{Data: udp4.frame(64), Repeat: uint32(n), Flags: liveFrames})
	if err != nil {
		return 0, fmt.Errorf("send live frames: %w", err)
	}
	end, err := l.time()
	if err != nil {
		return 0, err
	}
	after, err := p.arrived()
	if err == nil && after == before {
		err = errors.New("no frame arrived")
	}
	return float64(after-before) / (end - start).Seconds(), err
}

// time returns the CPU time of sending and receiving.
func (l *liveRunner) time() (time.Duration, error) {
	if l.softirq.schedstat == "" {
		return time.Since(l.result.Time), nil
	}
	own, err := l.thread.cpuTime()
	if err != nil {
		return 0, err
	}
	softirq, err := l.softirq.cpuTime()
	return time.Duration(own + softirq), err
}
