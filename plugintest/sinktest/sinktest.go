// Package sinktest is the conformance suite of outputs: what registry.Output,
// OutputConfig and Sink promise, checked on a shared set of reports. An output's
// whole test can be
//
//	func TestConformance(t *testing.T) { sinktest.Run(t, sinktest.Options{Name: "json"}) }
//
// Most of the suite is for outputs that write text to the target which env.Create
// opens; those that do something else with their target set Options.Target. Those
// that take over a terminal have checks of their own.
package sinktest

import (
	"errors"
	"fmt"
	"testing"

	"github.com/pktstat/pktstat/registry"
)

// Options of the suite.
type Options struct {
	Name string // as registered
	// Variants are further ways of opening the output. Each is checked and has
	// golden files of its own; the one without options is always there.
	Variants []Variant

	// Target is for outputs that do not write to a file: what to open them with,
	// "127.0.0.1:0". Then only the promises are checked that all sinks make.
	Target string
	// Gathers: interval reports are collected, and written with the final one.
	Gathers bool
	// Compared is the part of what is written that the golden files have; nil: all.
	Compared func([]byte) []byte

	outputs *registry.Registry[registry.Output] // registry.Outputs, but in the suite's own test
}

// Variant is a way of opening an output.
type Variant struct {
	Name     string   // part of the golden files' names
	Args     []string // KEY=VALUE options
	Terminal registry.Terminal
	Goldens  []string // names of the runs that it has golden files for; nil: all
}

// Run checks the registered output, and compares what it writes of each run of
// [Goldens] with testdata/RUN.golden (RUN.VARIANT.golden). With -update the files
// are written instead.
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

// check is a promise. Its function returns how it is broken.
type check struct {
	name string
	run  func(*suite) error
}

// try turns a panic of the output into an error.
func (s *suite) try(run func(*suite) error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	return run(s)
}

func (s *suite) output() (registry.Output, error) { return s.outputs.Lookup(s.Name) }

// errTarget is what a failing target answers.
var errTarget = errors.New("the target refuses")
