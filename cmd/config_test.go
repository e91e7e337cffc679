package cmd

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/pktstat/pktstat/registry"
)

// configured returns a bench with these configurations of user and machine, and these environment
// variables. For "" there is no file.
func configured(t *testing.T, user, machine string, env ...string) *bench {
	t.Helper()
	b := newBench(t)
	vars := map[string]string{"XDG_CONFIG_HOME": t.TempDir()}
	for _, entry := range env {
		name, value, _ := strings.Cut(entry, "=")
		vars[name] = value
	}
	b.Getenv, b.Environ = func(name string) string { return vars[name] }, env
	b.Config = filepath.Join(t.TempDir(), "machine.toml")
	for path, text := range map[string]string{userConfig(b): user, b.Config: machine} {
		if text != "" {
			writeConfig(t, path, text)
		}
	}
	return b
}

func userConfig(b *bench) string {
	return filepath.Join(b.Getenv("XDG_CONFIG_HOME"), "pktstat", "config.toml")
}

func writeConfig(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestConfigPrecedence: each source takes precedence over the ones before it.
func TestConfigPrecedence(t *testing.T) {
	named := filepath.Join(t.TempDir(), "named.toml")
	writeConfig(t, named, "reader-snap = 3")
	for i, set := range []struct {
		user, machine string
		env           []string
		args          []string
	}{
		{machine: "reader-snap = 1"},
		{machine: "reader-snap = 1", user: "reader-snap = 2"},
		{machine: "reader-snap = 1", user: "reader-snap = 2", env: []string{"PKTSTAT_CONFIG=" + named}},
		{machine: "reader-snap = 1", user: "reader-snap = 2", args: []string{"--config", named}, env: []string{"PKTSTAT_READER_SNAP=4", "PKTSTAT_CONFIG=/nonexistent"}},
		{machine: "reader-snap = 1", user: "reader-snap = 2", args: []string{"--config", named, "--reader-snap", "5"}, env: []string{"PKTSTAT_READER_SNAP=4"}},
	} {
		b := configured(t, set.user, set.machine, set.env...)
		code := b.run(t.Context(), append(set.args, "--reader-file", "x")...)
		if want := fmt.Sprintf("snap=%d", i+1); code != 0 || len(b.log) != 1 || !strings.Contains(b.log[0], want) {
			t.Errorf("exit code %d, opened %q, want %s: %s", code, b.log, want, b.stderr.String())
		}
	}
}

// TestConfigValues: the effect of a configuration on a run.
func TestConfigValues(t *testing.T) {
	for _, tc := range []struct {
		name, user, machine, env string
		args                     string
		opened                   string // arguments of the backend's Open
		stdout                   string // part of the last line
		lines                    int    // of stdout
	}{
		{"text, a number and a switch", "reader-attach-mode = \"a\"\nreader-snap = 7\nreader-fast = true", "", "", "--reader-file x",
			"file=x mode=a fast=true snap=7", "backend=reader", 1},
		{"files add up", "reader-snap = 7", "reader-fast = true\nreader-snap = 8", "", "--reader-file x", "fast=true snap=7", "", 1},
		{"a switch that the command line turns off", "reader-fast = true", "", "", "--reader-file x --reader-fast=false", "fast=false", "", 1},
		{"a switch that the user's file turns off", "reader-fast = false", "reader-fast = true", "", "--reader-file x", "fast=false", "", 1},
		{"an empty variable", "reader-snap = 7", "", "PKTSTAT_READER_SNAP=", "--reader-file x", "snap=7", "", 1},
		{"no file", "reader-snap = 7", "", "", "--config none --reader-file x", "snap=96", "", 1},
		{"a list", "output = [\"final,title=t\", \"each=/dev/null\"]", "", "", "--reader-file x", "", `title="t"`, 1},
		{"a list in the environment", "", "", `PKTSTAT_OUTPUT=["final,title=t", "each=/dev/null"]`, "--reader-file x", "", `title="t"`, 1},
		{"a list replaces the one of the file", "output = [\"final=/nonexistent/x\"]", "", "", "--reader-file x --output final,title=t", "", `title="t"`, 1},
		{"a list replaces the one of another file", "output = [\"final,title=t\"]", "output = [\"table\", \"each\"]", "", "--reader-file x", "", `title="t"`, 1},
		{"a shorthand replaces the list", "output = [\"table,title=t\"]", "", "", "--reader-file x -f", "", `title=""`, 1},
		{"a shorthand in a file", "final = true", "output = [\"table,title=t\"]", "", "--reader-file x", "", `title=""`, 1},
		{"a shorthand that is turned off", "final = true\noutput = [\"table=/dev/null\"]", "", "", "--reader-file x --final=false", "backend", "", 0},
		{"a shorthand that is off replaces nothing", "final = false", "output = [\"table,title=t\"]", "", "--reader-file x", "", `title="t"`, 1},
		{"by, as an array", "by = [\"src\", \"dst\"]", "", "", "--reader-file x", "file=x", "", 1},
		{"an option of a backend that is not taken", "live-snap = 3\nspare-fast = true", "", "", "--reader-file x", "file=x", "", 1},
		{"the backend", "backend = \"spare\"", "", "", "-t 10ms", "file= ", "backend=spare", 1},
		{"a capture", "reader-file = \"y\"", "", "", "", "file=y", "backend=reader", 1},
		{"a backend instead of a capture", "reader-file = \"y\"", "", "", "-b spare -t 10ms", "file= ", "backend=spare", 1},
		{"a capture instead of a backend", "backend = \"live\"\niface = [\"lo\"]", "", "", "--reader-file x", "file=x", "backend=reader", 1},
		{"a shorthand instead of a backend", "backend = \"live\"", "", "", "-x -t 10ms", "", "backend=spare", 1},
		{"an option and the shorthand of a file", "spare-attach-mode = \"a\"", "", "", "-c b -t 10ms", "mode=b", "backend=spare", 1},
		{"an interface", "iface = \"lo\"\ntimeout = \"10ms\"", "", "", "", "", "backend=live", 1},
		{"windows", "\xef\xbb\xbfreader-snap = 7\r\n", "", "", "--reader-file x", "snap=7", "", 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := configured(t, tc.user, tc.machine, strings.Fields(strings.ReplaceAll(tc.env, ", ", ","))...)
			if code := b.run(t.Context(), strings.Fields(tc.args)...); code != 0 {
				t.Fatalf("exit code %d: %s", code, b.stderr.String())
			}
			if len(b.log) != 1 || tc.opened != "backend" && !strings.Contains(b.log[0], tc.opened) {
				t.Errorf("opened %q, want %q", b.log, tc.opened)
			}
			if out := b.stdout.String(); strings.Count(out, "\n") != tc.lines || !strings.Contains(out, tc.stdout) {
				t.Errorf("stdout has %q, want %d lines with %q", out, tc.lines, tc.stdout)
			}
		})
	}
}

// TestConfiguredInterface: with a configured interface, auto does not choose a backend that ignores
// it.
func TestConfiguredInterface(t *testing.T) {
	b := configured(t, "iface = \"lo\"\ntimeout = \"10ms\"", "")
	b.live.probe = registry.ProbeResult{Verdict: registry.No, Err: registry.ErrUnsupported}
	if code := b.run(t.Context()); code != exitUnsupported || len(b.log) > 0 {
		t.Errorf("exit code %d, opened %q", code, b.log)
	}
}

// TestConfigErrors: a mistake gives one line, which names the file and the line in it.
func TestConfigErrors(t *testing.T) {
	for _, tc := range []struct{ name, text, want string }{
		{"unknown key", "# x\ntopp = 1", `:2: unknown key "topp": is top meant?; try`},
		{"underscores", "max_flows = 1", `:1: unknown key "max_flows": is max-flows meant?`},
		{"short name", "t = \"1s\"", `:1: unknown key "t": is timeout meant?`},
		{"unlike any", "colour = 1", `:1: unknown key "colour"; try`},
		{"a table", "top = 1\n[reader]\nfile = \"x\"", `:2: unknown key "reader"`},
		{"an option as a table", "by.src = true", ":1: by has values, and is no table"},
		{"command line only", "version = true", ":1: version makes sense on the command line only"},
		{"a file in a file", "config = \"x\"", ":1: config makes sense on the command line only"},
		{"an array", "\n\ntop = [1]", ":3: top takes one value, and no array"},
		{"a value", "timeout = \"soon\"", `timeout (%s:1) "soon": not a duration`},
		{"a date", "timeout = 2026-01-01", ":1: timeout: a value is text, a number, true, false, or an array of them"},
		{"arrays in an array", "output = [[\"table\"]]", ":1: output: a value is text"},
		{"twice", "top = 1\ntop = 2", ":2: not TOML: "},
		{"syntax", "top = 1\nby = = 2", ":2: not TOML: "},
		{"no text", "top = 1\x00", "not TOML: "},
		{"two backends", "reader-file = \"x\"\nspare = true\nbackend = \"live\"", "--backend live and spare (%s:2) ask for two backends"},
		{"too long", strings.Repeat("#", 1<<20+1), ": longer than 1048576 bytes"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := configured(t, tc.text, "")
			want := strings.ReplaceAll(tc.want, "%s", userConfig(b))
			if code := b.run(t.Context()); code != exitUsage || strings.Count(b.stderr.String(), "\n") != 1 || !strings.Contains(b.stderr.String(), want) {
				t.Errorf("exit code %d, stderr, want %q:\n%s", code, want, b.stderr.String())
			}
		})
	}
	b := configured(t, "", "")
	if code := b.run(t.Context(), "--config", "/nonexistent"); code != exitFailure || !strings.Contains(b.stderr.String(), "configuration: open /nonexistent: no such file") {
		t.Errorf("exit code %d: %s", code, b.stderr.String())
	}
}

// TestConfigIsForCounts: other commands work with any configuration.
func TestConfigIsForCounts(t *testing.T) {
	b := configured(t, "nonsense", "nonsense", "PKTSTAT_TOP=x")
	for _, other := range []string{"backends", "probe", "fields", "man", "completion bash", "--help", "--version"} {
		if code := b.run(t.Context(), strings.Fields(other)...); code != 0 {
			t.Errorf("%s: exit code %d: %s", other, code, b.stderr.String())
		}
	}
}

// TestConfigOfOthers: pktstat neither reads nor waits for a file that another user can write.
func TestConfigOfOthers(t *testing.T) {
	for name, spoil := range map[string]func(path string) error{
		"every user can write to it": func(path string) error { return os.Chmod(path, 0o602) },
		"it is not a regular file":   func(path string) error { return errors.Join(os.Remove(path), syscall.Mkfifo(path, 0o600)) },
		"it belongs to user 12345":   func(path string) error { return os.Chown(path, 12345, -1) },
	} {
		t.Run(name, func(t *testing.T) {
			if strings.Contains(name, "belongs") && os.Geteuid() != 0 {
				t.Skip("needs root: a file of another user")
			}
			b := configured(t, "reader-snap = 7", "")
			if err := spoil(userConfig(b)); err != nil {
				t.Fatal(err)
			}
			code := b.run(t.Context(), "--reader-file", "x")
			if code != 0 || len(b.log) != 1 || !strings.Contains(b.log[0], "snap=96") || !strings.Contains(b.stderr.String(), "is not read: "+name) {
				t.Errorf("exit code %d, opened %q: %s", code, b.log, b.stderr.String())
			}
		})
	}
}

// TestConfigCommand: `pktstat config` prints the options in effect and their sources. Its output is
// a file with the same effect.
func TestConfigCommand(t *testing.T) {
	b := configured(t, "by = [\"src\", \"dst\"]\ntop = 5\noutput = [\"final\", \"each=x\"]", "reader-fast = true\ntop = 6",
		"PKTSTAT_LAYER=ip", "PKTSTAT_MAXFLOWS=7", "PKTSTAT_KUBERNETES=1")
	if code := b.run(t.Context(), "-t", "5s", "config"); code != 0 || b.stderr.Len() > 0 {
		t.Fatalf("exit code %d: %s", code, b.stderr.String())
	}
	text := b.stdout.String()
	for _, want := range []string{
		"timeout = '5s' # command line\n", "layer = 'ip' # PKTSTAT_LAYER\n",
		"by = ['src,dst'] # " + userConfig(b) + ":1\n", "top = 5 # " + userConfig(b) + ":2\n",
		"output = ['final', 'each=x'] # " + userConfig(b) + ":3\n", "reader-fast = true # " + b.Config + ":1\n",
		"# refresh: 1s (default)\n",
		"# PKTSTAT_MAXFLOWS is no option's variable: is PKTSTAT_MAX_FLOWS meant?\n", "# PKTSTAT_KUBERNETES is no option's variable\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no line %q in\n%s", want, text)
		}
	}
	again := configured(t, text, "")
	if code := again.run(t.Context(), "config"); code != 0 {
		t.Fatalf("exit code %d: %s", code, again.stderr.String())
	}
	for _, line := range strings.Split(text, "\n") {
		if value, _, found := strings.Cut(line, " # "); found && !strings.Contains(again.stdout.String(), value+" # "+userConfig(again)) {
			t.Errorf("no %s in\n%s", value, again.stdout.String())
		}
	}
}

// TestMildConfiguration: a configured label is no error for a capture, which has no processes. On
// the command line, it is.
func TestMildConfiguration(t *testing.T) {
	file := filepath.Join(t.TempDir(), "c.toml")
	writeConfig(t, file, "process = true\nxdp-mode = \"native\"\n")
	if got := finish(t, pktstat(t, "--config", file, "--pcap-file", capture)); got.code != 0 || !strings.Contains(got.stdout, "total") {
		t.Errorf("exit code %d, stderr %s", got.code, got.stderr)
	}
	if got := finish(t, pktstat(t, "--process", "--pcap-file", capture)); got.code != exitUsage {
		t.Errorf("exit code %d, stderr %s", got.code, got.stderr)
	}
}
