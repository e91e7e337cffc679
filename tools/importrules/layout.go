package main

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
)

// module is the path of the module that the tables describe.
const module = "github.com/pktstat/pktstat"

// row is a row of the tables: a package or a pattern of packages, and its allowed imports.
type row struct {
	path    string   // in the repository; NAME stands for any one folder
	imports []string // paths of allowed packages of this module, and "testing"
	std     bool     // other modules are not allowed
}

// layout is the tables of ARCHITECTURE.md.
type layout struct {
	rows []row
	// plugins are packages in the tables without imports of their own: a pattern covers them.
	plugins []string
}

var (
	code     = regexp.MustCompile("`([^`]+)`")
	tableRow = regexp.MustCompile("(?m)^\\| `([^`]+)` \\| [^|]+ \\|(?: ([^|]+) \\|)?$")
)

// readLayout reads the tables of the section "Packages" of a document.
func readLayout(doc string) (layout, error) {
	text, err := os.ReadFile(doc)
	if err != nil {
		return layout{}, err
	}
	_, section, _ := strings.Cut(string(text), "\n## Packages\n")
	section, _, ok := strings.Cut(section, "\n## ")
	if !ok {
		return layout{}, fmt.Errorf("%s has no section Packages, or no section after it", doc)
	}
	var l layout
	for _, m := range tableRow.FindAllStringSubmatch(section, -1) {
		path, may := m[1], m[2]
		if may == "" {
			l.plugins = append(l.plugins, path)
			continue
		}
		r := row{path: path, std: strings.Contains(may, "standard library only")}
		for _, c := range code.FindAllStringSubmatch(may, -1) {
			r.imports = append(r.imports, c[1])
		}
		l.rows = append(l.rows, r)
	}
	// Fail if a row was not understood, so that none is lost.
	if lines := strings.Count(section, "\n| `"); lines != len(l.rows)+len(l.plugins) {
		return layout{}, fmt.Errorf("%s has %d rows of packages, of which %d are well-formed", doc, lines, len(l.rows)+len(l.plugins))
	}
	return l, nil
}

// covers reports whether a row's path, which may be a pattern, covers a package.
func covers(pattern, path string) bool {
	p, q := strings.Split(pattern, "/"), strings.Split(path, "/")
	return slices.EqualFunc(p, q, func(a, b string) bool { return a == b || a == "NAME" })
}

// rowOf returns the row of a package: its own, or a pattern's; nil if it has none.
func (l layout) rowOf(path string) *row {
	var found *row
	for i := range l.rows {
		switch r := &l.rows[i]; {
		case r.path == path:
			return r
		case covers(r.path, path):
			found = r
		}
	}
	return found
}

// may reports whether the row allows a package of this module.
func (r row) may(path string) bool {
	return slices.ContainsFunc(r.imports, func(pattern string) bool { return covers(pattern, path) })
}
