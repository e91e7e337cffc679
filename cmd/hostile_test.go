package cmd

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/count/engine"
	"github.com/pktstat/pktstat/internal/test/testtty"
	"github.com/pktstat/pktstat/registry"
)

// hostile is a name with an ANSI sequence, a C1 control and a bidirectional control.
const hostile = "e\x1b[31m\u009b1m\u202ev"

// harmless is hostile as users see it.
const harmless = `e\x1b[31m\u009b1m\u202ev`

// checkInert fails if text has unsafe characters, or lacks the hostile name.
func checkInert(t *testing.T, text string) {
	t.Helper()
	for _, r := range text {
		if r != '\n' && !strconv.IsPrint(r) {
			t.Errorf("%U is in %q", r, text)
			return
		}
	}
	if !strings.Contains(text, harmless) {
		t.Errorf("no hostile name in %q", text)
	}
}

// TestHostileArguments: names from the command line and the file system are escaped.
func TestHostileArguments(t *testing.T) {
	dir := filepath.Join(t.TempDir(), hostile)
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{hostile}, {"--" + hostile}, {"-h", hostile}, {"help", hostile}, {"probe", hostile}, {"backends", hostile},
		{"-t", hostile}, {"-r", hostile}, {"-b", hostile}, {"--by", hostile}, {"--sort", hostile}, {"--top", hostile},
		{"--layer", hostile}, {"--max-flows", hostile}, {"--exit-over", hostile}, {"--live-snap", hostile},
		{"--live-attach-mode", "x", "--live-attach-mode", hostile},
		{"-b", "live", "-i", hostile}, {"-b", "live", "--netns", "/" + hostile},
		{"--output", hostile}, {"--output", "final," + hostile}, {"--output", "final,wide=" + hostile},
		{"--output", "final=" + dir}, {"--output", "final=/nosuch/" + hostile},
		{"--output", "final=x" + hostile, "--output", "final=x" + hostile},
		{"--reader-file", hostile, "--output", "final=/dev/full"},
	} {
		b := newBench(t)
		b.run(t.Context(), args...)
		t.Run(fmt.Sprintf("%.40q", args), func(t *testing.T) { checkInert(t, b.stdout.String()+b.stderr.String()) })
	}
}

// TestHostilePlugins: names in the messages of backends and probes are escaped.
func TestHostilePlugins(t *testing.T) {
	bad := fmt.Errorf("open %s: refused", hostile)
	probe := registry.ProbeResult{Verdict: registry.No, Err: bad, Checks: []registry.Check{
		{Name: hostile, Detail: hostile},
		{Name: "room", Verdict: registry.No, Since: "5.1", Detail: hostile, Reason: hostile, Remedy: "remove " + hostile},
	}}
	t.Run("probe", func(t *testing.T) {
		b := newBench(t)
		b.live.probe = probe
		if code := b.run(t.Context(), "probe"); code != 0 {
			t.Errorf("exit code %d: %s", code, b.stderr.String())
		}
		checkInert(t, b.stdout.String())
	})
	t.Run("probe --json", func(t *testing.T) {
		b := newBench(t)
		b.live.probe = probe
		b.run(t.Context(), "probe", "--json")
		text := b.stdout.String()
		checkInert(t, strings.ReplaceAll(text, `\u001b`, `\x1b`))
		if got := probeOf(t, b).Backends[0].Checks[0].Name; got != hostile {
			t.Errorf("the JSON means %q", got)
		}
	})
	t.Run("a backend that cannot be opened", func(t *testing.T) {
		b := newBench(t)
		b.live.open = bad
		b.run(t.Context(), "-b", "live", "-i", "lo", "-t", "1ms")
		checkInert(t, b.stderr.String())
	})
	t.Run("not taken", func(t *testing.T) {
		b := newBench(t)
		b.live.open = bad
		b.run(t.Context(), "-t", "1ms", "--debug")
		checkInert(t, b.stderr.String())
	})
	t.Run("counting on, and messages", func(t *testing.T) {
		b := newBench(t)
		s := &session{App: &b.App, console: newConsole(&b.App)}
		s.debug = true
		s.say("interface %s has gone", hostile)
		checkInert(t, b.stderr.String())
		b.stderr.Reset()
		s.attached(&commandLine{}, engine.Candidate{Name: "live", Backend: b.registered["live"], Reason: hostile}, []flow.Alternative{{Backend: hostile, Why: hostile}},
			registry.Attachment{Method: hostile, Interfaces: []flow.Interface{{Index: 1, Name: hostile}}, Notes: []string{hostile}})
		checkInert(t, b.stderr.String())
	})
}

// TestASCIIMessages: a terminal whose locale is not UTF-8 gets ASCII.
func TestASCIIMessages(t *testing.T) {
	for locale, want := range map[string]string{"C": "gr??e is down", "C.UTF-8": "größe is down"} {
		tty := testtty.New(t, 80, 24)
		a := &App{Stderr: tty.TTY, Getenv: func(name string) string { return map[string]string{"LANG": locale}[name] }}
		newConsole(a).say("größe is down")
		tty.Wait(t, want, func(s string) bool { return strings.Contains(s, want) })
	}
}
