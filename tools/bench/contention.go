package bench

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
)

// contention measures one flow on one CPU, and on two CPUs at once. The difference is the cost of
// sharing a flow.
func (r *runner) contention(ctx context.Context) error {
	if runtime.NumCPU() < 2 {
		r.result.note("contention was not measured: there is one CPU")
		return nil
	}
	pair := []int{r.cpu, (r.cpu + 1) % runtime.NumCPU()}
	frame := udp4.frame(64)
	for _, hook := range r.Hooks {
		r.Progress("contention %s", hook)
		err := r.with(r.defaults(hook), func(ps programs) error {
			for _, cpus := range [][]int{pair[:1], pair} {
				g := Group{
					Case: Case{
						Experiment: "contention", Hook: hook, Packet: udp4.name, Size: len(frame), Flows: 1,
						Table: TableDefault, State: StateWarm, CPUs: len(cpus),
					},
					Unit: UnitNanoseconds,
				}
				err := r.rounds(g, ps, func(p *program, _ int) (float64, error) {
					return runOn(ctx, cpus, p, frame, r.Scale.Packets)
				})
				if err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// chunks is the number of test runs on each CPU. With several, the result can exclude the time when
// one CPU runs alone. Each chunk is as long as any other measurement, because a test run has a cost
// of its own.
const chunks = 4

// runOn runs a program over a frame on several CPUs at once, in chunks of n runs. It returns the
// mean CPU time of a run while all CPUs ran.
func runOn(ctx context.Context, cpus []int, p *program, frame []byte, n int) (float64, error) {
	var (
		start, done sync.WaitGroup
		ended       atomic.Bool
		mu          sync.Mutex
		sum         float64
		failed      error
	)
	start.Add(len(cpus))
	for _, cpu := range cpus {
		done.Go(func() {
			ns, err := onCPU(cpu, func(t *thread) (float64, error) {
				start.Done()
				start.Wait()
				defer ended.Store(true)
				return t.runUntil(ctx, &ended, p, frame, n)
			})
			mu.Lock()
			defer mu.Unlock()
			sum += ns
			failed = errors.Join(failed, err)
		})
	}
	done.Wait()
	return sum / float64(len(cpus)), failed
}

func onCPU(cpu int, f func(*thread) (float64, error)) (float64, error) {
	t, err := pin(cpu)
	if err != nil {
		return 0, err
	}
	v, err := f(t)
	return v, errors.Join(err, t.unpin())
}

// runUntil runs chunks of a program until all are done, or another CPU has ended.
func (t *thread) runUntil(ctx context.Context, ended *atomic.Bool, p *program, frame []byte, n int) (float64, error) {
	sum, ran := 0.0, 0
	for ran < chunks && (ran == 0 || !ended.Load()) {
		ns, err := t.run(ctx, p, frame, n)
		if err != nil {
			return 0, err
		}
		sum += ns
		ran++
	}
	return sum / float64(ran), nil
}
