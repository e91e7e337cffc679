// Package completion writes the scripts by which shells complete the command line. They
// have the options, fields, outputs and backends of the binary that wrote them, and look
// interfaces up themselves: pressing Tab starts no process.
package completion

import (
	"slices"
	"strings"

	"github.com/pktstat/pktstat/internal/cli/describe"
)

// Shells are the shells that there is a script for.
func Shells() map[string]func(*describe.Program) string {
	return map[string]func(*describe.Program) string{"bash": Bash, "zsh": Zsh, "fish": Fish}
}

// quoted is text as one word of bash and zsh.
func quoted(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// safe reports whether text is a word of any shell without quotes.
func safe(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '_' && r != '-'
	})
}

// joined are the words that need no quotes; names of plugins and fields do not.
func joined(words []string) string {
	return strings.Join(slices.DeleteFunc(slices.Clone(words), func(w string) bool { return !safe(w) }), " ")
}

// dashes are the names of an option as they are written.
func dashes(o *describe.Option) []string {
	names := []string{describe.Dashed(o.Name)}
	if o.Short != "" {
		names = append(names, describe.Dashed(o.Short))
	}
	return names
}

// gist is the usage of an option up to its first stop.
func gist(usage string) string {
	for _, stop := range []string{"; ", ": ", ". "} {
		usage, _, _ = strings.Cut(usage, stop)
	}
	return strings.ReplaceAll(usage, "`", "")
}

// names are the names of plugins.
func names(plugins []describe.Plugin) []string {
	var all []string
	for i := range plugins {
		all = append(all, plugins[i].Name)
	}
	return all
}
