package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const root = "../.."

func readTables(t *testing.T) layout {
	t.Helper()
	l, err := readLayout(filepath.Join(root, "ARCHITECTURE.md"))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// goPackage is a package as `go list` describes it.
type goPackage struct {
	ImportPath, Dir string
	Imports         []string
}

// packages returns the packages of the repository and of the examples, by folder. Their imports
// include all build tags.
func packages(t *testing.T) map[string]*goPackage {
	t.Helper()
	top, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	// The cache of `go test` does not know what `go list` reads. Opening the folders makes it check
	// them.
	err = filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && path != top && strings.HasPrefix(d.Name(), ".") {
			return fs.SkipDir
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	all, paths := map[string]*goPackage{}, map[string]string{}
	examples, err := filepath.Glob(filepath.Join(root, "examples", "*", "go.mod"))
	if err != nil || len(examples) == 0 {
		t.Fatalf("examples %q, %v", examples, err)
	}
	for _, in := range append([]string{filepath.Join(root, "go.mod")}, examples...) {
		for _, tags := range []string{"", "libpcap"} {
			for _, p := range list(t, filepath.Dir(in), tags) {
				path, err := filepath.Rel(top, p.Dir)
				if err != nil {
					t.Fatal(err)
				}
				if all[path] == nil {
					all[path] = &p
				} else {
					all[path].Imports = append(all[path].Imports, p.Imports...)
				}
				paths[p.ImportPath] = path
			}
		}
	}
	for _, p := range all {
		for i, imported := range p.Imports {
			if path, ok := paths[imported]; ok {
				p.Imports[i] = path
			}
		}
		slices.Sort(p.Imports)
		p.Imports = slices.Compact(p.Imports)
	}
	return all
}

// list runs `go list`.
func list(t *testing.T, dir, tags string) []goPackage {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-tags="+tags, "-json=ImportPath,Dir,Imports", "./...")
	cmd.Dir, cmd.Stderr = dir, os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list in %s: %v", dir, err)
	}
	var all []goPackage
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p goPackage
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

// TestListed: the tables name every package, and only existing ones.
func TestListed(t *testing.T) {
	l, all := readTables(t), packages(t)
	if len(all) < 50 {
		t.Fatalf("only %d packages", len(all))
	}
	named := map[string]bool{}
	for _, r := range l.rows {
		if named[r.path] {
			t.Errorf("%s has more than one row", r.path)
		}
		named[r.path] = true
	}
	for _, path := range l.plugins {
		if named[path] {
			t.Errorf("%s has more than one row", path)
		}
		named[path] = true
	}
	for path := range all {
		if !named[path] {
			t.Errorf("ARCHITECTURE.md does not name %s: add a row, or run `make generate` if it is a plugin", path)
		}
		if l.rowOf(path) == nil {
			t.Errorf("ARCHITECTURE.md has no imports for %s", path)
		}
	}
	for name := range named {
		exists := all[name] != nil
		for path := range all {
			exists = exists || covers(name, path)
		}
		if !exists {
			t.Errorf("ARCHITECTURE.md names %s, which does not exist", name)
		}
	}
}

// TestImports: packages import only what their rows allow.
func TestImports(t *testing.T) {
	l, all := readTables(t), packages(t)
	for path, p := range all {
		r := l.rowOf(path)
		if r == nil {
			continue // TestListed reports it
		}
		for _, imported := range p.Imports {
			ours := all[imported] != nil || imported == "testing"
			foreign := !ours && strings.Contains(strings.Split(imported, "/")[0], ".")
			if ours && !r.may(imported) || foreign && r.std {
				t.Errorf("%s imports %s, which its row in ARCHITECTURE.md does not allow", path, imported)
			}
		}
	}
}

// TestDownward: a row allows only packages of rows above it, so nothing imports upward.
func TestDownward(t *testing.T) {
	l := readTables(t)
	for i, r := range l.rows {
		for _, imported := range r.imports {
			above := slices.ContainsFunc(l.rows[:i], func(o row) bool { return covers(o.path, imported) })
			if !above && imported != "testing" {
				t.Errorf("ARCHITECTURE.md allows %s to import %s, which no row above names", r.path, imported)
			}
		}
	}
}

// TestProduct: no row lets the product import test helpers.
func TestProduct(t *testing.T) {
	forTests := func(path string) bool {
		return path == "testing" || path == "test" || path == "plugintest/sourcetest" || path == "plugintest/sinktest" || path == "plugintest/labeltest" ||
			strings.HasPrefix(path, "internal/test/") || strings.HasPrefix(path, "tools/")
	}
	for _, r := range readTables(t).rows {
		for _, imported := range r.imports {
			if forTests(imported) && !forTests(r.path) {
				t.Errorf("ARCHITECTURE.md allows %s to import %s", r.path, imported)
			}
		}
	}
}

// TestRules: the linter's rules match the tables.
func TestRules(t *testing.T) {
	config, err := os.ReadFile(filepath.Join(root, ".golangci.yml"))
	if err != nil {
		t.Fatal(err)
	}
	want, err := insert(string(config), readTables(t).rules())
	if err != nil {
		t.Fatal(err)
	}
	if want != string(config) {
		t.Error("the rules in .golangci.yml do not match ARCHITECTURE.md: run `make generate`")
	}
}
