package bench

import (
	"context"
	"errors"
	"fmt"
	"runtime"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

// thread is the calling goroutine's OS thread, bound to one CPU. Only that goroutine may use it.
type thread struct {
	cpu     int
	cpus    unix.CPUSet
	signals unix.Sigset_t
}

// pin locks the calling goroutine to its thread and binds the thread to a CPU.
//
// It blocks SIGURG, with which Go preempts goroutines. The signal would end a BPF_PROG_TEST_RUN
// before all repetitions.
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

// unpin undoes pin. If that fails, the thread stays locked and ends with its goroutine.
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

// cpuTime returns the thread's CPU time, in nanoseconds.
func (t *thread) cpuTime() (int64, error) {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &ts); err != nil {
		return 0, fmt.Errorf("read thread CPU time: %w", err)
	}
	return ts.Nano(), nil
}

// run runs a program n times over a frame, and returns the CPU time of a run in nanoseconds.
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

// drive runs n packets through the driver, from a place of the sequence on. It fails unless all
// have run.
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
		return 0, fmt.Errorf("%s: %d packets of %d ran: a signal interrupts BPF_PROG_TEST_RUN", p.name, end-at, n)
	}
	return ns, nil
}
