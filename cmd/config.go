package cmd

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/pktstat/pktstat/internal/choose"
	"github.com/pktstat/pktstat/internal/cli/describe"
	"github.com/pktstat/pktstat/internal/cli/settings"
	"github.com/pktstat/pktstat/registry"
)

// noConfig is the value of --config that means no file.
const noConfig = "none"

// configure sets options that the command line does not give. Values come from the environment,
// then the file of --config, or the user's file and the machine's. The first source that has an
// option wins.
func (s *session) configure(cl *commandLine) error {
	taken := claims{}
	for _, o := range cl.all() {
		if o.given != "" {
			taken.add(cl, o)
		}
	}
	layers, err := s.layers(cl)
	if err != nil {
		return err
	}
	for _, layer := range layers {
		more := claims{}
		for _, set := range layer {
			o, err := cl.key(set)
			if err != nil {
				return err
			}
			if taken.has(cl, o, set) {
				continue
			}
			if err := o.configure(set); err != nil {
				return err
			}
			more.add(cl, o)
		}
		for name := range more {
			taken[name] = true
		}
	}
	return nil
}

// layers returns the parts of the configuration, in order of precedence.
func (s *session) layers(cl *commandLine) ([][]settings.Setting, error) {
	layers := [][]settings.Setting{s.environment(cl)}
	named := s.namedConfig(cl)
	if named == noConfig {
		return layers, nil
	}
	if named != "" {
		all, err := settings.Named(named)
		if err != nil {
			return nil, configError(err)
		}
		layers = append(layers, all)
	}
	for _, path := range s.configFiles() {
		all, err := settings.Found(path, os.Geteuid())
		if distrust := (*settings.Distrust)(nil); errors.As(err, &distrust) {
			s.say("the configuration %s is not read: %s", distrust.Path, distrust.Text)
			continue
		}
		if err != nil {
			return nil, configError(err)
		}
		layers = append(layers, all)
	}
	return layers, nil
}

// namedConfig returns the file that the user names; "" if none.
func (s *session) namedConfig(cl *commandLine) string {
	if cl.config != "" {
		return cl.config
	}
	return s.Getenv(describe.Variable(program, "config"))
}

// configFiles returns the default places of configurations.
func (s *session) configFiles() []string {
	var files []string
	// The XDG Base Directory Specification ignores relative paths.
	dir := s.Getenv("XDG_CONFIG_HOME")
	if home := s.Getenv("HOME"); !filepath.IsAbs(dir) && filepath.IsAbs(home) {
		dir = filepath.Join(home, ".config")
	}
	if filepath.IsAbs(dir) {
		files = append(files, filepath.Join(dir, program, "config.toml"))
	}
	if s.Config != "" {
		files = append(files, s.Config)
	}
	return files
}

// environment returns the variables that are named like options.
func (s *session) environment(cl *commandLine) []settings.Setting {
	var all []settings.Setting
	for _, o := range cl.keys() {
		name := describe.Variable(program, o.name)
		if value := s.Getenv(name); value != "" {
			all = append(all, settings.Variable(o.name, name, value))
		}
	}
	return all
}

// configError marks errors in a file as wrong usage.
func configError(err error) error {
	if wrong := (*settings.Error)(nil); errors.As(err, &wrong) {
		return fmt.Errorf("%w: %w", registry.ErrUsage, err)
	}
	return fmt.Errorf("configuration: %w", err)
}

// isKey reports whether a configuration may have the option.
func (o *option) isKey() bool { return !o.once && len(o.name) > 1 }

// keys returns the options that a configuration may have.
func (cl *commandLine) keys() []*option {
	return slices.DeleteFunc(cl.all(), func(o *option) bool { return !o.isKey() })
}

// key returns the option of a setting.
func (cl *commandLine) key(set settings.Setting) (*option, error) {
	for _, o := range cl.all() {
		switch {
		case o.name == set.Key && o.once:
			return nil, fmt.Errorf("%w: %s: %s makes sense on the command line only", registry.ErrUsage, set.Where, set.Key)
		case o.name == set.Key && set.Table && o.isKey():
			return nil, fmt.Errorf("%w: %s: %s has values, and is no table", registry.ErrUsage, set.Where, set.Key)
		case o.name == set.Key && o.isKey():
			return o, nil
		}
	}
	text := fmt.Sprintf("unknown key %q", set.Key)
	if near := nearestOption(set.Key, cl.keys()); near != "" {
		text += ": is " + strings.TrimPrefix(near, "--") + " meant?"
	}
	return nil, fmt.Errorf("%w: %s: %s", registry.ErrUsage, set.Where, text)
}

// configure sets the option as the command line would.
func (o *option) configure(set settings.Setting) error {
	values := set.Values
	switch {
	case o.values.Kind == describe.Words && len(values) > 0:
		values = []string{strings.Join(values, ",")}
	case set.Array && !o.list():
		return fmt.Errorf("%w: %s: %s takes one value, and no array", registry.ErrUsage, set.Where, o.name)
	}
	f := &form{option: o, as: fmt.Sprintf("%s (%s)", o.name, set.Where)}
	if set.Where == describe.Variable(program, o.name) {
		f.as = set.Where
	}
	for _, v := range values {
		o.where = set.Where
		if err := f.Set(v); err != nil {
			return err
		}
	}
	return nil
}

// claims are the options that a part of the configuration, or the command line, has set. Parts of
// lower precedence cannot set them.
type claims map[string]bool

func (c claims) add(cl *commandLine, o *option) {
	for _, name := range cl.claimed(o, o.off(o.texts)) {
		c[name] = true
	}
}

func (c claims) has(cl *commandLine, o *option, set settings.Setting) bool {
	return slices.ContainsFunc(cl.claimed(o, o.off(set.Values)), func(name string) bool { return c[name] })
}

// off reports whether the last of these values turns the option off.
func (o *option) off(values []string) bool {
	if !isBool(o.value) || len(values) == 0 {
		return false
	}
	on, err := strconv.ParseBool(values[len(values)-1])
	return err == nil && !on
}

// Claims for the choice of the backend and for the list of outputs. Several options set them.
const (
	claimBackend = "/backend"
	claimOutput  = "/output"
)

// claimed returns what an option claims.
func (cl *commandLine) claimed(o *option, off bool) []string {
	names := []string{o.name}
	if o.of != nil {
		names = append(names, o.of.name)
	}
	if off {
		return names
	}
	if o.name == "output" || slices.Contains(cl.outputShorthands, o) {
		names = append(names, claimOutput)
	}
	if o.name == "backend" || cl.selects(o) {
		names = append(names, claimBackend)
	}
	return names
}

// selects reports whether an option of a backend selects that backend.
func (cl *commandLine) selects(o *option) bool {
	return slices.ContainsFunc(cl.backends, func(m *mountedBackend) bool {
		return slices.Contains(m.shorthands, o) || slices.Contains(m.wants, o)
	})
}

// mild drops configured options that this run cannot have. A configuration is for every run, also
// for runs on captures.
func (cl *commandLine) mild(labels *choose.Labels, chosen choose.Choice) {
	for i, m := range cl.labels {
		for _, o := range cl.labelToggles {
			if o.value == m.toggle && o.where != "" && !labels.Fit(labels.All[i], chosen.Backends) {
				labels.All[i].On = false
			}
		}
	}
}

// configCommand is the sub-command that prints the options in effect.
func (s *session) configCommand(w io.Writer, cl *commandLine) *cli.Command {
	const name = "config"
	about := []string{
		"pktstat [options] config prints the options that a count would have, as TOML, and where each comes",
		"from: the command line, the environment, the file of --config, or one of these files:",
	}
	for _, path := range s.configFiles() {
		about = append(about, "  "+path)
	}
	return s.subCommand(name, "the options that hold, and where each comes from", nil, func(c *cli.Context) error {
		if c.Args().Present() {
			return fmt.Errorf("%w: %s takes no argument: %q", registry.ErrUsage, name, c.Args().First())
		}
		if err := s.configure(cl); err != nil {
			return err
		}
		_, err := io.WriteString(w, s.configText(cl))
		return ignoreReported(err)
	}, about...)
}

// configText returns a file with the options in effect. Defaults are comments.
func (s *session) configText(cl *commandLine) string {
	h := helpText{width: helpWidth}
	for _, o := range cl.keys() {
		switch {
		case len(o.texts) > 0:
			where := o.where
			if where == "" {
				where = "command line"
			}
			h.line(settings.Line(o.name, o.toml()) + " # " + where)
		case o.initial != "":
			h.line("# " + o.name + ": " + o.initial + " (default)")
		}
	}
	for _, line := range s.unknownVariables(cl) {
		h.line("# " + line)
	}
	return h.String()
}

// toml returns the option's value for a file.
func (o *option) toml() any {
	switch {
	case isBool(o.value):
		return !o.off(o.texts)
	case o.list():
		return o.texts
	}
	text := o.texts[len(o.texts)-1]
	if n, err := strconv.Atoi(text); err == nil && strconv.Itoa(n) == text {
		return n
	}
	return text
}

// unknownVariables returns variables that look like options but are not. They are not an error,
// because other programs may use the prefix.
func (s *session) unknownVariables(cl *commandLine) []string {
	keys := cl.keys()
	known := map[string]bool{describe.Variable(program, "config"): true}
	for _, o := range keys {
		known[describe.Variable(program, o.name)] = true
	}
	prefix := describe.Variable(program, "")
	var lines []string
	for _, entry := range s.Environ {
		name, _, _ := strings.Cut(entry, "=")
		rest, ours := strings.CutPrefix(name, prefix)
		if !ours || known[name] {
			continue
		}
		line := name + " is no option's variable"
		if near := nearestOption(strings.ToLower(rest), keys); near != "" {
			line += ": is " + describe.Variable(program, strings.TrimPrefix(near, "--")) + " meant?"
		}
		lines = append(lines, line)
	}
	slices.Sort(lines)
	return lines
}
