package cmd

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/go-multierror"
	"github.com/urfave/cli/v2"

	"github.com/pktstat/pktstat/registry"
)

// usageError converts the library's error about a command line into one clear sentence.
func usageError(options []*option, habitOf func(string) string, args []string) cli.OnUsageErrorFunc {
	return func(_ *cli.Context, err error, _ bool) error {
		for _, o := range options {
			if o.err != nil {
				return o.err
			}
		}
		text := err.Error()
		if name, ok := strings.CutPrefix(text, "flag provided but not defined: -"); ok {
			text = unknownOption(name, options, habitOf, args)
		} else if name, ok := strings.CutPrefix(text, "flag needs an argument: -"); ok {
			text = "option " + dashed(name) + " needs a value"
		}
		return fmt.Errorf("%w: %s", registry.ErrUsage, text)
	}
}

func unknownOption(name string, options []*option, habitOf func(string) string, args []string) string {
	text := "unknown option " + asTyped(name, args)
	if habit := habitOf(name); habit != "" {
		return text + ": " + habit
	}
	if near := nearestOption(name, append(slices.Clone(options), helpOption())); near != "" {
		return text + ": is " + near + " meant?"
	}
	if apart := glued(name, options); apart != "" {
		return text + ": is " + apart + " meant?"
	}
	return text
}

// asTyped returns an option with the dashes that the user typed.
func asTyped(name string, args []string) string {
	for _, arg := range args {
		if typed, _, _ := optionName(arg); typed == name {
			typed, _, _ = strings.Cut(arg, "=")
			return typed
		}
	}
	return dashed(name)
}

// commandError is wrong usage of a sub-command, which has its own help.
type commandError struct {
	command string
	error
}

func (e *commandError) Unwrap() error { return e.error }

// subCommand returns a sub-command with options of its own. about is the first lines of its help.
func (s *session) subCommand(name, usage string, own []*option, action cli.ActionFunc, about ...string) *cli.Command {
	flags := helpFlags(&toggle{})
	for _, o := range own {
		flags = append(flags, o)
	}
	h := helpText{width: helpWidth}
	for _, line := range about {
		h.line(line)
	}
	h.options("Options", append(own, &option{name: "help", short: "h", usage: "print this help"}))
	return &cli.Command{
		Name: name, Usage: usage, HideHelp: true, Flags: flags,
		Description: h.String(), CustomHelpTemplate: `{{.Description}}`,
		OnUsageError: usageError(own, noHabits, s.Args), Action: action,
	}
}

// noHabits: other tools have no such sub-commands.
func noHabits(string) string { return "" }

// ownOptions returns the options of a sub-command, without its help.
func ownOptions(c *cli.Command) (own []*option) {
	for _, f := range c.Flags {
		if o, ok := f.(*option); ok && o.name != "help" && o.name != "?" {
			own = append(own, o)
		}
	}
	return own
}

// ofCommand marks an error as wrong usage of a sub-command.
func ofCommand(name string, err error) error {
	if _, several := err.(*multierror.Error); several || !errors.Is(err, registry.ErrUsage) { //nolint:errorlint // as in flatten
		return err
	}
	return &commandError{name, err}
}

// marked returns sub-commands whose errors are marked.
func marked(commands []*cli.Command) []*cli.Command {
	for _, c := range commands {
		action, usage := c.Action, c.OnUsageError
		c.Action = func(ctx *cli.Context) error { return ofCommand(c.Name, action(ctx)) }
		if usage != nil {
			c.OnUsageError = func(ctx *cli.Context, err error, sub bool) error { return ofCommand(c.Name, usage(ctx, err, sub)) }
		}
	}
	return commands
}
