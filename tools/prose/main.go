// Command prose checks the English of the repository after the section "Style" of
// CONTRIBUTING.md: no worn phrases, no long sentences. It reads documents, comments, and the
// strings in Go code. For each finding it prints the file, the line and a message.
//
//	prose [PATH ...]
//
// A path is a file or a folder; without one, prose checks the repository that it is started in.
package main

import (
	"cmp"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// finding is what is wrong at a line.
type finding struct {
	line int
	text string
}

func main() {
	rules := flag.String("style", "CONTRIBUTING.md", "the document that has the section Style")
	flag.Parse()
	paths := flag.Args()
	if len(paths) == 0 {
		paths = []string{"."}
	}
	wrong, err := run(*rules, paths)
	for _, w := range wrong {
		fmt.Println(w)
	}
	switch {
	case err != nil:
		fmt.Fprintln(os.Stderr, "prose:", err)
		os.Exit(2)
	case len(wrong) > 0:
		os.Exit(1)
	}
}

// run checks files and folders, and returns a line for each finding.
func run(rules string, paths []string) (all []string, err error) {
	s, err := readStyle(rules)
	if err != nil {
		return nil, err
	}
	for _, path := range paths {
		err := filepath.WalkDir(path, func(path string, d fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case path != "." && skipped(path, d):
				if d.IsDir() {
					return fs.SkipDir
				}
				return nil
			case d.IsDir():
				return nil
			}
			wrong, err := s.file(path)
			for _, w := range wrong {
				all = append(all, fmt.Sprintf("%s:%d: %s", path, w.line, w.text))
			}
			return err
		})
		if err != nil {
			return all, err
		}
	}
	return all, nil
}

// skipped reports whether a path is not checked, because it is not our text.
func skipped(path string, d fs.DirEntry) bool {
	switch d.Name() {
	case ".git", ".cache", "bin":
		return d.IsDir()
	case "dist": // a release; tools/dist is ours
		return path == "dist"
	}
	// Data of tests is as it has to be, but documents describe it.
	return strings.Contains(filepath.ToSlash(path), "testdata/") && d.Name() != "README.md" && !d.IsDir()
}

// file checks one file, of a kind that its name gives.
func (s style) file(path string) ([]finding, error) {
	blocksOf := reader(path)
	if blocksOf == nil {
		return nil, nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	blocks, err := blocksOf(path, string(text))
	if err != nil {
		return nil, err
	}
	limit := s.comments
	if filepath.Ext(path) == ".md" {
		limit = s.documents
	}
	wrong := s.check(blocks, limit)
	slices.SortStableFunc(wrong, func(a, b finding) int { return cmp.Compare(a.line, b.line) })
	return wrong, nil
}

// reader returns the function that finds the prose in a file, or nil for a file of another kind.
func reader(path string) func(path, text string) ([]block, error) {
	switch filepath.Ext(path) {
	case ".md":
		return func(_, text string) ([]block, error) { return markdown(text), nil }
	case ".go":
		return goSource
	case ".c", ".h", ".js", ".css":
		return func(_, text string) ([]block, error) { return comments(cComment, text), nil }
	case ".yml", ".yaml", ".toml", ".sh", ".service":
		return func(_, text string) ([]block, error) { return comments(hashes, text), nil }
	}
	if filepath.Base(path) == "Makefile" || filepath.Base(filepath.Dir(path)) == ".ci" {
		return func(_, text string) ([]block, error) { return comments(hashes, text), nil }
	}
	return nil
}
