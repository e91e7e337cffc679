package cmd

import (
	"fmt"
	"strings"

	"github.com/pktstat/pktstat/internal/choose"
	"github.com/pktstat/pktstat/registry"
)

const (
	verdictWidth = len("inconclusive")
	verdictLead  = 2 + verdictWidth + 2 // column of the checks' names
)

// text returns the report for people: the choice of auto, then what works and what does not.
func (r *probeReport) text(width int) string {
	h := helpText{width: width}
	r.writeAuto(&h)
	h.heading("Backends")
	for _, b := range r.Backends {
		h.line(fmt.Sprintf("%s: %s", b.Name, b.Verdict))
		h.checks(b.Checks)
		for _, i := range b.Interfaces {
			h.line("  on " + i.Name)
			h.checks(i.Checks)
		}
	}
	r.writeStack(&h)
	h.heading("Machine: Linux " + r.Kernel + ", " + r.Arch)
	for _, g := range r.Host {
		h.line(g.Name)
		h.checks(g.Checks)
	}
	if r.Remedy != "" {
		h.heading("To find out the rest, and to count")
		h.wrapped(2, 2, r.Remedy)
	}
	return h.String()
}

// writeStack writes which interfaces show packets of others again.
func (r *probeReport) writeStack(h *helpText) {
	if len(r.Stacked) == 0 {
		return
	}
	h.heading("Interfaces that show packets of others again (see links in the report)")
	for _, s := range r.Stacked {
		h.wrapped(2, 4, s.Iface+" is on "+strings.Join(s.On, ", "))
	}
}

// writeAuto writes what a count without --backend would do.
func (r *probeReport) writeAuto(h *helpText) {
	command := program
	for _, name := range r.Interfaces {
		command += " -i " + name
	}
	if r.Auto.Backend != "" {
		reason := strings.TrimPrefix(r.Auto.Reason, choose.ByAuto)
		h.wrapped(0, 2, fmt.Sprintf("%s would count by %s: %s", command, r.Auto.Backend, reason))
	} else {
		h.wrapped(0, 2, fmt.Sprintf("%s would not count (exit code %d): %s", command, r.Auto.ExitCode, r.Auto.Error))
	}
	for _, o := range r.Auto.Alternatives {
		h.wrapped(2, 4, fmt.Sprintf("not %s: %s", o.Backend, o.Reason))
	}
	if r.Unresolved != "" {
		h.wrapped(0, 2, "no interface was asked: "+r.Unresolved)
	}
}

// checks writes the supported checks in one paragraph, and the others one by one.
func (h *helpText) checks(all []checkReport) {
	var good []string
	var denied = map[string][]string{} // by reason, which many share
	var reasons []string
	for _, c := range all {
		switch {
		case c.Verdict == registry.Supported.String() && c.Detail != "":
			good = append(good, fmt.Sprintf("%s (%s)", c.Name, c.Detail))
		case c.Verdict == registry.Supported.String():
			good = append(good, c.Name)
		case len(c.Needs) > 0 && c.Verdict == registry.Inconclusive.String():
			if denied[c.Reason] == nil {
				reasons = append(reasons, c.Reason)
			}
			denied[c.Reason] = append(denied[c.Reason], c.Name)
		}
	}
	if good != nil {
		h.verdict(registry.Supported.String(), strings.Join(good, ", "))
	}
	for _, reason := range reasons {
		h.verdict(registry.Inconclusive.String(), strings.Join(denied[reason], ", ")+": "+reason)
	}
	for _, c := range all {
		if c.Verdict == registry.Supported.String() || denied[c.Reason] != nil {
			continue
		}
		text := c.since() + ": " + strings.TrimPrefix(c.Reason, registry.ErrUnsupported.Error()+": ")
		if c.Detail != "" {
			text += " (" + c.Detail + ")"
		}
		h.verdict(c.Verdict, text)
		if c.Remedy != "" && len(c.Needs) == 0 {
			h.wrapped(verdictLead, verdictLead, "-> "+c.Remedy)
		}
	}
}

func (h *helpText) verdict(verdict, text string) {
	lead := "  " + verdict + strings.Repeat(" ", verdictWidth-len(verdict)+2)
	for i, l := range wrap(text, h.width-verdictLead) {
		if i > 0 {
			lead = strings.Repeat(" ", verdictLead)
		}
		h.line(lead + l)
	}
}

// wrapped writes text with different indents for the first and the other lines.
func (h *helpText) wrapped(first, rest int, text string) {
	indent := first
	for _, l := range wrap(text, h.width-max(first, rest)) {
		h.line(strings.Repeat(" ", indent) + l)
		indent = rest
	}
}
