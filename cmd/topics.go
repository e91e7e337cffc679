package cmd

import (
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/pktstat/pktstat/registry"
)

// allTopics is the topic with every option.
const allTopics = "all"

// help returns the text of --help, for the width of the terminal. It fits on a screen.
func (s *session) help(cl *commandLine, commands []*cli.Command) string {
	h := helpText{width: s.textWidth()}
	h.line(summary + ".")
	h.heading("Usage")
	h.entry(cl.usage(), "count until --timeout, a signal or the end of the captures, then report")
	h.entry(program+" COMMAND", strings.Join(commandNames(commands), ", "))
	h.heading("Examples")
	s.examples(&h, cl)
	h.heading("The options used most")
	for _, o := range cl.common() {
		h.entry(o.term(), o.gist())
	}
	h.heading("More")
	h.entry(program+" --help all", "every option")
	h.entry(program+" --help TOPIC", strings.Join(s.topics(cl, commands), ", "))
	return h.String()
}

// summary is the purpose of the program.
const summary = "pktstat counts network traffic by flow, on live interfaces or from captures"

// helpOnAll returns the text of --help all.
func (s *session) helpOnAll(cl *commandLine, commands []*cli.Command) string {
	h := helpText{width: s.textWidth()}
	h.line(summary + ".")
	h.heading("Usage")
	h.entry(cl.usage(), "count until --timeout, a signal or the end of the captures, then report")
	for _, c := range visible(commands) {
		h.entry(usageOf(c), c.Usage)
	}
	h.heading("Examples")
	s.examples(&h, cl)
	for _, g := range cl.groups() {
		h.options(g.heading(), g.options)
	}
	h.heading("Exit code")
	for _, e := range exitCodes {
		h.entry(e.Term, e.Text)
	}
	return h.String()
}

// examples writes the common uses.
func (s *session) examples(h *helpText, cl *commandLine) {
	for _, e := range s.exampleEntries(cl) {
		h.line(strings.Repeat(" ", helpIndent) + e.Term)
		h.line(strings.Repeat(" ", helpIndent+4) + e.Text)
	}
}

// common returns the options of the short help. They are the program's own options that are marked,
// the options that name a capture, and the shorthands of outputs and labels.
func (cl *commandLine) common() []*option {
	var all []*option
	for _, o := range cl.own() {
		if o.common {
			all = append(all, o)
		}
	}
	all = append(append(all, cl.outputShorthands...), cl.labelToggles...)
	for _, m := range cl.backends {
		if m.backend.Caps.Has(registry.CapFile) && len(m.wants) > 0 {
			all = append(all, m.wants[0])
		}
	}
	return append(all, helpOption())
}

// gist returns the usage text up to its first stop.
func (o *option) gist() string {
	end := len(o.usage)
	for _, stop := range []string{"; ", ": ", ". "} {
		if i := strings.Index(o.usage, stop); i >= 0 {
			end = min(end, i)
		}
	}
	return o.usage[:end]
}

// group is options under a heading.
type group struct {
	title   string
	topic   string // "" if another topic has them
	about   string // "" if the title suffices
	options []*option
}

func (g *group) heading() string {
	if g.about == "" {
		return g.title
	}
	return g.title + ": " + g.about
}

// groups returns all options by the headings of the help.
func (cl *commandLine) groups() []group {
	labels := slices.Clone(cl.labelToggles)
	for _, l := range cl.labels {
		labels = append(labels, l.options...)
	}
	all := []group{
		{title: "Options", topic: "options", options: append(slices.Clone(cl.general), helpOption())},
		{title: "Grouping", topic: "grouping", options: cl.grouping},
		{title: "Outputs", options: slices.Concat(cl.output, cl.outputShorthands)},
		{title: "Labels", options: labels},
	}
	for _, m := range cl.backends {
		all = append(all, group{title: "Backend " + m.name, about: m.backend.Summary, options: slices.Concat(m.shorthands, m.options)})
	}
	return all
}

func helpOption() *option {
	return &option{name: "help", short: "h", usage: "print this help (also -?)", once: true}
}

// topics returns what --help accepts, without plugins.
func (s *session) topics(cl *commandLine, commands []*cli.Command) []string {
	all := []string{allTopics}
	for _, g := range cl.groups() {
		if g.topic != "" {
			all = append(all, g.topic)
		}
	}
	all = append(all, commandNames(commands)...)
	return append(all, "the name of an option, backend, label or output")
}

// topic returns the help on a topic that is not a sub-command; "" if unknown.
func (s *session) topic(cl *commandLine, commands []*cli.Command, name string) string {
	if name == allTopics {
		return s.helpOnAll(cl, commands)
	}
	h := helpText{width: s.textWidth()}
	for _, g := range cl.groups() {
		if g.topic == name {
			h.options(g.heading(), g.options)
		}
	}
	for _, kind := range []struct {
		name string
		list func(*commandLine) listing
	}{{"Backend", s.listBackends}, {"Output", s.listOutputs}, {"Label", s.listLabels}} {
		l, _ := kind.list(cl).(plugins)
		l.Plugins = slices.DeleteFunc(l.Plugins, func(p plugin) bool { return p.Name != name })
		if len(l.Plugins) > 0 {
			h.WriteString("\n" + kind.name + " " + l.text())
		}
	}
	if o := cl.find(name); o != nil && h.Len() == 0 {
		h.entry(o.term(), o.explanation())
	}
	return strings.TrimPrefix(h.String(), "\n")
}

// find returns the option with a name, with or without dashes; nil if there is none.
func (cl *commandLine) find(name string) *option {
	for _, o := range cl.all() {
		if slices.Contains(o.names(), strings.TrimLeft(name, "-")) {
			return o
		}
	}
	return nil
}

// helpOn is the sub-command help: on pktstat, on a topic or on another sub-command.
func helpOn(c *cli.Context) error {
	if c.Args().Present() {
		return cli.ShowCommandHelp(c, c.Args().First())
	}
	return cli.ShowAppHelp(c)
}

// unknownTopic returns an error that lists what --help accepts.
func (s *session) unknownTopic(cl *commandLine, commands []*cli.Command, name string) error {
	topics := s.topics(cl, commands)
	err := fmt.Errorf("%w: no help on %q: there are %s", registry.ErrUsage, name, strings.Join(topics, ", "))
	return withGuess(err, name, slices.Concat(topics[:len(topics)-1], cl.backendNames(), cl.outputNames))
}
