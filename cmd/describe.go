package cmd

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/cli/describe"
	"github.com/pktstat/pktstat/registry"
)

// exitCodes are the exit codes as users read them; exit.go has the constants.
var exitCodes = []describe.Entry{
	{Term: strconv.Itoa(exitDone), Text: "done"},
	{Term: strconv.Itoa(exitFailure), Text: "failed at run time; what was counted until then has been reported"},
	{Term: strconv.Itoa(exitUsage), Text: "wrong usage"},
	{Term: strconv.Itoa(exitUnsupported), Text: "the kernel or the network card lacks what was asked"},
	{Term: strconv.Itoa(exitPermission), Text: "permission: the message names the capabilities"},
	{Term: strconv.Itoa(exitOutput), Text: "counted, but an output failed"},
	{Term: strconv.Itoa(exitOver), Text: "a threshold of --exit-over was exceeded; the report has all until then"},
	{Term: strconv.Itoa(exitDiffers), Text: "`verify` found a difference that it cannot explain"},
	{Term: strconv.Itoa(exitSignal) + " + n", Text: "ended by a second signal n, or before counting began, without a report"},
}

// Describe describes the command line: the options, the sub-commands and the plugins.
func (a *App) Describe() *describe.Program {
	s := &session{App: a}
	cl := newCommandLine(a)
	return s.describe(cl, s.commands(io.Discard, cl))
}

func (s *session) describe(cl *commandLine, commands []*cli.Command) *describe.Program {
	p := &describe.Program{
		Name: program, Summary: strings.TrimPrefix(summary, program+" "), Version: versionOf(), Date: s.date(),
		Exits: exitCodes, Examples: s.exampleEntries(cl), Fields: flow.Fields.All(),
	}
	for _, g := range cl.groups() {
		p.Groups = append(p.Groups, describe.Group{Title: g.title, Options: described(g.options)})
	}
	for _, c := range visible(commands) {
		p.Commands = append(p.Commands, describe.Command{
			Name: c.Name, Args: c.ArgsUsage, Summary: c.Usage, Words: argumentWords(c.Name), Options: described(ownOptions(c)),
		})
	}
	for _, m := range cl.backends {
		p.Backends = append(p.Backends, describe.Plugin{Name: m.name, Summary: m.backend.Summary, Options: described(m.options)})
	}
	for _, m := range cl.labels {
		p.Labels = append(p.Labels, describe.Plugin{Name: m.name, Summary: m.label.Summary, Options: described(m.options)})
	}
	for name, out := range s.Outputs.All() {
		p.Outputs = append(p.Outputs, describe.Plugin{Name: name, Summary: out.Summary, Options: described(optionsOf("", out.New().Flags))})
	}
	return p
}

func described(options []*option) []describe.Option {
	var all []describe.Option
	for _, o := range options {
		d := describe.Option{
			Name: o.name, Short: o.short, Arg: o.arg, Usage: o.usage, Default: o.initial,
			Repeatable: o.list(), Once: o.once, Values: o.values,
		}
		if d.Values.Kind == describe.Free {
			d.Values = guessed(o)
		}
		all = append(all, d)
	}
	return all
}

// guessed returns the values of a plugin's option, by the placeholder in its help.
func guessed(o *option) describe.Values {
	columns := o.name == "columns" && o.arg == "NAMES"
	switch {
	case columns:
		return describe.Values{Kind: describe.Fields, Words: flow.Fields.Names(func(f *flow.Field) bool { return !f.Derived })}
	case o.arg == "FILE" || o.arg == "PATH":
		return describe.Values{Kind: describe.Files}
	case o.arg == "DEVICE":
		return describe.Values{Kind: describe.Interfaces}
	}
	return describe.Values{}
}

// list reports whether the option takes more than one value.
func (o *option) list() bool {
	target := o
	if o.of != nil {
		target = o.of
	}
	l, ok := target.value.(registry.List)
	return ok && l.IsList()
}

func words(list []string) describe.Values { return describe.Values{Kind: describe.Word, Words: list} }

func namesOf[T any](r *registry.Registry[T]) []string {
	var names []string
	for name := range r.All() {
		names = append(names, name)
	}
	return names
}

// visible returns the sub-commands that the help names.
func visible(commands []*cli.Command) []*cli.Command {
	return slices.DeleteFunc(slices.Clone(commands), func(c *cli.Command) bool { return c.Hidden })
}

func commandNames(commands []*cli.Command) []string {
	var names []string
	for _, c := range visible(commands) {
		names = append(names, c.Name)
	}
	return names
}

// usageOf returns the syntax of a sub-command: "pktstat probe [-i NAME] [--json]".
func usageOf(c *cli.Command) string {
	text := program + " " + c.Name
	for _, o := range ownOptions(c) {
		text += " [" + strings.TrimSpace(dashed(o.name)+" "+o.arg) + "]"
	}
	return strings.TrimSpace(text + " " + c.ArgsUsage)
}

// exampleEntries returns the common uses. A use of a plugin is present only if the plugin is.
func (s *session) exampleEntries(cl *commandLine) []describe.Entry {
	all := []describe.Entry{
		{Term: "sudo pktstat -t 10", Text: "ten seconds of the interface of the default route"},
		{Term: "sudo pktstat -i eth0 --by src,dst --top 20", Text: "the busiest pairs of addresses, until Ctrl-C or 10 minutes"},
	}
	for _, m := range cl.backends {
		if m.backend.Files != "" {
			all = append(all, describe.Entry{Term: "pktstat trace.pcap*", Text: "from captures, in the order of time; needs no privileges"})
			break
		}
		if m.backend.Caps.Has(registry.CapFile) && len(m.wants) > 0 {
			all = append(all, describe.Entry{Term: "pktstat " + dashed(m.wants[0].name) + " " + m.wants[0].arg, Text: "from a capture; needs no privileges"})
			break
		}
	}
	for name, out := range s.Outputs.All() {
		if name != defaultOutput && !out.TTY && out.When == registry.WhenFinal {
			all = append(all, describe.Entry{Term: fmt.Sprintf("sudo pktstat --output %s --output %s=FILE", defaultOutput, name), Text: "two reports of one count"})
			break
		}
	}
	return all
}

// date returns the date of the source, which does not depend on the builder. It is
// SOURCE_DATE_EPOCH (reproducible-builds.org) or the commit's date.
func (s *session) date() time.Time {
	if n, err := strconv.ParseInt(s.Getenv("SOURCE_DATE_EPOCH"), 10, 64); err == nil {
		return time.Unix(n, 0)
	}
	at, err := time.Parse(time.RFC3339, buildSettings()["vcs.time"])
	if err != nil {
		return time.Time{}
	}
	return at
}
