// Package completion writes completion scripts for shells. A script contains the options, fields,
// outputs and backends of its binary. It finds interfaces in /sys, so pressing Tab starts no
// process.
package completion

import (
	"slices"
	"strings"

	"github.com/pktstat/pktstat/internal/cli/describe"
)

// Shells returns the function that writes each shell's script.
func Shells() map[string]func(*describe.Program) string {
	return map[string]func(*describe.Program) string{"bash": Bash, "zsh": Zsh, "fish": Fish}
}

// quoted quotes text as one word, for bash and zsh.
func quoted(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// safe reports whether text is one word in any shell, without quotes.
func safe(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '_' && r != '-'
	})
}

// joined returns the words that need no quotes. Names of plugins and fields never do.
func joined(words []string) string {
	return strings.Join(slices.DeleteFunc(slices.Clone(words), func(w string) bool { return !safe(w) }), " ")
}

// dashes returns the spellings of an option.
func dashes(o *describe.Option) []string {
	names := []string{describe.Dashed(o.Name)}
	if o.Short != "" {
		names = append(names, describe.Dashed(o.Short))
	}
	return names
}

// gist returns the usage text up to its first stop.
func gist(usage string) string {
	for _, stop := range []string{"; ", ": ", ". "} {
		usage, _, _ = strings.Cut(usage, stop)
	}
	return strings.ReplaceAll(usage, "`", "")
}

// names returns the names of plugins.
func names(plugins []describe.Plugin) []string {
	var all []string
	for i := range plugins {
		all = append(all, plugins[i].Name)
	}
	return all
}

// every returns the options of the program and of its sub-commands.
func every(p *describe.Program) []describe.Option {
	all := p.Options()
	for _, c := range p.Commands {
		all = append(all, c.Options...)
	}
	return all
}

// keyNames returns the keys of an output, with "=" if they take a value.
func keyNames(out *describe.Plugin) []string {
	var all []string
	for i := range out.Options {
		key := out.Options[i].Name
		if !out.Options[i].Fixed() {
			key += "="
		}
		all = append(all, key)
	}
	return all
}

func commandNames(p *describe.Program) []string {
	var all []string
	for i := range p.Commands {
		all = append(all, p.Commands[i].Name)
	}
	return all
}
