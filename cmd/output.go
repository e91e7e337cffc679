package cmd

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/hashicorp/go-multierror"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/count/engine"
	"github.com/pktstat/pktstat/internal/render/outfile"
	"github.com/pktstat/pktstat/registry"
)

// outputSpec is one --output: NAME[=TARGET][,KEY=VALUE]...
type outputSpec struct {
	text    string // as typed
	name    string
	target  string
	options []keyValue
}

type keyValue struct{ key, value string }

// parseOutputSpec splits a spec at commas. A backslash escapes a comma.
func parseOutputSpec(s string) (outputSpec, error) {
	parts := splitCommas(s)
	name, to, _ := strings.Cut(parts[0], "=")
	spec := outputSpec{text: s, name: name, target: to}
	if name == "" {
		return spec, errors.New("the output's name is missing: NAME[=TARGET][,KEY=VALUE]")
	}
	for _, p := range parts[1:] {
		key, value, given := strings.Cut(p, "=")
		if key == "" {
			return spec, errors.New("an option without a name: NAME[=TARGET][,KEY=VALUE]")
		}
		if !given {
			value = implied
		}
		spec.options = append(spec.options, keyValue{key, value})
	}
	return spec, nil
}

// implied is the value of an option without a value. Only options that are on or off accept it.
const implied = "\x00"

func splitCommas(s string) []string {
	var parts []string
	var cur strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\\' && i+1 < len(s) && (s[i+1] == ',' || s[i+1] == '\\'):
			i++
			cur.WriteByte(s[i])
		case s[i] == ',':
			parts = append(parts, cur.String())
			cur.Reset()
		default:
			cur.WriteByte(s[i])
		}
	}
	return append(parts, cur.String())
}

// plannedOutput is an output with valid options and a valid target, not yet opened.
type plannedOutput struct {
	spec   outputSpec
	output registry.Output
	config registry.OutputConfig
	target *outfile.Target
	when   registry.When
	by     flow.Dims // what it groups rows by
}

// planOutputs checks the requested outputs. Its errors wrap [registry.ErrUsage].
func (s *session) planOutputs(cl *commandLine) ([]*plannedOutput, *outfile.Set, error) {
	specs := cl.outputs
	if len(specs) == 0 {
		specs = []outputSpec{{text: defaultOutput, name: defaultOutput}}
	}
	if err := refuseSameAddress(specs, s.Outputs); err != nil {
		return nil, nil, err
	}
	targets := outfile.NewSet(s.beneath(s.Stdout), fileInfo(s.Stdout))
	if _, o := cl.reader(); o != nil {
		for _, capture := range o.texts {
			targets.Keep(s.captureInfo(capture))
		}
	}
	var planned []*plannedOutput
	for _, spec := range specs {
		p, err := s.planOutput(cl, spec, targets)
		if err != nil {
			return nil, nil, err
		}
		planned = append(planned, p)
	}
	return planned, targets, nil
}

// refuseSameAddress returns an error if two outputs listen on the same address. Port 0 means any
// free port.
func refuseSameAddress(specs []outputSpec, outputs *registry.Registry[registry.Output]) error {
	earlier := map[string]string{}
	for _, spec := range specs {
		out, err := outputs.Lookup(spec.name)
		if err != nil || !out.Address || spec.target == "0" || strings.HasSuffix(spec.target, ":0") {
			continue
		}
		if other, taken := earlier[spec.target]; taken {
			return fmt.Errorf("%w: outputs %s and %s both listen on %s: give each a port of its own",
				registry.ErrUsage, other, spec.text, cmp.Or(spec.target, "the same port"))
		}
		earlier[spec.target] = spec.text
	}
	return nil
}

func (s *session) planOutput(cl *commandLine, spec outputSpec, targets *outfile.Set) (*plannedOutput, error) {
	out, err := s.Outputs.Lookup(spec.name)
	if err != nil {
		return nil, s.guessedOutput(err, spec)
	}
	p := &plannedOutput{spec: spec, output: out, config: out.New()}
	if err := setOptions(spec, p.config.Flags, cl.outputNames); err != nil {
		return nil, err
	}
	p.when = out.When
	if c, ok := p.config.(registry.Chooser); ok {
		p.when = c.When()
	}
	if out.Window && p.spec.target == "" && terminalOf(s.Stdout, s.Getenv).IsTTY {
		return nil, fmt.Errorf("%w: output %s is not for a terminal: name a file: --output %s=FILE", registry.ErrUsage, spec.name, spec.name)
	}
	if p.target, err = targets.Target(spec.text, spec.target); err != nil {
		return nil, err
	}
	if out.TTY {
		if !p.target.Stdout() || !terminalOf(s.Stdout, s.Getenv).IsTTY {
			return nil, fmt.Errorf("%w: output %s needs a terminal on standard output", registry.ErrUsage, spec.name)
		}
		if err := p.target.Claim(); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// setOptions sets an output's options.
func setOptions(spec outputSpec, flags func(*flag.FlagSet), outputs []string) error {
	fs := flag.NewFlagSet("", flag.ContinueOnError)
	flags(fs)
	earlier := map[string]string{}
	for i, kv := range spec.options {
		f := fs.Lookup(kv.key)
		switch {
		case f == nil:
			err := fmt.Errorf("%w: output %s has no option %q: %s", registry.ErrUsage, spec.name, kv.key, optionNames(fs))
			return guessedKey(err, spec, i, fs, outputs)
		case kv.value == implied && !isBool(f.Value):
			return fmt.Errorf("%w: output %s: option %s needs a value: %s=VALUE", registry.ErrUsage, spec.name, kv.key, kv.key)
		case kv.value == implied:
			kv.value = "true"
		}
		if err := setOnce(f.Value, kv.value, earlier[kv.key]); err != nil {
			return fmt.Errorf("output %s: %w", spec.name, badValue("option "+kv.key, kv.value, guessedValue(err, f, kv.value)))
		}
		earlier[kv.key] = kv.key + "=" + kv.value
	}
	return optionAsTarget(spec, fs)
}

func optionNames(fs *flag.FlagSet) string {
	names := flagNames(fs)
	if names == nil {
		return "it has none"
	}
	return "there are " + strings.Join(names, ", ")
}

func flagNames(fs *flag.FlagSet) (names []string) {
	fs.VisitAll(func(f *flag.Flag) { names = append(names, f.Name) })
	return names
}

// openOutputs opens the sinks. If one fails, it closes the others.
func (s *session) openOutputs(ctx context.Context, cl *commandLine, planned []*plannedOutput, clock registry.Clock) (sinks, error) {
	// The output that takes over the terminal comes last, because others may fail.
	planned = slices.Clone(planned)
	slices.SortStableFunc(planned, func(a, b *plannedOutput) int {
		switch {
		case a.output.TTY == b.output.TTY:
			return 0
		case b.output.TTY:
			return -1
		}
		return 1
	})
	var open sinks
	for _, p := range planned {
		env := registry.OutputEnv{
			Target: p.spec.target, Create: p.target.Create,
			Now: s.Now, Notify: s.say, Clock: clock, Stop: s.stop,
		}
		if p.target.Stdout() {
			env.Terminal = terminalOf(s.Stdout, s.Getenv)
			if s.StdoutClosed {
				s.say("%s", closedNotice(p.spec.name))
			}
		}
		openSink := p.config.Open
		if p.output.TTY {
			openSink = s.takeover(openSink)
		}
		sink, err := openSink(ctx, env)
		if err != nil {
			err = fmt.Errorf("output %s: %w", p.spec.name, err)
			return nil, multierror.Append(err, open.close()...).ErrorOrNil()
		}
		top := p.output.Top
		if cl.topSet {
			top = cl.top
		}
		open = append(open, engine.Output{Name: p.spec.text, Sink: sink, When: p.when, Top: top, By: p.by})
	}
	if s.terminal != nil {
		for i := range open {
			open[i].Sink = &guardedSink{open[i].Sink, s.terminal}
		}
	}
	return open, nil
}

// sinks are open outputs that the engine does not have yet.
type sinks []engine.Output

func (o sinks) close() []error {
	var errs []error
	for _, out := range o {
		if err := out.Sink.Close(); err != nil {
			errs = append(errs, fmt.Errorf("output %s: close: %w", out.Name, err))
		}
	}
	return errs
}

// captureInfo is the name of a capture in messages, and what it is; nil if it is no file.
func (s *session) captureInfo(name string) (string, fs.FileInfo) {
	if name == "-" {
		return "standard input", fileInfo(s.Stdin)
	}
	info, err := os.Stat(name)
	if err != nil {
		return name, nil // reading it will tell
	}
	return name, info
}

// fileInfo describes the file that w writes to; nil if it is not a file.
func fileInfo(w any) fs.FileInfo {
	f, ok := w.(*os.File)
	if !ok {
		return nil
	}
	info, err := f.Stat()
	if err != nil {
		return nil // closed: the first write reports it
	}
	return info
}
