package bench

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Steps of the report experiment.
const (
	StepRead  = "read"         // all flows, from the kernel's table into user space
	StepFirst = "first report" // read, add up, sort, and put all rows into a report
	StepNext  = "next report"  // the same a second time
	StepTop   = "next report, 40 rows"
)

// shown is how many rows the output table shows.
const shown = 40

// reporter makes reports from a program's tables. Between reports, it keeps what the tool would
// keep.
type reporter interface {
	// report reports the traffic since the last report. It returns the number of flows.
	report() (int, error)
	close() error
}

// report measures the cost of a report in user space.
func (r *runner) report(ctx context.Context) error {
	hook := r.Hooks[0] // tables are the same at all hooks
	for _, flows := range r.Scale.Report {
		r.Progress("report: %d flows", flows)
		if err := r.reportOf(ctx, hook, flows); err != nil {
			return err
		}
	}
	return nil
}

func (r *runner) reportOf(ctx context.Context, hook Hook, flows int) error {
	o, table := r.fitting(hook, flows)
	seq, err := newSequence(r.sequenceLen(flows))
	if err != nil {
		return err
	}
	seq.uniform(flows, r.random())
	err = r.with(o, func(ps programs) error {
		m := reportRun{runner: r, flows: flows}
		for _, p := range ps {
			if p.read == nil {
				continue
			}
			if err := p.drive(traffic{sequence: seq}); err != nil {
				return err
			}
			m.ps = append(m.ps, p)
		}
		m.groups = newReportGroups(Case{
			Experiment: "report", Hook: hook, Packet: udp4.name, Size: 64, Flows: flows, Table: table,
		}, m.ps)
		for round := range r.Scale.Rounds {
			for i := range m.ps {
				k := (i + round) % len(m.ps)
				if err := m.measure(ctx, k); err != nil {
					return fmt.Errorf("%s: %w", m.ps[k].name, err)
				}
			}
		}
		r.result.Groups = append(r.result.Groups, m.groups.all...)
		return nil
	})
	return errors.Join(err, seq.close())
}

// reportRun measures reports of a number of flows.
type reportRun struct {
	*runner
	flows  int
	ps     programs
	groups reportGroups
}

// measure measures all steps of a program once.
func (m *reportRun) measure(ctx context.Context, k int) error {
	p := m.ps[k]
	if err := m.step(ctx, k, StepRead, p.read); err != nil {
		return err
	}
	if err := m.reports(ctx, k, 0, StepFirst, StepNext); err != nil {
		return err
	}
	return m.reports(ctx, k, shown, "", StepTop)
}

// reports measures the first and the next report of a new reporter, and its memory. It does not
// record a step without a name.
func (m *reportRun) reports(ctx context.Context, k, rows int, first, next string) (err error) {
	debug.FreeOSMemory()
	before, err := residentMemory()
	if err != nil {
		return err
	}
	rep := m.ps[k].newReporter(m.flows, rows)
	defer func() { err = errors.Join(err, rep.close()) }()
	for _, step := range []string{first, next} {
		if err := m.step(ctx, k, step, rep.report); err != nil {
			return err
		}
	}
	after, err := residentMemory()
	if err != nil {
		return err
	}
	m.groups.add(next, UnitMegabytes, k, float64(after-before)/1e6)
	return nil
}

// step fills the program's table and measures f. f returns the number of flows that it found.
func (m *reportRun) step(ctx context.Context, k int, step string, f func() (int, error)) error {
	p := m.ps[k]
	if _, err := m.drive(ctx, p, udp4.frame(64), 0, m.flows); err != nil {
		return err
	}
	start, err := now()
	if err != nil {
		return err
	}
	// On another thread, because the runner's is bound to a CPU and blocks Go's preemption.
	type found struct {
		n   int
		err error
	}
	done := make(chan found)
	go func() {
		n, err := f()
		done <- found{n, err}
	}()
	got := <-done
	end, err := now()
	switch {
	case got.err != nil:
		return got.err
	case err != nil:
		return err
	case got.n > m.flows || got.n < m.flows*9/10:
		return fmt.Errorf("%s: found %d flows of %d", step, got.n, m.flows)
	}
	if step != "" {
		m.groups.add(step, UnitMilliseconds, k, float64(end.wall.Sub(start.wall).Microseconds())/1e3)
		m.groups.add(step, UnitCPUMilliseconds, k, float64((end.cpu-start.cpu).Microseconds())/1e3)
	}
	return nil
}

// moment is a time and the CPU time that the process has used.
type moment struct {
	wall time.Time
	cpu  time.Duration
}

func now() (moment, error) {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &ts); err != nil {
		return moment{}, fmt.Errorf("read process CPU time: %w", err)
	}
	return moment{time.Now(), time.Duration(ts.Nano())}, nil
}

// residentMemory returns the process's own memory, without mapped tables of the kernel.
func residentMemory() (int64, error) {
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, err
	}
	for s := bufio.NewScanner(bytes.NewReader(b)); s.Scan(); {
		if v, ok := strings.CutPrefix(s.Text(), "RssAnon:"); ok {
			kb, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(v), " kB"), 10, 64)
			return kb * 1024, err
		}
	}
	return 0, errors.New("/proc/self/status has no RssAnon")
}

// reportGroups are the groups of one number of flows, one for each step and unit.
type reportGroups struct{ all []Group }

func newReportGroups(c Case, ps programs) reportGroups {
	var g reportGroups
	for _, step := range []string{StepRead, StepFirst, StepNext, StepTop} {
		for _, unit := range []string{UnitMilliseconds, UnitCPUMilliseconds, UnitMegabytes} {
			if unit == UnitMegabytes && (step == StepRead || step == StepFirst) {
				continue
			}
			c.Step = step
			group := Group{Case: c, Unit: unit}
			for _, p := range ps {
				group.Series = append(group.Series, Series{Program: p.name})
			}
			g.all = append(g.all, group)
		}
	}
	return g
}

func (g *reportGroups) add(step, unit string, program int, v float64) {
	for i := range g.all {
		if g.all[i].Step == step && g.all[i].Unit == unit {
			s := &g.all[i].Series[program]
			s.Rounds = append(s.Rounds, v)
		}
	}
}
