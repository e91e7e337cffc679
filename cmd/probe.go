package cmd

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/choose"
	"github.com/pktstat/pktstat/internal/kernel/hostprobe"
	"github.com/pktstat/pktstat/internal/netif/iface"
	"github.com/pktstat/pktstat/registry"
)

// probeSchema is the value of the field "schema", which docs/probe.md describes. A later version
// may add fields; a field never changes its meaning.
const probeSchema = "pktstat.probe/v1"

// probeCommand is the sub-command that reports what works on this machine.
func (s *session) probeCommand(w io.Writer, cl *commandLine) *cli.Command {
	const name = "probe"
	var asJSON toggle
	own := []*option{
		{name: "iface", short: "i", arg: "NAME", initial: "the default route's", value: adder{cl.setIface},
			usage: "interface to ask what works on it; repeatable, as for a count"},
		{name: "netns", arg: "NAME|PID|PATH", value: setter(cl.setNetNS), usage: "the interfaces are in this network namespace"},
		{name: "json", short: "j", usage: "as JSON (schema " + probeSchema + ")", value: &asJSON},
	}
	return s.subCommand(name, "what works here, what does not and why, and what to do about it", own, func(c *cli.Context) error {
		if err := alone(c, name, cl); err != nil {
			return err
		}
		r, err := s.probeReport(c.Context, cl)
		if err != nil {
			return err
		}
		if asJSON.on {
			return writeJSON(w, r)
		}
		_, err = io.WriteString(w, r.text(s.textWidth()))
		return ignoreReported(err)
	},
		"pktstat probe tries out what works on this machine, why the rest does not and what to do",
		"about it, and says which backend would be taken. It changes nothing, and without",
		"privileges tells what it could not find out.")
}

// probeReport is the result of `pktstat probe`.
type probeReport struct {
	Schema     string          `json:"schema"`
	Version    string          `json:"version"`
	Kernel     string          `json:"kernel"`
	Arch       string          `json:"arch"`
	Root       bool            `json:"root"`
	Interfaces []string        `json:"interfaces"`
	Unresolved string          `json:"interfaces_unknown,omitempty"`
	Stacked    []stackedReport `json:"stacked"`
	Auto       autoReport      `json:"auto"`
	Backends   []backendReport `json:"backends"`
	Host       []groupReport   `json:"host"`
	Remedy     string          `json:"remedy,omitempty"`
}

// stackedReport is an interface that shows packets of other interfaces again.
type stackedReport struct {
	Iface string   `json:"iface"`
	On    []string `json:"stacked_on"`
}

// autoReport is what a count without --backend would do.
type autoReport struct {
	Backend      string              `json:"backend,omitempty"`
	Reason       string              `json:"reason,omitempty"`
	Error        string              `json:"error,omitempty"`
	ExitCode     int                 `json:"exit_code"`
	Alternatives []alternativeReport `json:"alternatives"`
}

type alternativeReport struct {
	Backend string `json:"backend"`
	Reason  string `json:"reason"`
}

type backendReport struct {
	Name       string            `json:"name"`
	Summary    string            `json:"summary"`
	Verdict    string            `json:"verdict"`
	Reason     string            `json:"reason,omitempty"`
	Cost       string            `json:"cost"`
	Abilities  []string          `json:"abilities"`
	Checks     []checkReport     `json:"checks"`
	Interfaces []interfaceReport `json:"interfaces,omitempty"`
}

type interfaceReport struct {
	Name    string        `json:"name"`
	Verdict string        `json:"verdict"`
	Checks  []checkReport `json:"checks"`
}

type groupReport struct {
	Name   string        `json:"name"`
	Checks []checkReport `json:"checks"`
}

type checkReport struct {
	Name    string   `json:"name"`
	Verdict string   `json:"verdict"`
	Since   string   `json:"since,omitempty"`
	Detail  string   `json:"detail,omitempty"`
	Reason  string   `json:"reason,omitempty"`
	Remedy  string   `json:"remedy,omitempty"`
	Needs   []string `json:"needs,omitempty"`
}

// probeReport runs all probes.
func (s *session) probeReport(ctx context.Context, cl *commandLine) (*probeReport, error) {
	r := &probeReport{Schema: probeSchema, Version: versionOf(), Root: s.Root, Interfaces: []string{}}
	where, err := cl.openNetNS()
	if err != nil {
		return nil, err
	}
	var on iface.Selection
	if err := where.Inside(func() (err error) { on, err = r.lookAround(cl); return err }); err != nil {
		return nil, err
	}
	host, err := hostprobe.Probe(ctx)
	if err != nil {
		return nil, err
	}
	r.Kernel, r.Arch = host.Kernel, host.Arch
	asked, err := s.request(cl)
	if err != nil {
		return nil, err
	}
	all, err := choose.Probe(ctx, asked.Backends, choose.Interfaces{NetNS: where, On: on.Interfaces, Follow: on.Follow})
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return nil, err
	}
	r.Auto = s.autoReport(asked, all)
	for _, p := range all {
		r.Backends = append(r.Backends, s.backendReport(p))
	}
	for _, g := range host.Groups {
		r.Host = append(r.Host, groupReport{g.Name, s.checkReports(g.Checks)})
	}
	r.Remedy = s.overallRemedy(all)
	return r, nil
}

// lookAround finds the interfaces that the user means, and the stacked ones among all.
func (r *probeReport) lookAround(cl *commandLine) (iface.Selection, error) {
	on, err := iface.Resolve(cl.ifaces)
	if err != nil {
		if len(cl.ifaces) > 0 {
			return on, guessedIface(err)
		}
		// Report the rest even without a default route.
		r.Unresolved, on = oneLine(err.Error()), iface.Selection{}
	}
	for _, i := range on.Interfaces {
		r.Interfaces = append(r.Interfaces, i.Name)
	}
	stacked, err := iface.AllStacked()
	if err != nil {
		return on, err
	}
	r.Stacked = make([]stackedReport, len(stacked))
	for i, s := range stacked {
		r.Stacked[i].Iface = s.Name
		for _, b := range s.On {
			r.Stacked[i].On = append(r.Stacked[i].On, b.Name)
		}
	}
	return on, nil
}

// autoReport ranks the backends as a count would.
func (s *session) autoReport(asked *choose.Request, all []choose.Probed) autoReport {
	c, err := asked.Live()
	if err != nil {
		return autoReport{Error: s.message(err), ExitCode: exitCode(err), Alternatives: []alternativeReport{}}
	}
	ranked := c.Rank(all)
	var a autoReport
	if err := ranked.Best(); err != nil {
		a.Error, a.ExitCode = s.message(err), exitCode(err)
	}
	pl := ranked.Plan("")
	others := pl.Alternatives
	for i, cand := range slices.Backward(pl.Candidates) {
		if i == 0 {
			a.Backend, a.Reason = cand.Name, cand.Reason
			break
		}
		others = append([]flow.Alternative{{Backend: cand.Name, Why: cand.WhyNot}}, others...)
	}
	a.Alternatives = make([]alternativeReport, len(others))
	for i, o := range others {
		a.Alternatives[i] = alternativeReport{o.Backend, oneLine(o.Why)}
	}
	return a
}

func (s *session) backendReport(p choose.Probed) backendReport {
	b := backendReport{
		Name: p.Name, Summary: p.Plugin.Summary, Verdict: p.Verdict().String(),
		Cost: p.Plugin.Cost.String(), Abilities: p.Plugin.Caps.Strings(), Checks: s.checkReports(p.Machine.Checks),
	}
	if err := p.Why(); err != nil {
		b.Reason = oneLine(err.Error())
	}
	for _, i := range p.Interfaces {
		b.Interfaces = append(b.Interfaces, interfaceReport{i.Name, i.Result.Verdict.String(), s.checkReports(i.Result.Checks)})
	}
	return b
}

func (s *session) checkReports(checks []registry.Check) []checkReport {
	all := make([]checkReport, len(checks))
	for i, c := range checks {
		all[i] = checkReport{
			Name: c.Name, Verdict: c.Verdict.String(), Since: c.Since,
			Detail: oneLine(c.Detail), Reason: oneLine(c.Reason), Remedy: oneLine(c.Remedy), Needs: c.Caps,
		}
		if len(c.Caps) > 0 && c.Remedy == "" {
			all[i].Remedy = s.capsRemedy(c.Caps)
		}
	}
	return all
}

// overallRemedy returns the remedy for all backends that lack permission; "" if none does.
func (s *session) overallRemedy(all []choose.Probed) string {
	var needs []string
	for _, p := range all {
		for _, c := range p.Worst().Checks {
			needs = append(needs, c.Caps...)
		}
	}
	if len(needs) == 0 {
		return ""
	}
	slices.Sort(needs)
	return s.capsRemedy(slices.Compact(needs))
}

// since adds the first kernel version with the feature to a name.
func (c checkReport) since() string {
	if c.Since == "" || strings.HasPrefix(c.Name, "cap_") {
		return c.Name
	}
	return fmt.Sprintf("%s (since Linux %s)", c.Name, c.Since)
}
