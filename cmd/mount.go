package cmd

import (
	"flag"
	"fmt"
	"strings"

	"github.com/pktstat/pktstat/registry"
)

// mountedBackend is a backend with its options on the command line.
type mountedBackend struct {
	name       string
	backend    registry.Backend
	config     registry.BackendConfig
	options    []*option // --NAME-OPTION
	wants      []*option // the options that select the backend
	shorthands []*option // each selects the backend
}

// mount adds the plugins' options to the command line. It panics if two options have the same name,
// which is an error in the build.
func (cl *commandLine) mount(a *App) {
	for name, b := range a.Backends.All() {
		m := &mountedBackend{name: name, backend: b, config: b.New()}
		m.options = optionsOf(name+"-", m.config.Flags)
		for _, w := range b.Wants {
			m.wants = append(m.wants, mustFind(m.options, name, w))
		}
		for _, sh := range b.Shorthands {
			o := shorthand(sh, "--backend "+name)
			if sh.Option != "" {
				target := mustFind(m.options, name, sh.Option)
				o.arg, o.value, o.of = target.arg, target.value, target
			} else {
				o.value = &toggle{}
			}
			m.shorthands = append(m.shorthands, o)
		}
		cl.backends = append(cl.backends, m)
	}
	for name, out := range a.Outputs.All() {
		own := optionsOf("", out.New().Flags)
		cl.outputNames = append(cl.outputNames, name)
		for _, sh := range out.Shorthands {
			o := shorthand(sh, "--output "+name)
			if sh.Option != "" {
				o.arg = mustFind(own, name, sh.Option).arg
			}
			o.value = &outputShorthand{cl: cl, name: name, option: sh.Option}
			cl.outputShorthands = append(cl.outputShorthands, o)
		}
	}
	cl.mountLabels(a)
	cl.refuseTwice()
}

// optionsOf returns a plugin's own options, with a prefix.
func optionsOf(prefix string, flags func(*flag.FlagSet)) []*option {
	fs := flag.NewFlagSet("", flag.ContinueOnError)
	flags(fs)
	var options []*option
	fs.VisitAll(func(f *flag.Flag) {
		arg, usage := flag.UnquoteUsage(f)
		o := &option{name: prefix + f.Name, arg: strings.ToUpper(arg), usage: usage, initial: f.DefValue, value: f.Value}
		if isBool(f.Value) {
			o.arg = ""
			if o.initial == "false" {
				o.initial = ""
			}
		}
		options = append(options, o)
	})
	return options
}

func shorthand(sh registry.Shorthand, long string) *option {
	o := &option{name: sh.Long, short: sh.Name, usage: sh.Usage}
	if o.name == "" {
		o.name, o.short = sh.Name, ""
	}
	if o.usage == "" {
		o.usage = "short for " + long
	}
	return o
}

// mustFind returns the option that a registration names.
func mustFind(options []*option, plugin, name string) *option {
	for _, o := range options {
		if o.name == name || o.name == plugin+"-"+name {
			return o
		}
	}
	panic(fmt.Sprintf("cmd: the registration of %s names its option %q, which it does not declare", plugin, name))
}

func (cl *commandLine) refuseTwice() {
	taken := map[string]bool{"help": true, "h": true, "?": true}
	for _, o := range cl.all() {
		for _, n := range o.names() {
			if taken[n] {
				panic(fmt.Sprintf("cmd: the option %s is declared twice", dashed(n)))
			}
			taken[n] = true
		}
	}
}

// outputShorthand adds an output, as --output does.
type outputShorthand struct {
	cl     *commandLine
	name   string
	option string // the output's option that takes the value; "" if none
	given  bool   // given without a value: a second time has no effect
}

func (o *outputShorthand) IsBoolFlag() bool { return o.option == "" }
func (o *outputShorthand) IsList() bool     { return o.option != "" }
func (o *outputShorthand) String() string   { return "" }

func (o *outputShorthand) Set(s string) error {
	spec := outputSpec{text: o.name, name: o.name}
	if o.option != "" {
		spec.options = []keyValue{{o.option, s}}
	} else {
		var t toggle
		if t.Set(s) != nil {
			return fmt.Errorf("it takes no value; to write a file: --output %s=%s", o.name, s)
		}
		if !t.on || o.given {
			return nil
		}
		o.given = true
	}
	o.cl.outputs = append(o.cl.outputs, spec)
	return nil
}
