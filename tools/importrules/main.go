// Command importrules writes the rules of the linter depguard from the tables in ARCHITECTURE.md.
// It writes them between the lines "# <packages>" and "# </packages>" of the linter's
// configuration.
package main

import (
	"fmt"
	"os"
	"regexp"
	"strings"
)

//go:generate go run github.com/pktstat/pktstat/tools/importrules ../../ARCHITECTURE.md ../../.golangci.yml

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: importrules ARCHITECTURE.md .golangci.yml")
		os.Exit(2)
	}
	if err := rewrite(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "importrules:", err)
		os.Exit(1)
	}
}

func rewrite(doc, config string) error {
	l, err := readLayout(doc)
	if err != nil {
		return err
	}
	old, err := os.ReadFile(config)
	if err != nil {
		return err
	}
	text, err := insert(string(old), l.rules())
	if err != nil {
		return fmt.Errorf("%s: %w", config, err)
	}
	return os.WriteFile(config, []byte(text), 0o644)
}

var block = regexp.MustCompile(`(?s)( +# <packages>\n).*?( +# </packages>\n)`)

// insert puts rules into the text of a configuration.
func insert(config, rules string) (string, error) {
	if len(block.FindAllString(config, -1)) != 1 {
		return "", fmt.Errorf("want exactly one block that begins with %q", "# <packages>")
	}
	return block.ReplaceAllString(config, "${1}"+strings.ReplaceAll(rules, "$", "$$")+"${2}"), nil
}

// closed denies imports that a row must allow explicitly. In depguard, the longer one of two
// matching entries wins, and "$" ends an entry.
const closed = `[{pkg: ` + module + `, desc: "ARCHITECTURE.md does not allow this import"}, {pkg: testing, desc: "only helpers of tests"}]`

// rules returns the rules of depguard, one for each row.
func (l layout) rules() string {
	var b strings.Builder
	deny := "&closed " + closed
	for _, r := range l.rows {
		mode, allow := "lax", r.allow()
		if r.std {
			mode, allow = "strict", append([]string{"$gostd"}, allow...)
		}
		fmt.Fprintf(&b, "        %s: {list-mode: %s, files: [%s], deny: %s, allow: [%s]}\n",
			r.path, mode, strings.Join(l.files(r), ", "), deny, strings.Join(allow, ", "))
		deny = "*closed"
	}
	return b.String()
}

// files returns the globs of a row's files. It excludes tests, and packages with a row of their
// own.
func (l layout) files(r row) []string {
	globs := []string{glob("", r.path)}
	for _, other := range l.rows {
		if other.path != r.path && covers(r.path, other.path) {
			globs = append(globs, glob("!", other.path))
		}
	}
	return append(globs, `"!$test"`)
}

func glob(not, path string) string {
	return `"` + not + "${config-path}/" + strings.ReplaceAll(path, "NAME", "*") + `/*.go"`
}

// allow returns the entries that a row allows. A pattern becomes a prefix, and so also allows the
// rows that it covers. That matters because depguard looks only at one entry: the last one, in
// alphabetical order, that is not after the import.
func (r row) allow() []string {
	var prefixes, entries []string
	for _, path := range r.imports {
		if prefix, ok := strings.CutSuffix(path, "NAME"); ok {
			prefixes = append(prefixes, prefix)
			entries = append(entries, module+"/"+prefix)
		}
	}
	for _, path := range r.imports {
		inPrefix := false
		for _, prefix := range prefixes {
			inPrefix = inPrefix || strings.HasPrefix(path, prefix)
		}
		switch {
		case inPrefix:
		case path == "testing":
			entries = append(entries, "testing$")
		default:
			entries = append(entries, module+"/"+path+"$")
		}
	}
	return entries
}
