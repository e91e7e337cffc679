package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// build makes a release of this source tree.
func build(t *testing.T) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "dist")
	if err := run(t.Context(), "../..", out); err != nil {
		t.Fatal(err)
	}
	return out
}

// TestRelease: two releases of one commit are the same, byte for byte, and have all parts.
func TestRelease(t *testing.T) {
	first, second := release(t), build(t)
	entries, err := os.ReadDir(first)
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[string]int{}
	for _, e := range entries {
		a, _ := os.ReadFile(filepath.Join(first, e.Name()))
		b, err := os.ReadFile(filepath.Join(second, e.Name()))
		if err != nil || !bytes.Equal(a, b) {
			t.Errorf("%s: the releases differ, %v", e.Name(), err)
		}
		for _, s := range append(suffixes, sums) {
			if strings.HasSuffix(e.Name(), s) {
				kinds[s]++
			}
		}
		switch {
		case strings.HasSuffix(e.Name(), ".tar.gz"):
			checkTarball(t, e.Name(), a)
		case strings.HasSuffix(e.Name(), ".spdx.json"):
			checkSPDX(t, e.Name(), a)
		}
	}
	for _, s := range suffixes {
		if kinds[s] != len(arches) {
			t.Errorf("%d files of %s, want %d", kinds[s], s, len(arches))
		}
	}
	check := exec.CommandContext(t.Context(), "sha256sum", "--check", "--strict", "--quiet", sums)
	check.Dir = first
	if out, err := check.CombinedOutput(); err != nil {
		t.Errorf("sha256sum: %v: %s", err, out)
	}
}

func checkTarball(t *testing.T, name string, raw []byte) {
	t.Helper()
	packed, err := gzip.NewReader(bytes.NewReader(raw))
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	modes := map[string]int64{}
	for r := tar.NewReader(packed); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		dir, file, _ := strings.Cut(h.Name, "/")
		if dir+".tar.gz" != name {
			t.Errorf("%s: %s is not in the directory of the release", name, h.Name)
		}
		modes[file] = h.Mode
	}
	for file, mode := range map[string]int64{program: 0o755, "LICENSE": 0o644, "THIRD_PARTY_LICENCES": 0o644, "README.md": 0o644, "man/pktstat.1": 0o644, "completion/_pktstat": 0o644} {
		if modes[file] != mode {
			t.Errorf("%s: %s has mode %o, want %o", name, file, modes[file], mode)
		}
	}
}

// checkSPDX: each module has a licence that the program knows.
func checkSPDX(t *testing.T, name string, raw []byte) {
	t.Helper()
	var doc spdxDocument
	if err := json.Unmarshal(raw, &doc); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if len(doc.Packages) < 20 {
		t.Errorf("%s: %d modules", name, len(doc.Packages))
	}
	for _, p := range doc.Packages {
		if p.Declared == "NOASSERTION" || p.Version == "" {
			t.Errorf("%s: %s %s has licence %s", name, p.Name, p.Version, p.Declared)
		}
	}
}

// TestOutIsKept: a directory with other files than a release's is not emptied.
func TestOutIsKept(t *testing.T) {
	out := t.TempDir()
	mine := filepath.Join(out, "notes.txt")
	if err := os.WriteFile(mine, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := empty(out); err == nil {
		t.Error("empty took a directory with notes.txt")
	}
	if _, err := os.Stat(mine); err != nil {
		t.Error(err)
	}
}

// TestMain removes what the tests share.
func TestMain(m *testing.M) {
	code := m.Run()
	if shared.dir != "" {
		_ = os.RemoveAll(shared.dir)
	}
	os.Exit(code)
}

// shared is the release that tests only read.
var shared struct {
	once sync.Once
	dir  string
	err  error
}

// release makes it at the first call.
func release(t *testing.T) string {
	t.Helper()
	shared.once.Do(func() {
		if shared.dir, shared.err = os.MkdirTemp("", "pktstat-release-"); shared.err == nil {
			shared.err = run(context.WithoutCancel(t.Context()), "../..", shared.dir)
		}
	})
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	return shared.dir
}

// tail is the end of what a program prints.
type tail struct {
	mu   sync.Mutex
	text string
}

func (l *tail) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text += string(p)
	l.text = l.text[max(0, len(l.text)-4000):]
	return len(p), nil
}

func (l *tail) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text
}
