// Package describe describes a command line as data. The man pages, the completion of
// shells and the tables of the documents are made from it.
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
	Date    time.Time // of this build's source; zero if it is unknown

	Groups   []Group // of options, in the order of the help
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
	Options       []Option // an output has the KEY=VALUE of --output
}

// Option is an option of the program, of a sub-command or of an output. Names have no
// dashes.
type Option struct {
	Name, Short string
	Arg         string // what its value is called; "" if it takes none
	Usage       string // one or more sentences; code is in backquotes
	Default     string // "" if there is none
	Repeatable  bool
	Once        bool // it means something on the command line only
	Values      Values
}

// Key reports whether a configuration may have the option.
func (o *Option) Key() bool { return !o.Once && len(o.Name) > 1 }

// Values are what completion offers for an option.
type Values struct {
	Kind  Kind
	Words []string // of the kinds Word, Words and Fields
}

// Kind is how the values of an option look.
type Kind uint8

// Kinds of values.
const (
	Free       Kind = iota // completion offers nothing
	Word                   // one of some words
	Words                  // some of them, joined by commas
	Fields                 // some of them, joined by "+"
	Interfaces             // the name of an interface
	Namespaces             // the name of a network namespace
	Files                  // a path
	Output                 // NAME[=TARGET][,KEY=VALUE]...
)

// Fixed reports whether the option is on without a value.
func (o *Option) Fixed() bool { return o.Arg == "" }

// Options returns the options of all groups.
func (p *Program) Options() []Option {
	var all []Option
	for _, g := range p.Groups {
		all = append(all, g.Options...)
	}
	return all
}

// Dashed is an option's name as it is written.
func Dashed(name string) string {
	if len(name) == 1 {
		return "-" + name
	}
	return "--" + name
}

// Variable is the environment variable of an option: PKTSTAT_MAX_FLOWS.
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
