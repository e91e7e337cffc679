package cmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/choose"
	"github.com/pktstat/pktstat/internal/count/engine"
	"github.com/pktstat/pktstat/registry"
)

// defaultVerify is how long verify compares.
const defaultVerify = 10 * time.Second

// verifyCommand is the sub-command that compares two backends with interfaces' own counters.
func (s *session) verifyCommand(w io.Writer, cl *commandLine) *cli.Command {
	const name = "verify"
	own := []*option{
		{name: "iface", short: "i", arg: "NAME", initial: "the default route's", value: adder{cl.setIface},
			usage: "interface to compare; repeatable, as for a count"},
		{name: "netns", arg: "NAME|PID|PATH", value: setter(cl.setNetNS), usage: "the interfaces are in this network namespace"},
		{name: "timeout", short: "t", arg: "DURATION", initial: inSeconds("10"), value: setter(cl.setVerifyTime),
			usage: "how long to compare, like 10 (seconds) or 1m"},
		{name: "backend", short: "b", arg: "NAME", initial: choose.Auto, value: setter(cl.setBackend), values: words(append(namesOf(s.Backends), choose.Auto)),
			usage: "the first backend; the best other one counts beside it"},
	}
	return s.subCommand(name, "compare what is counted with the interface's own counters", own, func(c *cli.Context) error {
		if err := alone(c, name, cl); err != nil {
			return err
		}
		if !cl.timeoutSet {
			cl.timeout = defaultVerify
		}
		v, err := s.verify(c.Context, cl)
		if err != nil {
			return err
		}
		if _, err := io.WriteString(w, v.text()); err != nil {
			return ignoreReported(err)
		}
		return v.err()
	},
		"pktstat verify counts by two backends at once and compares both with the interface's own",
		"counters. It explains each difference that it knows. If it cannot explain one, the exit",
		fmt.Sprintf("code is %d.", exitDiffers))
}

// setVerifyTime is setTimeout for a time that must end.
func (cl *commandLine) setVerifyTime(s string) error {
	if err := cl.setTimeout(s); err != nil {
		return err
	}
	if cl.timeout == 0 {
		return errors.New("must be above 0")
	}
	return nil
}

// verified is what one backend counted.
type verified struct {
	backend string
	report  *flow.Report // nil if err is set
	err     error
}

// verification is the result of `pktstat verify`.
type verification []verified

// verify counts by two backends at the same time.
func (s *session) verify(ctx context.Context, cl *commandLine) (verification, error) {
	asked, err := s.request(cl)
	if err != nil {
		return nil, err
	}
	env, err := s.backendEnv(cl, choose.Choice{Backends: slices.DeleteFunc(slices.Clone(asked.Backends), func(b *choose.Backend) bool {
		return !b.Plugin.Caps.Has(registry.CapInterfaces)
	})})
	if err != nil {
		return nil, err
	}
	pair, err := asked.Pair(ctx, &env, s.debugf)
	if err != nil {
		return nil, err
	}
	all := make(verification, len(pair))
	var runs sync.WaitGroup
	for i, cand := range pair {
		runs.Go(func() { all[i] = s.verifyOne(ctx, cl, env, cand) })
	}
	runs.Wait()
	if err := all[0].err; err != nil {
		return nil, err
	}
	return all, nil
}

// verifyOne counts by one backend. Only the interfaces matter, so there is one row.
func (s *session) verifyOne(ctx context.Context, cl *commandLine, env registry.BackendEnv, cand engine.Candidate) verified {
	last := &lastReport{}
	err := engine.Run(ctx, engine.Config{
		Candidates: []engine.Candidate{cand}, Env: env,
		Outputs: []engine.Output{{Name: "verify", Sink: last, When: registry.WhenFinal, Top: 1}},
		Dims:    flow.DimDir, MaxFlows: cl.maxFlows, Timeout: cl.timeout, Refresh: cl.refresh,
		Attached: func(c engine.Candidate, _ []flow.Alternative, a registry.Attachment) {
			s.signalled.counting.Store(true)
			s.announce("%s", attachedText("", c, a))
		},
	})
	if err == nil && last.report.Coverage == nil {
		err = fmt.Errorf("backend %s: %w: the interfaces' own counters cannot be read", cand.Name, registry.ErrUnsupported)
	}
	return verified{backend: cand.Name, report: last.report, err: err}
}

// lastReport is a sink that keeps what verify needs of the final report.
type lastReport struct{ report *flow.Report }

func (l *lastReport) Write(_ context.Context, r *flow.Report) error {
	l.report = &flow.Report{Attach: r.Attach, Start: r.Start, End: r.End, Coverage: slices.Clone(r.Coverage)}
	return nil
}

func (*lastReport) Close() error { return nil }

// unexplainedError is the result of a comparison with differences that have no known reason.
type unexplainedError struct{ n int }

func (e *unexplainedError) Error() string {
	if e.n == 1 {
		return "a difference is not explained"
	}
	return fmt.Sprintf("%d differences are not explained", e.n)
}

// err returns an error if there is a difference without a reason.
func (v verification) err() error {
	n := 0
	for _, d := range v.differences() {
		if d.reasons == nil {
			n++
		}
	}
	if n == 0 {
		return nil
	}
	return &unexplainedError{n}
}
