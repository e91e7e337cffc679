package test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestToolsAreInstalled: `make install-deps` installs every tool that a test asks for. .ci/run
// starts on a machine without them.
func TestToolsAreInstalled(t *testing.T) {
	packages, tools := makeList(t, "PACKAGES"), makeList(t, "TEST_TOOLS")
	asked := regexp.MustCompile(`testenv\.Tool\(\w+, "([^"]+)", "([^"]+)"\)`)
	found := 0
	for _, path := range files(t, ".go") {
		for _, m := range asked.FindAllStringSubmatch(read(t, path), -1) {
			found++
			if !slices.Contains(tools, m[1]) || !slices.Contains(packages, m[2]) {
				t.Errorf("%s needs %s of %s: the Makefile's TEST_TOOLS or PACKAGES lack it", path, m[1], m[2])
			}
		}
	}
	if found == 0 {
		t.Error("no test asks for a tool")
	}
}

// makeList returns the words of a variable of the Makefile.
func makeList(t *testing.T, name string) []string {
	t.Helper()
	m := regexp.MustCompile(`(?m)^` + name + ` *:= (.*)$`).FindStringSubmatch(read(t, "Makefile"))
	if m == nil {
		t.Fatalf("the Makefile has no %s", name)
	}
	return strings.Fields(m[1])
}

// files returns the files of the repository with a suffix, without hidden folders.
func files(t *testing.T, suffix string) []string {
	t.Helper()
	var found []string
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && path != root && strings.HasPrefix(d.Name(), ".") {
			return fs.SkipDir
		}
		if !d.IsDir() && strings.HasSuffix(path, suffix) {
			rel, err := filepath.Rel(root, path)
			found = append(found, rel)
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// read returns the text of a file of the repository.
func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
