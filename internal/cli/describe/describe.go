// Package describe describes a command line as data. Man pages, shell completion and the tables of
// the documents are made from it.
package describe

import (
	"time"

	"github.com/pktstat/pktstat/flow"
)

// Program is a command with its options, sub-commands and plugins.
type Program struct {
	Name    string
	Summary string    // one line
	Version string    // of this build
	Date    time.Time // of this build's source; zero if unknown

	Groups   []Group // in the order of the help
	Commands []Command
	Examples []Entry
	Exits    []Entry // exit codes

	Outputs, Backends, Labels []Plugin
	Fields                    []*flow.Field
}

// Entry is a term and its explanation.
type Entry struct{ Term, Text string }

// Group is options under a heading.
type Group struct {
	Title   string
	Options []Option
}

// Command is a sub-command.
type Command struct {
	Name    string
	Args    string // "SHELL" or "[NAME]"; "" if it takes none
	Words   []string
	Summary string
	Options []Option
}

// Plugin is a backend, a label or an output.
type Plugin struct {
	Name, Summary string
	Options       []Option // of an output: the KEY=VALUE of --output
}

// Option is an option of the program, of a sub-command or of an output. Names are without dashes.
type Option struct {
	Name, Short string
	Arg         string // placeholder for its value; "" if it takes none
	Usage       string // one or more sentences; code is in backquotes
	Default     string // "" if it has none
	Repeatable  bool
	Once        bool // only for the command line, not for configurations
	Values      Values
}

// Key reports whether a configuration may contain the option.
func (o *Option) Key() bool { return !o.Once && len(o.Name) > 1 }

// Values are the values that completion offers for an option.
type Values struct {
	Kind  Kind
	Words []string // for the kinds Word, Words and Fields
}

// Kind is the form of an option's values.
type Kind uint8

// Kinds of values.
const (
	Free       Kind = iota // completion offers nothing
	Word                   // one of Values.Words
	Words                  // several of Values.Words, joined by commas
	Fields                 // several of Values.Words, joined by "+"
	Interfaces             // the name of an interface
	Namespaces             // the name of a network namespace
	Files                  // a path
	Output                 // NAME[=TARGET][,KEY=VALUE]...
)

// Fixed reports whether the option takes no value.
func (o *Option) Fixed() bool { return o.Arg == "" }

// Options returns the options of all groups.
func (p *Program) Options() []Option {
	var all []Option
	for _, g := range p.Groups {
		all = append(all, g.Options...)
	}
	return all
}

// Dashed returns an option's name with its dashes.
func Dashed(name string) string {
	if len(name) == 1 {
		return "-" + name
	}
	return "--" + name
}

// Variable returns the name of an option's environment variable, such as PKTSTAT_MAX_FLOWS.
func Variable(program, option string) string {
	name := []byte(program + "_" + option)
	for i, c := range name {
		switch {
		case c == '-':
			name[i] = '_'
		case 'a' <= c && c <= 'z':
			name[i] = c - 'a' + 'A'
		}
	}
	return string(name)
}
