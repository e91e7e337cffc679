package bench

import (
	"context"
	"errors"
	"fmt"
	"runtime"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

// thread is the calling goroutine's OS thread, tied to one CPU. Its methods are
// for that goroutine only.
type thread struct {
	cpu     int
	cpus    unix.CPUSet
	signals unix.Sigset_t
}

// pin ties the calling goroutine to a thread of its own and that thread to a CPU.
//
// The signal by which Go preempts goroutines is blocked: it would end a
// BPF_PROG_TEST_RUN before all of its repeats have run.
func pin(cpu int) (*thread, error) {
	t := &thread{cpu: cpu}
	runtime.LockOSThread()
	if err := unix.SchedGetaffinity(0, &t.cpus); err != nil {
		return nil, fmt.Errorf("read CPU affinity: %w", err)
	}
	var one unix.CPUSet
	one.Set(cpu)
	if err := unix.SchedSetaffinity(0, &one); err != nil {
		return nil, fmt.Errorf("tie thread to CPU %d: %w", cpu, err)
	}
	var preempt unix.Sigset_t
	preempt.Val[0] = 1 << (unix.SIGURG - 1)
	if err := unix.PthreadSigmask(unix.SIG_BLOCK, &preempt, &t.signals); err != nil {
		return nil, fmt.Errorf("block SIGURG: %w", err)
	}
	return t, nil
}

// unpin undoes pin. A thread that cannot be restored stays locked, and ends with
// its goroutine.
func (t *thread) unpin() error {
	err := errors.Join(
		unix.PthreadSigmask(unix.SIG_SETMASK, &t.signals, nil),
		unix.SchedSetaffinity(0, &t.cpus),
	)
	if err == nil {
		runtime.UnlockOSThread()
	}
	return err
}

// cpuTime is what the thread has used, in nanoseconds.
func (t *thread) cpuTime() (int64, error) {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &ts); err != nil {
		return 0, fmt.Errorf("read thread CPU time: %w", err)
	}
	return ts.Nano(), nil
}

// run runs a program n times over a frame and returns the CPU time of a run, in
// nanoseconds.
func (t *thread) run(ctx context.Context, p *program, frame []byte, n int) (float64, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	before, err := t.cpuTime()
	if err != nil {
		return 0, err
	}
	verdict, err := p.entry.Run(&ebpf.RunOptions{Data: frame, Repeat: uint32(n)})
	if err != nil {
		return 0, fmt.Errorf("run %s: %w", p.name, err)
	}
	after, err := t.cpuTime()
	if err != nil {
		return 0, err
	}
	if p.driven != nil && verdict == p.driven.failed {
		return 0, fmt.Errorf("run %s: the driver cannot call it: verdict %d", p.name, verdict)
	}
	return float64(after-before) / float64(n), nil
}

// drive runs n packets from a place of the sequence on through the driver and checks
// that all have run.
func (t *thread) drive(ctx context.Context, p *program, frame []byte, at, n int) (float64, error) {
	if err := p.driven.seek(at); err != nil {
		return 0, err
	}
	ns, err := t.run(ctx, p, frame, n)
	if err != nil {
		return 0, err
	}
	end, err := p.driven.position(t.cpu)
	if err != nil {
		return 0, err
	}
	if end-at != n {
		return 0, fmt.Errorf("%s: %d packets of %d have run: something interrupts BPF_PROG_TEST_RUN", p.name, end-at, n)
	}
	return ns, nil
}
