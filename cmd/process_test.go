package cmd

import (
	"bufio"
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/pktstat/pktstat/internal/test/testenv"
)

// The tests in this file run the real binary (binary_test.go) on real captures.

func TestProcess(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "run.json")
	for _, tc := range []struct {
		name   string
		args   []string
		stdout string // opened for writing
		code   int
		out    string // part of stdout
		err    string // the line on stderr; "" if none
	}{
		{name: "a capture", args: []string{"--pcap-file", capture}, out: "total"},
		{name: "several outputs", args: []string{"--pcap-file", capture, "-j", "--output", "csv=" + file}, out: `"packets":38`},
		{name: "help", args: []string{"--help", "all"}, out: "Backend pcap:"},
		{name: "a screen without a terminal", args: []string{"-g"}, code: 2, err: "output tui needs a terminal on standard output"},
		{name: "unknown backend", args: []string{"-b", "warp"}, code: 2, err: `unknown backend "warp": there are`},
		{name: "no such capture", args: []string{"--pcap-file", dir + "/none.pcap"}, code: 1, err: "none.pcap: no such file or directory"},
		{name: "no capture", args: []string{"--pcap-file", "process_test.go"}, code: 1, err: "not a pcap or pcapng capture"},
		{name: "missing directory", args: []string{"--pcap-file", capture, "--output", "csv=" + dir + "/no/x"}, code: 1, err: `no" does not exist`},
		{name: "missing interface", args: []string{"-i", "nosuch0"}, code: 2, err: `interface "nosuch0" does not exist: there are `},
		{name: "full disk", args: []string{"--pcap-file", capture}, stdout: "/dev/full", code: 5, err: "no space left on device"},
		{name: "full disk as a target", args: []string{"--pcap-file", capture, "--output", "json=/dev/full"}, code: 5, err: "no space left on device"},
		{name: "full disk and help", args: []string{"--help"}, stdout: "/dev/full", code: 5, err: "no space left on device"},
		{name: "full disk and a listing", args: []string{"outputs"}, stdout: "/dev/full", code: 5, err: "no space left on device"},
		{name: "full disk beside another output", args: []string{"--pcap-file", capture, "-j", "--output", "csv=/dev/full"}, code: 5, out: `"packets":38`, err: "no space left on device"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			cmd := pktstat(t, tc.args...)
			if tc.stdout != "" {
				cmd.Stdout = open(t, tc.stdout, os.O_WRONLY)
			}
			got := finish(t, cmd)
			line := got.errorLine()
			if got.code != tc.code || !strings.Contains(got.stdout, tc.out) {
				t.Errorf("exit code %d, want %d; stdout, want %q:\n%s\nstderr:\n%s", got.code, tc.code, tc.out, got.stdout, got.stderr)
			}
			if want := tc.err != ""; strings.Count(line, "\n") != map[bool]int{true: 1}[want] || !strings.Contains(line, tc.err) || want != strings.HasPrefix(line, "pktstat: ") {
				t.Errorf("stderr, want one line with %q:\n%s", tc.err, got.stderr)
			}
		})
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 || entries[0].Name() != "run.json" {
		t.Errorf("files: %v, %v", entries, err)
	}
}

// TestClosedPipe: the reader ends early, as in `| head -1`.
func TestClosedPipe(t *testing.T) {
	file := filepath.Join(t.TempDir(), "run.csv")
	for _, args := range [][]string{
		{"--help"},
		{"backends"},
		{"--pcap-file", capture},
		{"--pcap-file", capture, "--output", "ndjson", "--output", "csv=" + file},
	} {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		cmd := pktstat(t, args...)
		cmd.Stdout = w
		got := finish(t, cmd)
		if err := w.Close(); err != nil {
			t.Error(err)
		}
		if got.code != 0 || got.errorLine() != "" {
			t.Errorf("%q: exit code %d, stderr %q", args, got.code, got.stderr)
		}
	}
	if b, err := os.ReadFile(file); err != nil || strings.Count(string(b), "\n") < 9 {
		t.Errorf("the other output: %q, %v", b, err)
	}
}

// TestClosedStandardOutput: a line on stderr reports that standard output is closed. Other outputs
// get their reports. Output that the user discards needs no line.
func TestClosedStandardOutput(t *testing.T) {
	shell := func(redirect string, args ...string) outcome {
		cmd := pktstat(t, args...)
		sh := exec.CommandContext(t.Context(), "sh", append([]string{"-c", `exec "$0" "$@" ` + redirect, cmd.Path}, args...)...)
		return finish(t, sh)
	}
	file := filepath.Join(t.TempDir(), "report")
	for _, tc := range []struct {
		redirect, output string
		noticed          bool
	}{
		{">&-", "table", true},
		{">&- 2>&-", "table", false},
		{"<&- >&-", "json", true},
		{"<&-", "table", false},
		{">/dev/null", "table", false},
		{"<>/dev/null >&0", "table", false}, // like daemon(3)
		{">&-", "table=" + file, false},
		{">&-", "table=/dev/null", false},
	} {
		got := shell(tc.redirect, "--pcap-file", capture, "--output", tc.output)
		if got.code != 0 {
			t.Errorf("%s, %s: exit code %d: %s", tc.redirect, tc.output, got.code, got.stderr)
		}
		notice := "output " + tc.output + ": standard output is closed or discarded: to keep the report, name a file"
		if strings.Contains(got.stderr, notice) != tc.noticed {
			t.Errorf("%s, %s: stderr %q", tc.redirect, tc.output, got.stderr)
		}
	}
	if text, err := os.ReadFile(file); err != nil || !strings.Contains(string(text), "8 conversations") {
		t.Errorf("the file has %q, %v", text, err)
	}
}

// TestEndedBySignal: the last window is reported, and the exit code is 0.
func TestEndedBySignal(t *testing.T) {
	signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP) // else children inherit an ignored SIGHUP, under nohup
	for _, sig := range []os.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		r := start(t, pktstat(t, "--pcap-file", "-", "--json"))
		r.settled()
		r.signal(sig)
		if code, lines := r.end(); code != 0 || lines != nil {
			t.Errorf("%v: exit code %d, stderr %q", sig, code, lines)
		}
		if n := packets(t, r.stdout.Bytes()); n != 38 {
			t.Errorf("%v: %d packets", sig, n)
		}
	}
}

// TestNohup: SIGHUP stays ignored if it was.
func TestNohup(t *testing.T) {
	p := pktstat(t, "--pcap-file", "-", "--json")
	r := start(t, exec.CommandContext(t.Context(), "sh", append([]string{"-c", `trap "" HUP; exec "$@"`, "sh"}, p.Args...)...))
	r.signal(syscall.SIGHUP)
	r.settled()
	if err := r.stdin.Close(); err != nil {
		t.Fatal(err)
	}
	if code, lines := r.end(); code != 0 || lines != nil {
		t.Errorf("exit code %d, stderr %q", code, lines)
	}
	if n := packets(t, r.stdout.Bytes()); n != 38 {
		t.Errorf("%d packets", n)
	}
}

// TestKilled: after a kill, the old report or none exists, never half a report.
func TestKilled(t *testing.T) {
	dir := t.TempDir()
	old := filepath.Join(dir, "old.json")
	if err := os.WriteFile(old, []byte("an older report"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := start(t, pktstat(t, "--pcap-file", "-", "-r", "1ms", "--output", "json="+old, "--output", "ndjson="+filepath.Join(dir, "new.ndjson")))
	r.settled()
	r.signal(syscall.SIGKILL)
	if code, _ := r.end(); code != -1 {
		t.Errorf("exit code %d", code)
	}
	if b, err := os.ReadFile(old); err != nil || string(b) != "an older report" {
		t.Errorf("the old report: %q, %v", b, err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Name() != "old.json" && !strings.HasPrefix(e.Name(), ".") {
			t.Errorf("left: %s", e.Name())
		}
	}
}

// TestReaderGoesAway: a stream ends quietly if its reader goes away.
func TestReaderGoesAway(t *testing.T) {
	out, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := pktstat(t, "--pcap-file", "-", "-r", "1ms", "--output", "ndjson")
	cmd.Stdout = w
	r := start(t, cmd)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || !strings.Contains(line, `"final":false`) {
		t.Errorf("read %q, %v", line, err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	// The reader of the next reports is gone.
	data, err := os.ReadFile(capture)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.stdin.Write(data[24:]); err != nil && !errors.Is(err, syscall.EPIPE) {
		t.Fatal(err)
	}
	if err := r.stdin.Close(); err != nil {
		t.Fatal(err)
	}
	if code, lines := r.end(); code != 0 || lines != nil {
		t.Errorf("exit code %d, stderr %q", code, lines)
	}
}

// TestNoRoot: without root, counting live traffic prints what is missing.
func TestNoRoot(t *testing.T) {
	testenv.Privileged(t)
	for _, args := range [][]string{{"-i", "lo", "-t", "1s"}, {"-b", "tc", "-i", "lo", "-t", "1s"}} {
		cmd := pktstat(t, args...)
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		got := finish(t, cmd)
		if got.code != 4 || strings.Count(got.stderr, "\n") != 1 ||
			!strings.Contains(got.stderr, "needs root or cap_") || !strings.Contains(got.stderr, "sudo setcap cap_") || !strings.HasSuffix(got.stderr, "=+ep "+cmd.Path+"\n") {
			t.Errorf("%q: exit code %d, stderr %q", args, got.code, got.stderr)
		}
	}
}
