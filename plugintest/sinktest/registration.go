package sinktest

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"reflect"
	"regexp"
	"strings"

	"github.com/pktstat/pktstat/registry"
)

var (
	validOption = regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`)
	validLetter = regexp.MustCompile(`^[a-z]?$`)
)

// checkRegistration: importing the output has registered it and nothing else.
func checkRegistration(s *suite) error {
	var names []string
	for name := range s.outputs.All() {
		names = append(names, name)
	}
	if len(names) != 1 || names[0] != s.Name {
		return fmt.Errorf("registered outputs are %q, want %q alone", names, s.Name)
	}
	out, err := s.output()
	if err != nil {
		return err
	}
	const all = registry.WhenInterval | registry.WhenFinal
	switch {
	case out.New == nil:
		return errors.New("there is no New")
	case out.Summary == "" || strings.Contains(out.Summary, "\n") || strings.HasSuffix(out.Summary, "."):
		return fmt.Errorf("summary %q is not one line without a full stop", out.Summary)
	case out.When == 0 || out.When&^all != 0:
		return fmt.Errorf("when %b is none of WhenFinal and WhenInterval", out.When)
	case out.Top < 0:
		return fmt.Errorf("top is %d", out.Top)
	}
	for _, sh := range out.Shorthands {
		if err := checkShorthand(out, sh); err != nil {
			return fmt.Errorf("shorthand -%s --%s: %w", sh.Name, sh.Long, err)
		}
	}
	return nil
}

func checkShorthand(out registry.Output, sh registry.Shorthand) error {
	switch {
	case sh.Name == "" && sh.Long == "":
		return errors.New("has no name")
	case !validLetter.MatchString(sh.Name):
		return fmt.Errorf("%q is not one letter", sh.Name)
	case sh.Long != "" && !validOption.MatchString(sh.Long):
		return fmt.Errorf("%q is not a flag", sh.Long)
	case sh.Usage == "":
		return errors.New("has no usage")
	}
	if sh.Option != "" && flagsOf(out.New()).Lookup(sh.Option) == nil {
		return fmt.Errorf("option %q does not exist", sh.Option)
	}
	return nil
}

func flagsOf(c registry.OutputConfig) *flag.FlagSet {
	fs := flag.NewFlagSet("output", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	c.Flags(fs)
	return fs
}

// checkFlags: options are described, and fit into NAME=TARGET,KEY=VALUE.
func checkFlags(s *suite) (err error) {
	out, err := s.output()
	if err != nil {
		return err
	}
	flagsOf(out.New()).VisitAll(func(f *flag.Flag) {
		switch {
		case err != nil:
		case !validOption.MatchString(f.Name):
			err = fmt.Errorf("option %q is not lower-case words joined by -", f.Name)
		case f.Usage == "":
			err = fmt.Errorf("option %s has no usage", f.Name)
		}
	})
	return err
}

// checkIndependence: setting an option in one config does not change another config.
func checkIndependence(s *suite) error {
	out, err := s.output()
	if err != nil {
		return err
	}
	a, b := out.New(), out.New()
	flags := flagsOf(b)
	before := values(flags)
	if v := reflect.ValueOf(a); v.Kind() == reflect.Pointer && v.Elem().Type().Size() > 0 && v.Pointer() == reflect.ValueOf(b).Pointer() {
		return errors.New("two calls of New return the same config")
	}
	if err := setFlags(a, s.variant.Args); err != nil {
		return err
	}
	if after := values(flags); !reflect.DeepEqual(before, after) {
		return fmt.Errorf("options set in one config changed another: %v became %v", before, after)
	}
	return nil
}

func values(fs *flag.FlagSet) map[string]string {
	v := map[string]string{}
	fs.VisitAll(func(f *flag.Flag) { v[f.Name] = f.Value.String() })
	return v
}
