// Package sinktest is the conformance suite of outputs. It checks the rules of registry.Output,
// OutputConfig and Sink with a shared set of reports. The whole test of an output can be:
//
//	func TestConformance(t *testing.T) { sinktest.Run(t, sinktest.Options{Name: "json"}) }
//
// Most checks are for outputs that write text to the target of env.Create. Other outputs set
// Options.Target. Outputs that take over a terminal have checks of their own.
package sinktest

import (
	"errors"
	"fmt"
	"testing"

	"github.com/pktstat/pktstat/registry"
)

// Options of the suite.
type Options struct {
	Name string // registered name
	// Variants are further ways to open the output. Each has its own checks and golden files. The
	// suite also opens the output without options.
	Variants []Variant

	// Target is the target for outputs that do not write to a file: "127.0.0.1:0". The suite then
	// checks only the rules for all sinks.
	Target string
	// Gathers: the output collects interval reports and writes them with the final report.
	Gathers bool
	// Compared returns the part of the text that golden files contain. Nil: all of it.
	Compared func([]byte) []byte

	outputs *registry.Registry[registry.Output] // nil: registry.Outputs; the suite's own test sets it
}

// Variant is a way to open the output.
type Variant struct {
	Name     string   // part of the golden files' names
	Args     []string // KEY=VALUE options
	Terminal registry.Terminal
	Goldens  []string // names of the runs with golden files; nil: all
}

// Run checks the registered output. It compares the text of each run of [Goldens] with
// testdata/RUN.golden, or RUN.VARIANT.golden. With -update it writes these files instead.
func Run(t *testing.T, o Options) {
	for _, s := range suites(o) {
		name := s.variant.Name
		if name == "" {
			name = "default"
		}
		t.Run(name, func(t *testing.T) {
			if s.tty() {
				s.onTerminals(t)
				return
			}
			for _, c := range s.checks() {
				t.Run(c.name, func(t *testing.T) {
					if err := s.try(c.run); err != nil {
						t.Error(err)
					}
				})
			}
			if s.Target == "" {
				t.Run("golden", func(t *testing.T) { s.golden(t) })
			}
		})
	}
}

func suites(o Options) []*suite {
	if o.outputs == nil {
		o.outputs = registry.Outputs
	}
	all := []*suite{{Options: o}}
	for _, v := range o.Variants {
		all = append(all, &suite{Options: o, variant: v})
	}
	return all
}

// suite checks one variant of an output.
type suite struct {
	Options
	variant Variant
}

// tty reports whether the output takes over a terminal.
func (s *suite) tty() bool {
	out, err := s.output()
	return err == nil && out.TTY
}

func (s *suite) checks() []check {
	if s.Target != "" {
		return checksWithoutFile
	}
	return checks
}

// check is one rule. Its function returns a violation.
type check struct {
	name string
	run  func(*suite) error
}

// try returns a panic of the output as an error.
func (s *suite) try(run func(*suite) error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	return run(s)
}

func (s *suite) output() (registry.Output, error) { return s.outputs.Lookup(s.Name) }

// errTarget is the error of a failing target.
var errTarget = errors.New("the target refuses")
