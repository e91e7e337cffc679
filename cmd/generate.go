package cmd

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/pktstat/pktstat/internal/cli/completion"
	"github.com/pktstat/pktstat/internal/cli/describe"
	"github.com/pktstat/pktstat/internal/cli/manual"
	"github.com/pktstat/pktstat/registry"
)

// commands returns the sub-commands.
func (s *session) commands(stdout io.Writer, cl *commandLine) []*cli.Command {
	all := []*cli.Command{
		s.probeCommand(stdout, cl),
		s.verifyCommand(stdout, cl),
		s.listCommand("backends", "ways to see packets, and their options", "this build with their options", s.listBackends, stdout, cl),
		s.listCommand("outputs", "ways to report, and their options", "this build with their options", s.listOutputs, stdout, cl),
		s.listCommand("labels", "what pktstat knows of flows from outside the packets", "this build with their fields", s.listLabels, stdout, cl),
		s.listCommand("fields", "fields of the rows, for --by, --sort and the columns of outputs",
			"the rows of reports, for --by, --sort and columns=", s.listFields, stdout, cl),
		s.configCommand(stdout, cl),
	}
	pages, shells := manual.Pages(program), completion.Shells()
	all = append(all,
		s.textCommand("man", "[PAGE]", program, "a man page, for `man -l` and packages", stdout, cl,
			func(d *describe.Program, page string) []byte { return pages[page].Roff(d) }),
		s.textCommand("completion", "SHELL", "", "a script that lets a shell complete options and their values", stdout, cl,
			func(d *describe.Program, shell string) []byte { return []byte(shells[shell](d)) }),
		s.versionCommand(stdout, cl))
	return append(marked(all),
		&cli.Command{Name: "help", Usage: "help on a topic", ArgsUsage: "[TOPIC]", HideHelp: true, Hidden: true, SkipFlagParsing: true, Action: helpOn})
}

// argumentWords returns what a sub-command accepts as its argument; nil: anything, or none.
func argumentWords(command string) []string {
	switch command {
	case "man":
		return slices.Sorted(maps.Keys(manual.Pages(program)))
	case "completion":
		return slices.Sorted(maps.Keys(completion.Shells()))
	}
	return nil
}

// textCommand returns a sub-command that prints a text from the description of the command line.
// initial is the default argument; "" if the argument is required.
func (s *session) textCommand(name, args, initial, usage string, w io.Writer, cl *commandLine,
	text func(*describe.Program, string) []byte) *cli.Command {
	list := argumentWords(name)
	c := s.subCommand(name, usage, nil, func(c *cli.Context) error {
		if err := cl.noneGiven(name); err != nil {
			return err
		}
		which := initial
		if c.Args().Present() {
			which = c.Args().First()
		}
		switch {
		case c.Args().Len() > 1:
			return fmt.Errorf("%w: %s takes one argument: %q", registry.ErrUsage, name, c.Args().Get(1))
		case which == "":
			return fmt.Errorf("%w: %s needs an argument: %s", registry.ErrUsage, name, strings.Join(list, ", "))
		case !slices.Contains(list, which):
			err := fmt.Errorf("%w: %s has no %q: there are %s", registry.ErrUsage, name, which, strings.Join(list, ", "))
			return withGuess(err, which, list)
		}
		_, err := w.Write(text(s.describe(cl, s.commands(io.Discard, cl)), which))
		return ignoreReported(err)
	}, "pktstat "+name+" "+args+" prints "+usage+".", args+" is one of "+strings.Join(list, ", ")+".")
	c.ArgsUsage = args
	return c
}
