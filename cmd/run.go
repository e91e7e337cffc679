package cmd

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/choose"
	"github.com/pktstat/pktstat/internal/count/engine"
	"github.com/pktstat/pktstat/internal/netif/iface"
	"github.com/pktstat/pktstat/internal/netif/netns"
	"github.com/pktstat/pktstat/registry"
)

// count is `pktstat` without a sub-command. It first makes all checks without side effects, then
// those that are easy to undo.
func (s *session) count(ctx context.Context, cl *commandLine) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s.stop = func() {
		s.stopped.Store(true)
		cancel()
	}
	err := s.countUntil(ctx, cl)
	if s.stopped.Load() && !s.signalled.counting.Load() && errors.Is(err, context.Canceled) {
		return nil // the user ended the run before the first packet
	}
	return err
}

func (s *session) countUntil(ctx context.Context, cl *commandLine) error {
	asked, err := s.request(cl)
	if err != nil {
		return err
	}
	chosen, err := asked.Choose()
	if err != nil {
		return err
	}
	planned, targets, err := s.planOutputs(cl)
	if err != nil {
		return err
	}
	groupings, err := cl.groupRows(planned)
	if err != nil {
		return err
	}
	if err := asked.CheckFields(chosen, cl.dims); err != nil {
		return err
	}
	labels := cl.chosenLabels(groupings)
	cl.mild(labels, chosen)
	if err := labels.Check(chosen.Backends); err != nil {
		return err
	}
	abandon := func() {
		targets.Abandon()
		s.terminal.restore()
	}
	s.signalled.abandon.Store(&abandon)

	env, err := s.backendEnv(cl, chosen)
	if err != nil {
		return err
	}
	// Choose before outputs open: else a live page would be announced that ends at once.
	pl, err := asked.Plan(ctx, chosen, &env, s.debugf)
	if err != nil {
		return err
	}
	open, err := s.openOutputs(ctx, cl, planned, chosen.Clock())
	if err != nil {
		return err
	}
	defer s.terminal.restoreOnPanic()()
	return s.run(ctx, engine.Config{
		Candidates: pl.Candidates, Alternatives: pl.Alternatives, Env: env, Outputs: open, Labels: labels.For,
		Dims: cl.dims, MaxFlows: cl.maxFlows, Sort: cl.sort, Layer: cl.layer,
		Over: cl.over, Origin: s.origin(cl),
		Timeout: timeout(cl, pl.Candidates, planned), Refresh: cl.refresh,
		ReportNow: s.signalled.reportNow,
		Attached: func(c engine.Candidate, others []flow.Alternative, a registry.Attachment) {
			s.attached(cl, c, others, a)
		},
		Progress: s.progressOf(planned),
	})
}

// run counts. The engine closes the outputs in any case.
func (s *session) run(ctx context.Context, c engine.Config) error {
	err := engine.Run(ctx, c)
	if errors.Is(err, context.Canceled) && !s.signalled.counting.Load() {
		return fmt.Errorf("ended before counting started: %w", err)
	}
	return err
}

// timeout returns the timeout of the run. The default is for live traffic, which has no end, with
// outputs that no user watches.
func timeout(cl *commandLine, candidates []engine.Candidate, planned []*plannedOutput) time.Duration {
	live := func(c engine.Candidate) bool { return c.Backend.ClockOf(c.Config) == registry.ClockWall }
	watched := func(p *plannedOutput) bool { return p.output.TTY }
	if !cl.timeoutSet && (!slices.ContainsFunc(candidates, live) || slices.ContainsFunc(planned, watched)) {
		return 0
	}
	return cl.timeout
}

// backendEnv returns what the backends need to know. It finds the interfaces.
func (s *session) backendEnv(cl *commandLine, chosen choose.Choice) (registry.BackendEnv, error) {
	env := registry.BackendEnv{
		MaxFlows: cl.maxFlows, Stdin: s.Stdin, Now: s.Now, Notify: s.say, Debugf: s.debugf,
	}
	if !chosen.Has(registry.CapInterfaces) {
		return env, nil
	}
	var err error
	if env.NetNS, err = cl.openNetNS(); err != nil {
		return env, err
	}
	var found iface.Selection
	err = env.NetNS.Inside(func() (err error) {
		found, err = iface.Resolve(cl.ifaces)
		return err
	})
	if err != nil {
		return env, guessedIface(err)
	}
	switch len(found.Down) {
	case 0:
	case 1:
		s.say("interface %s is down: nothing is counted there until it is up", found.Down[0])
	default:
		s.say("interfaces %s are down: nothing is counted there until they are up", strings.Join(found.Down, ", "))
	}
	for _, spec := range found.Waiting {
		s.say("no interface %s: waiting for one", waitedFor(spec))
	}
	env.Interfaces, env.Follow = found.Interfaces, found.Follow
	return env, nil
}

// openNetNS opens the network namespace of the options for the rest of the process; nil if none was
// given.
func (cl *commandLine) openNetNS() (*registry.NetNS, error) {
	if cl.netns == "" {
		return nil, nil
	}
	ns, err := netns.Open(cl.netns)
	if err != nil {
		return nil, err
	}
	return &registry.NetNS{Name: ns.String(), Do: ns.Do}, nil
}

func waitedFor(spec string) string {
	if spec == iface.Any {
		return "is up"
	}
	return "matches " + strconv.Quote(spec)
}

// attached prints that counting has begun. Scripts wait for this line.
func (s *session) attached(cl *commandLine, c engine.Candidate, others []flow.Alternative, a registry.Attachment) {
	s.signalled.counting.Store(true)
	subject := ""
	for _, m := range cl.backends {
		if m.name == c.Name {
			subject = m.subject()
			if subject == "" && c.Backend.Caps.Has(registry.CapInterfaces) {
				subject = "no interface yet"
			}
		}
	}
	s.announce("%s", attachedText(subject, c, a))
	for _, o := range others {
		s.debugf("backend %s is not taken: %s", o.Backend, o.Why)
	}
	if c.Backend.ClockOf(c.Config) == registry.ClockWall {
		s.unreadCapture(cl)
	}
}

// namedInterfaces is how many interfaces a line names. A machine with containers has hundreds.
const namedInterfaces = 16

// attachedText names what is counted: interfaces, or the subject.
func attachedText(subject string, c engine.Candidate, a registry.Attachment) string {
	var names []string
	for _, i := range a.Interfaces {
		names = append(names, i.Name)
	}
	switch {
	case names != nil:
		subject = strings.Join(names[:min(len(names), namedInterfaces)], ", ")
		if more := len(names) - namedInterfaces; more > 0 {
			subject += fmt.Sprintf(" and %d more", more)
		}
	case subject == "":
		subject = "all traffic"
	}
	how := c.Name
	if a.Method != "" {
		how += ", " + a.Method
	}
	text := fmt.Sprintf("counting on %s (%s)", subject, how)
	for _, note := range append([]string{c.Reason}, a.Notes...) {
		if note != "" {
			text += "; " + note
		}
	}
	return text
}

// progressOf returns the engine's progress callback; nil if an output writes to the terminal during
// the run.
func (s *session) progressOf(planned []*plannedOutput) func(engine.Progress) {
	if !terminalOf(s.Stderr, s.Getenv).IsTTY {
		return nil
	}
	onTerminal := terminalOf(s.Stdout, s.Getenv).IsTTY
	for _, p := range planned {
		live := p.output.TTY || p.when&registry.WhenInterval != 0
		if onTerminal && live && p.target.Stdout() {
			return nil
		}
	}
	_, s.meter.rows = planned[0].by.Nouns()
	return s.progress
}
