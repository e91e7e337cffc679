package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestVersion: --version, the report and the page have the tag or else the commit, and mark files that differ from it.
func TestVersion(t *testing.T) {
	clone := filepath.Join(t.TempDir(), "pktstat")
	host(t, "git", "clone", "--quiet", "../..", clone)
	git := func(args ...string) string {
		t.Helper()
		return strings.TrimSpace(host(t, "git", append([]string{"-C", clone}, args...)...))
	}
	commit := git("rev-parse", "--short=12", "HEAD")
	stamp, err := strconv.ParseInt(git("log", "-1", "--format=%ct"), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	at := time.Unix(stamp, 0).UTC()
	date := at.Format(time.RFC3339)

	check := func(what, version, source string) {
		t.Helper()
		bin := filepath.Join(t.TempDir(), program)
		cmd := exec.CommandContext(t.Context(), "go", "build", "-buildvcs=true", "-o", bin, "./cmd/pktstat")
		cmd.Dir, cmd.Env = clone, append(os.Environ(), "GOFLAGS=", "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v: %s", what, err, out)
		}
		if got, want := host(t, bin, "--version"), program+" "+version+" (commit "+source+","; !strings.HasPrefix(got, want) {
			t.Errorf("%s: --version prints %q, want %q", what, got, want)
		}
		// The page has the report as JSON.
		for _, output := range []string{"json", "html"} {
			got := host(t, bin, filepath.Join(clone, "testdata", "mix.pcap"), "--config", "none", "--top", "1", "--output", output)
			if !strings.Contains(got, `"version":"`+version+`"`) {
				t.Errorf("%s: %s has no version %s", what, output, version)
			}
		}
	}
	check("without a tag", "v0.0.0-"+at.Format("20060102150405")+"-"+commit, commit+" of "+date)
	git("tag", "v0.1.0")
	check("with a tag", "v0.1.0", commit+" of "+date)
	file := filepath.Join(clone, "cmd", "pktstat", "main.go")
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, append(raw, "\n// Changed.\n"...), 0o600); err != nil {
		t.Fatal(err)
	}
	check("changed", "v0.1.0+dirty", commit+"+changes of "+date)
}
