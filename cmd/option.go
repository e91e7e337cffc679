package cmd

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/pktstat/pktstat/internal/cli/describe"
	"github.com/pktstat/pktstat/registry"
)

// option is one option of the command line: a [cli.Flag] on top of a [flag.Value]. It differs from
// the library's flags in two ways. Its names may be mixed (`-i a --iface b`). Errors about its
// value wrap [registry.ErrUsage].
type option struct {
	name    string // without dashes
	short   string // a second name; "" if none
	arg     string // placeholder of the value in the help; "" if it takes none
	usage   string
	initial string // default in the help; "" if none
	value   flag.Value
	values  describe.Values // for completion
	common  bool            // in the short help
	once    bool            // only for the command line, not for configurations

	of    *option  // the option whose value it sets, if it is a shorthand
	given string   // its last spelling, with dashes; "" if not given
	set   string   // the spelling that set its value last: its own or a shorthand's
	texts []string // its values as typed
	where string   // the part of the configuration that gave it; "" if none did
	err   error    // error about its last value
}

var _ cli.Flag = (*option)(nil)

// names returns all names of the option, the main one first.
func (o *option) names() []string {
	names := []string{o.name}
	if o.short != "" {
		names = append(names, o.short)
	}
	// Accept --max_flows for --max-flows.
	if under := strings.ReplaceAll(o.name, "-", "_"); under != o.name {
		names = append(names, under)
	}
	return names
}

// Apply implements [cli.Flag].
func (o *option) Apply(fs *flag.FlagSet) error {
	for _, n := range o.names() {
		fs.Var(&form{option: o, as: dashed(n)}, n, o.usage)
	}
	return nil
}

// Names implements [cli.Flag]. It returns one name only: with several, the library forbids to use
// two of them together, and copies values between them.
func (o *option) Names() []string { return []string{o.name} }

// IsSet implements [cli.Flag].
func (o *option) IsSet() bool { return o.given != "" }

// String implements [cli.Flag].
func (o *option) String() string { return dashed(o.name) }

// form is an option under one of its names.
type form struct {
	*option
	as string
}

func (f *form) Set(s string) error {
	if err := f.valueHabit(s); err != nil {
		f.err = badValue(f.as, s, err)
		return f.err
	}
	f.given = f.as
	f.texts = append(f.texts, s)
	target := f.option
	if f.of != nil {
		target = f.of
	}
	earlier := target.set
	target.set = f.as
	err := setOnce(f.value, s, earlier)
	if err == nil && s == "" && !isBool(f.value) && f.arg != anyText {
		err = errors.New("the value is empty") // as for a variable that is not set
	}
	if err != nil {
		f.err = badValue(f.as, s, err)
	}
	return f.err
}

// anyText is the placeholder of a value that may be any text.
const anyText = "TEXT"

// setOnce sets a value. earlier is the spelling that set it before, or "". Only a list takes a
// second value, because a replaced value would be lost unnoticed. An option without a value may be
// repeated if it stays the same.
func setOnce(v flag.Value, s, earlier string) error {
	if isDuration(v) {
		s = inSeconds(s)
	}
	if l, ok := v.(registry.List); earlier == "" || ok && l.IsList() {
		return explained(v, s, v.Set(s))
	}
	if !isBool(v) {
		return fmt.Errorf("there is a value already, from %s, and the option takes one only", earlier)
	}
	before := v.String()
	if err := v.Set(s); err != nil {
		return explained(v, s, err)
	}
	if v.String() != before {
		return fmt.Errorf("contradicts %s", earlier)
	}
	return nil
}

// explained replaces the error of package flag about a value.
func explained(v flag.Value, s string, err error) error {
	switch _, own := v.(*outputShorthand); {
	case err == nil || own:
		return err
	case isBool(v):
		return errNotBool
	case isDuration(v):
		_, notOne := parseDuration(s)
		return cmp.Or(notOne, err)
	}
	return err
}

var errNotBool = errors.New("not true or false")

func (f *form) String() string {
	if f == nil || f.option == nil || f.value == nil {
		return ""
	}
	return f.value.String()
}

// IsBoolFlag reports to package flag whether the option needs no value.
func (f *form) IsBoolFlag() bool { return isBool(f.value) }

func isBool(v flag.Value) bool {
	b, ok := v.(interface{ IsBoolFlag() bool })
	return ok && b.IsBoolFlag()
}

func badValue(option, value string, err error) error {
	return fmt.Errorf("%w: %s %q: %w", registry.ErrUsage, option, value, err)
}

func dashed(name string) string {
	if len(name) == 1 {
		return "-" + name
	}
	return "--" + name
}

// toggle is the value of an option without an argument.
type toggle struct{ on, off bool } // off: by --NAME=false

func (t *toggle) IsBoolFlag() bool { return true }
func (t *toggle) String() string   { return strconv.FormatBool(t.on) }

func (t *toggle) Set(s string) error {
	on, err := strconv.ParseBool(s)
	if err != nil {
		return errNotBool
	}
	t.on, t.off = on, !on
	return nil
}

// setter is a value that a function parses.
type setter func(string) error

func (f setter) Set(s string) error { return f(s) }
func (f setter) String() string     { return "" }

// adder is a setter that adds to a list.
type adder struct{ setter }

// IsList implements [registry.List].
func (adder) IsList() bool { return true }
