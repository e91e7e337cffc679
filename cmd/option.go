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

// option is one option of the command line. It is a [cli.Flag] on top of a
// [flag.Value] and differs from the library's own in two ways: its names may be
// mixed (`-i a --iface b`), and what is wrong with a value is told by an error
// that wraps [registry.ErrUsage].
type option struct {
	name    string // without dashes
	short   string // one more name, "" if none
	arg     string // what help calls the value; "" if it takes none
	usage   string
	initial string // what help calls the default; "" if it has none
	value   flag.Value
	values  describe.Values // what completion offers
	common  bool            // the short help has it
	once    bool            // it means something on the command line only

	of    *option  // whose value it sets, if it is short for another option
	given string   // as it was last given, with dashes; "" if it was not
	set   string   // as its value was last set, by this option or one that is short for it
	texts []string // its values as they were given
	where string   // what of the configuration gave it; "" if the command line did, or nothing
	err   error    // why its last value is wrong
}

var _ cli.Flag = (*option)(nil)

// names are all names under which the option is known, the main one first.
func (o *option) names() []string {
	names := []string{o.name}
	if o.short != "" {
		names = append(names, o.short)
	}
	// --max_flows for --max-flows.
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

// Names implements [cli.Flag]. The library complains about two names of one
// option used together and copies values between them: it is told of one only.
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
		err = errors.New("the value is empty") // as that of a variable which is not set
	}
	if err != nil {
		f.err = badValue(f.as, s, err)
	}
	return f.err
}

// anyText is what help calls a value that may be any text.
const anyText = "TEXT"

// setOnce sets a value. earlier is how it was set before, "" if it was not. A second
// value would replace the first in silence, so only a list takes one. An option that is
// on or off may be repeated as long as it stays the same.
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

// explained replaces what package flag says of a value that it refuses.
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

// IsBoolFlag tells package flag that the option needs no value.
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

// setter is a value that is parsed by a function.
type setter func(string) error

func (f setter) Set(s string) error { return f(s) }
func (f setter) String() string     { return "" }

// adder is a setter that adds to a list.
type adder struct{ setter }

// IsList implements [registry.List].
func (adder) IsList() bool { return true }
