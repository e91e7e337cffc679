package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/pktstat/pktstat/internal/netif/netns"
)

// Hooks whose programs BPF_PROG_TEST_RUN cannot run with a packet.
const (
	HookCgroup     Hook = "cgroup"
	HookFentry     Hook = "fentry"
	HookKprobe     Hook = "kprobe"
	HookTracepoint Hook = "tracepoint"
)

var stackHooks = []Hook{HookTC, HookXDP, HookCgroup, HookFentry, HookKprobe, HookTracepoint}

// What the experiment stack attaches, besides [Empty] and [Ours].
const (
	Nothing   = "nothing"
	Processes = "pktstat, processes" // with attribution to processes
	AppBytes  = "application bytes"  // a probe on tcp_sendmsg, or the nearest tracepoint
)

// UnitExchanges counts answered requests.
const UnitExchanges = "exchanges/s"

// stack lets two sockets exchange data over a namespace's loopback interface, on one CPU. First it
// measures the time of a call, with the kernel's run time counters. Then, without these counters,
// it measures the exchanges in a second of CPU time.
func (r *runner) stack(ctx context.Context) error {
	return inNamespace(func() error {
		t, err := pin(r.cpu)
		if err != nil {
			return err
		}
		space, err := netns.Open(fmt.Sprintf("/proc/self/task/%d/ns/net", unix.Gettid()))
		if err != nil {
			return err
		}
		defer func() { _ = space.Close() }() // opened for reading
		lo, err := loopbackUp()
		if err != nil {
			return err
		}
		s := &stackRunner{runner: r, thread: t, tapper: &tapper{space: space, lo: lo, flows: r.Scale.Table}}
		for _, hook := range stackHooks {
			if len(r.Stack) > 0 && !slices.Contains(r.Stack, hook) {
				continue
			}
			taps := s.taps(hook)
			if err := s.missing(ctx, taps); err != nil {
				r.result.note("stack: nothing of %s: %s", hook, strings.ReplaceAll(err.Error(), "\n", "; "))
				continue
			}
			for _, x := range exchanges {
				if err := s.stackCase(ctx, hook, x, taps); err != nil {
					return fmt.Errorf("%s, %s: %w", hook, x.name, err)
				}
			}
		}
		return t.unpin()
	})
}

type stackRunner struct {
	*runner
	*tapper
	thread *thread // in the namespace
}

// missing returns why one of the taps cannot be attached here.
func (s *stackRunner) missing(ctx context.Context, taps []tap) error {
	for _, t := range taps {
		c, err := t.open(ctx)
		if err != nil {
			return fmt.Errorf("%s: %w", t.name, err)
		}
		if err := c.Close(); err != nil {
			return fmt.Errorf("%s: %w", t.name, err)
		}
	}
	return nil
}

func (s *stackRunner) stackCase(ctx context.Context, hook Hook, x exchange, taps []tap) (err error) {
	s.Progress("stack %s: %s", hook, x.name)
	talk, err := x.open()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, talk.close()) }()
	c := Case{Experiment: "stack", Hook: hook, Packet: x.name}
	n := max(s.Scale.Exchanges/x.weight, 10)
	err = s.tapRounds(Group{Case: c, Unit: UnitNanoseconds}, taps, func(t tap) (float64, error) {
		return s.call(ctx, hook, t, func() error { return talk.run(n) })
	})
	if err != nil {
		return err
	}
	nothing := tap{name: Nothing, open: func(context.Context) (io.Closer, error) { return closers{}, nil }}
	return s.tapRounds(Group{Case: c, Unit: UnitExchanges}, append([]tap{nothing}, taps...), func(t tap) (float64, error) {
		return s.rate(ctx, t, n, func() error { return talk.run(n) })
	})
}

// tapRounds is rounds for taps, which are attached one at a time. It omits [AppBytes] if its
// program was never called.
func (s *stackRunner) tapRounds(g Group, taps []tap, measure func(tap) (float64, error)) error {
	g.Series = make([]Series, len(taps))
	for round := range s.Scale.Rounds {
		for i := range taps {
			k := (i + round) % len(taps)
			v, err := measure(taps[k])
			if errors.Is(err, errNotCalled) && taps[k].name == AppBytes {
				continue
			}
			if err != nil {
				return fmt.Errorf("%s: %w", taps[k].name, err)
			}
			g.Series[k].Program = taps[k].name
			g.Series[k].Rounds = append(g.Series[k].Rounds, v)
		}
	}
	called := g.Series[:0]
	for _, series := range g.Series {
		if len(series.Rounds) == s.Scale.Rounds {
			called = append(called, series)
		}
	}
	g.Series = called
	s.result.Groups = append(s.result.Groups, g)
	return nil
}

// errNotCalled: the hook does not see this traffic.
var errNotCalled = errors.New("its programs were never called")

// call returns the run time of a tap's programs for one call of those that count. Such a call is
// for one packet or one super-frame.
func (s *stackRunner) call(ctx context.Context, hook Hook, t tap, traffic func() error) (v float64, err error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	on, err := ebpf.EnableStats(uint32(unix.BPF_STATS_RUN_TIME))
	if err != nil {
		return 0, fmt.Errorf("count run time: %w", err)
	}
	defer func() { err = errors.Join(err, on.Close()) }()
	before, err := ownPrograms()
	if err != nil {
		return 0, err
	}
	c, err := t.open(ctx)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	programs, err := ownPrograms()
	if err != nil {
		return 0, err
	}
	for id := range before {
		delete(programs, id)
	}
	if err := traffic(); err != nil { // fill caches, and create the flow's row
		return 0, err
	}
	start, err := runTime(hook, programs)
	if err != nil {
		return 0, err
	}
	if err := traffic(); err != nil {
		return 0, err
	}
	end, err := runTime(hook, programs)
	if err != nil {
		return 0, err
	}
	if end.calls == start.calls {
		return 0, errNotCalled
	}
	return float64(end.time-start.time) / float64(end.calls-start.calls), nil
}

// rate returns the number of exchanges in a second of CPU time.
func (s *stackRunner) rate(ctx context.Context, t tap, n int, traffic func() error) (v float64, err error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	c, err := t.open(ctx)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	if err := traffic(); err != nil {
		return 0, err
	}
	start, err := s.thread.cpuTime()
	if err != nil {
		return 0, err
	}
	if err := traffic(); err != nil {
		return 0, err
	}
	end, err := s.thread.cpuTime()
	return float64(n) / (float64(end-start) / 1e9), err
}
