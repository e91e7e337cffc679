package cmd

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"maps"
	"net"
	"path"
	"slices"
	"strings"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/cli/describe"
	"github.com/pktstat/pktstat/internal/netif/iface"
	"github.com/pktstat/pktstat/registry"
)

// guessedIface adds a suggestion to an error about a missing interface.
func guessedIface(err error) error {
	none := (*iface.NotFoundError)(nil)
	if !errors.As(err, &none) {
		return err
	}
	own, _, at := strings.Cut(none.Name, "@") // `ip link` prints veth0@if5
	switch folded := strings.ToLower(none.Name); {
	case strings.Contains(none.Name, ","):
		return fmt.Errorf("%w; several have an option each: -i %s", err, strings.Join(strings.Split(none.Name, ","), " -i "))
	case at && slices.Contains(none.There, own):
		return fmt.Errorf("%w; is %s meant?", err, own)
	case folded == "all" || folded == iface.Any:
		return fmt.Errorf("%w; -i %s counts on all that are up", err, iface.Any)
	}
	return withGuess(err, none.Name, none.There)
}

// guessedField suggests fields, instead of an error that lists all. joiner joins several fields; ""
// if only one is allowed.
func guessedField(err error, list, joiner string, pass func(*flow.Field) bool) error {
	names := []string{"flow"}
	for _, f := range flow.Fields.All() {
		if pass(f) {
			names = append(append(names, f.Name), f.Aliases...)
		}
	}
	unknown := func(name string) bool { return !slices.Contains(names, name) }
	instead := func(name, of string) error {
		return fmt.Errorf("unknown field %q: is %s meant? `%s fields` lists all", name, of, program)
	}
	if list == "" || joiner != "" && slices.Contains(strings.Split(strings.ReplaceAll(list, " ", ""), joiner), "") {
		return fmt.Errorf("the name of a field is missing: see `%s fields`", program)
	}
	words := strings.FieldsFunc(list, func(r rune) bool { return strings.ContainsRune(" ,+:;|/", r) })
	switch several := len(words) > 1 && !slices.ContainsFunc(words, unknown); {
	case several && joiner != "":
		return instead(list, strings.Join(words, joiner))
	case several:
		return fmt.Errorf("it takes one field: %s", words[0])
	case len(words) == 1 && !unknown(words[0]): // +bytes
		return instead(list, words[0])
	}
	for _, name := range words {
		habit := fieldHabits[name]
		if !unknown(name) {
			continue
		}
		if joiner == "" && strings.Contains(habit, ",") {
			habit = ""
		}
		if near := cmp.Or(habit, nearest(strings.TrimLeft(name, "-"), names)); near != "" {
			return instead(name, near)
		}
		break
	}
	return err
}

// guessedOutput adds a suggestion to an error about an output's name.
func (s *session) guessedOutput(err error, spec outputSpec) error {
	names := namesOf(s.Outputs)
	if name, rest, ok := strings.Cut(spec.text, ":"); ok && slices.Contains(names, name) {
		sign := "="
		if strings.Contains(rest, "=") { // an option
			sign = ","
		}
		return fmt.Errorf("%w; is %s%s%s meant?", err, name, sign, rest)
	}
	// For example report.json.
	if name := strings.TrimPrefix(path.Ext(spec.name), "."); slices.Contains(names, name) {
		return fmt.Errorf("%w; is %s=%s meant?", err, name, spec.name)
	}
	return withGuess(err, spec.name, names)
}

// optionAsTarget is an error if the target of an output looks like one of its options.
func optionAsTarget(spec outputSpec, fs *flag.FlagSet) error {
	if key, _, ok := strings.Cut(spec.target, "="); ok && fs.Lookup(key) != nil {
		return fmt.Errorf("%w: output %s has the option %s: is %s,%s meant? For a file of this name: %s=./%s",
			registry.ErrUsage, spec.name, key, spec.name, spec.target, spec.name, spec.target)
	}
	return nil
}

// guessedKey adds a suggestion to an error about an output's option: a comma has ended the value
// before it.
func guessedKey(err error, spec outputSpec, key int, fs *flag.FlagSet, outputs []string) error {
	stray := spec.options[key]
	if key > 0 {
		before := spec.options[key-1]
		v, joined := fs.Lookup(before.key).Value, before.value
		for _, o := range spec.options[key:] {
			if more := joined + "+" + o.key; o.value == implied && v.Set(more) == nil {
				joined = more
			}
		}
		// If the value accepts any text, a suggestion would be arbitrary.
		if joined != before.value && v.Set(joined+"+"+implied) != nil {
			return fmt.Errorf("%w; is %s=%s meant?", err, before.key, joined)
		}
	}
	if slices.Contains(outputs, stray.key) {
		return fmt.Errorf("%w; each output has an option: --output %s --output %s", err, spec.name, stray.key)
	}
	return withGuess(err, stray.key, flagNames(fs))
}

// guessedValue adds a suggestion to an error about an option's value.
func guessedValue(err error, f *flag.Flag, value string) error {
	for _, o := range described(optionsOf("", func(fs *flag.FlagSet) { fs.Var(f.Value, f.Name, f.Usage) })) {
		if o.Values.Kind == describe.Fields {
			return guessedField(err, value, "+", func(*flow.Field) bool { return true })
		}
	}
	return err
}

// glued splits a word that joins a short option and its value, or several short options. It returns
// the correct spelling; "" for other words.
func glued(name string, options []*option) string {
	short := func(letter string) *option {
		i := slices.IndexFunc(options, func(o *option) bool { return o.short == letter || o.name == letter })
		if i < 0 {
			return nil
		}
		return options[i]
	}
	o, rest := short(name[:1]), name[1:]
	switch {
	case o == nil || rest == "":
		return ""
	case !isBool(o.value):
		_, notThere := net.InterfaceByName(rest)
		digit := rest[0] >= '0' && rest[0] <= '9'
		if digit || rest[0] == '/' || slices.Contains(o.values.Words, rest) || o.values.Kind == describe.Interfaces && (notThere == nil || rest == iface.Any) {
			return dashed(name[:1]) + " " + rest
		}
		return ""
	}
	var all []string
	for _, letter := range strings.Split(name, "") {
		if o := short(letter); o == nil || !isBool(o.value) {
			return ""
		}
		all = append(all, dashed(letter))
	}
	return strings.Join(all, " ")
}

// guessedUnit returns the prefix and unit that the user may have meant; "" if none is near.
func guessedUnit(typed string, units map[string]float64) string {
	is := func(typed string, same func(a, b string) bool) string {
		for _, unit := range slices.Sorted(maps.Keys(units)) {
			for _, prefix := range slices.Backward(slices.Sorted(maps.Keys(prefixes))) { // k before K
				if unit != "" && same(typed, unit) && strings.EqualFold(typed, prefix+unit) {
					return prefix + unit
				}
			}
		}
		return ""
	}
	anyCase := func(string, string) bool { return true }
	if prefix, ok := strings.CutSuffix(typed, "b"); ok {
		if bits := is(prefix+"bit", anyCase); bits != "" {
			return bits
		}
	}
	return cmp.Or(is(typed, strings.HasSuffix), is(typed, anyCase))
}
