package manual

import (
	"strings"

	"github.com/pktstat/pktstat/internal/cli/describe"
)

// command returns the page on the command.
func command(p *describe.Program) string {
	var m page
	m.name(p.Name, p.Summary)
	m.heading("SYNOPSIS")
	m.WriteString(bold(p.Name) + " " + italic("[options]") + "\n")
	for _, c := range p.Commands {
		m.WriteString("\n" + synopsis(p, &c) + "\n")
	}
	m.heading("DESCRIPTION")
	m.para("Counts packets and bytes until `--timeout`, a signal or the end of a capture, and then reports them by flow. " +
		"The total of a report is the sum of its rows and of the lines for rest, overflow and lost.")
	m.heading("OPTIONS")
	for _, g := range p.Groups {
		if len(g.Options) == 0 {
			continue
		}
		m.sub(g.Title)
		for i := range g.Options {
			m.option(&g.Options[i])
		}
	}
	m.commands(p)
	m.outputs(p)
	m.configuration(p)
	m.heading("EXIT STATUS")
	for _, e := range p.Exits {
		m.entry(bold(e.Term), e.Text)
	}
	m.heading("EXAMPLES")
	for _, e := range p.Examples {
		m.para(e.Text + ":")
		m.example(e.Term)
	}
	m.heading("SEE ALSO")
	m.WriteString(bold(p.Name+"-fields") + "(7), " + bold("tc") + "(8), " + bold("tcpdump") + "(8), " + bold("capabilities") + "(7)\n")
	return m.String()
}

func synopsis(p *describe.Program, c *describe.Command) string {
	s := bold(p.Name + " " + c.Name)
	for i := range c.Options {
		s += " " + plain("[") + spelled(&c.Options[i], true) + plain("]")
	}
	if c.Args != "" {
		s += " " + italic(c.Args)
	}
	return s
}

// spelled returns the spellings of an option, in Markdown.
func spelled(o *describe.Option, short bool) string {
	names := bold(describe.Dashed(o.Name))
	if o.Short != "" && short {
		names = bold(describe.Dashed(o.Short))
	} else if o.Short != "" {
		names = bold(describe.Dashed(o.Short)) + ", " + names
	}
	if o.Arg != "" {
		names += " " + italic(o.Arg)
	}
	return names
}

func (p *page) option(o *describe.Option) { p.entry(spelled(o, false), explained(o)) }

// explained returns the usage of an option with its default, as a sentence.
func explained(o *describe.Option) string {
	text := o.Usage
	if o.Default != "" {
		text += " (default: " + o.Default + ")"
	}
	return text + "."
}

func (p *page) commands(of *describe.Program) {
	p.heading("COMMANDS")
	for i := range of.Commands {
		c := &of.Commands[i]
		term := bold(c.Name)
		if c.Args != "" {
			term += " " + italic(c.Args)
		}
		text := c.Summary + "."
		for j := range c.Options {
			o := &c.Options[j]
			text += " `" + strings.TrimSpace(describe.Dashed(o.Name)+" "+o.Arg) + "`: " + o.Usage + "."
		}
		p.entry(term, text)
	}
}

// outputs writes the options of outputs.
func (p *page) outputs(of *describe.Program) {
	p.heading("OUTPUTS")
	p.para("`--output NAME[=TARGET][,KEY=VALUE]...` names one of these. Write a comma in a target or a value as `\\,`.")
	for _, o := range of.Outputs {
		p.entry(bold(o.Name), o.Summary+".")
		for i := range o.Options {
			k := &o.Options[i]
			key := o.Name + "," + k.Name
			if k.Arg == "" {
				p.entry(bold(key), explained(k))
			} else {
				p.entry(bold(key+"=")+italic(k.Arg), explained(k))
			}
		}
	}
}

// configuration writes where option values come from besides the command line.
func (p *page) configuration(of *describe.Program) {
	p.heading("CONFIGURATION")
	p.para("An option that the command line does not give takes its value from the first of these that has it. " +
		"Only counting reads them, not the other commands. `" + of.Name + " config` prints each value and its source.")
	p.entry(bold("environment"), "Variables are named like `"+describe.Variable(of.Name, "max-flows")+"`. `"+describe.Variable(of.Name, "config")+"` stands for `--config`. An empty variable is ignored. "+
		"One that begins with a bracket is a TOML array, for options that are repeatable.")
	p.entry(bold("--config")+" "+italic("FILE"), "A missing file is an error. `--config none` reads no file at all.")
	p.entry(bold("$XDG_CONFIG_HOME/"+of.Name+"/config.toml"), "`~/.config` stands for an unset `XDG_CONFIG_HOME`. "+
		"The file must belong to the user or to root, and others must not be able to write to it.")
	p.entry(bold("/etc/"+of.Name+"/config.toml"), "The same rules apply to this file.")
	p.para("Files are in TOML. Keys are the long names of options; a repeatable option takes an array. " +
		"An unknown key is an error. A list replaces the list of a later source; the two are not merged. " +
		"`--NAME=false` turns off an option that is on.")
	p.example("by = [\"src\", \"dst\"]\noutput = [\"table\", \"json=/var/tmp/run.json\"]\nprocess = true\ntimeout = \"1m\"")
}
