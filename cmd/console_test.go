package cmd

import (
	"bytes"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/count/engine"
	"github.com/pktstat/pktstat/internal/test/testtty"
	"github.com/pktstat/pktstat/registry"
)

// testConsole is a console on a terminal of 60 columns, with its own clock.
type testConsole struct {
	*console
	bytes.Buffer
	at time.Time
}

func newTestConsole() *testConsole {
	c := &testConsole{at: time.Unix(1000, 0)}
	c.console = &console{w: &c.Buffer, width: 60, meter: meter{now: func() time.Time { return c.at }}}
	return c
}

// elapse shows the progress of a run of length d.
func (c *testConsole) elapse(d time.Duration, packets uint64) {
	c.at = time.Unix(1000, 0).Add(d)
	c.progress(engine.Progress{Elapsed: d, Total: flow.Counters{Packets: packets}, Flows: 1234})
}

func (c *testConsole) want(t *testing.T, want string) {
	t.Helper()
	if got := c.String(); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	c.Reset()
}

func TestProgress(t *testing.T) {
	c := newTestConsole()
	c.elapse(900*time.Millisecond, 90)
	c.want(t, "") // a short run needs none
	c.elapse(time.Second, 100)
	c.want(t, "\r\x1b[K1s  100 packets  100 packets/s  1,234 flows")
	c.elapse(1100*time.Millisecond, 110)
	c.want(t, "") // too soon

	// The rate covers the last second or two.
	c.elapse(2*time.Second, 1_000_100)
	c.want(t, "\r\x1b[K2s  1,000,100 packets  500k packets/s  1,234 flows")
	c.elapse(3*time.Second, 1_000_100)
	c.want(t, "\r\x1b[K3s  1,000,100 packets  500k packets/s  1,234 flows")
	c.elapse(4*time.Second, 1_000_100)
	c.want(t, "\r\x1b[K4s  1,000,100 packets  0 packets/s  1,234 flows")

	// A message appears above the progress line, and a long line is cut.
	c.say("backend tc: %s", "eth0 is gone")
	c.want(t, "\r\x1b[Kbackend tc: eth0 is gone\n")
	c.say("again")
	c.want(t, "again\n")
	c.width = 20
	c.elapse(5*time.Second, 1_000_100)
	c.want(t, "\r\x1b[K5s  1,000,100 packe")

	// A report ends the progress line.
	var stdout bytes.Buffer
	out := c.beneath(&stdout)
	if _, err := io.WriteString(out, "report"); err != nil || stdout.String() != "report" {
		t.Errorf("%q, %v", stdout.String(), err)
	}
	c.want(t, "\r\x1b[K")
	c.elapse(10*time.Second, 1)
	c.want(t, "")
}

func TestDebug(t *testing.T) {
	c := newTestConsole()
	c.debugf("quiet")
	c.debug = true
	c.debugf("loud %d", 1)
	c.want(t, "debug: loud 1\n")
}

func TestShort(t *testing.T) {
	for v, want := range map[float64]string{
		0: "0", 0.4: "0", 999: "999", 999.4: "999", 999.6: "1k", 1000: "1k", 1234: "1.23k", 999_499: "999k", 999_600: "1M", 12.3e6: "12.3M", 1e9: "1G",
	} {
		if got := short(v); got != want {
			t.Errorf("%v: %s, want %s", v, got, want)
		}
	}
	for n, want := range map[uint64]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567"} {
		if got := grouped(n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
}

func TestTerminal(t *testing.T) {
	_, tty := testtty.Open(t, 91, 24)
	env := map[string]string{}
	getenv := func(k string) string { return env[k] }
	if got := terminalOf(tty, getenv); !got.IsTTY || got.Width != 91 || !got.Color {
		t.Errorf("%+v", got)
	}
	env["COLUMNS"] = "120"
	env["NO_COLOR"] = "1"
	if got := terminalOf(tty, getenv); got.Width != 120 || got.Color {
		t.Errorf("with COLUMNS and NO_COLOR: %+v", got)
	}
	for _, w := range []io.Writer{&bytes.Buffer{}, os.NewFile(^uintptr(0), "closed")} {
		if got := terminalOf(w, getenv); got.IsTTY || got.Width != 0 || got.Color {
			t.Errorf("no terminal: %+v", got)
		}
	}
}

// TestOnTerminal: behaviour that depends on a terminal.
func TestOnTerminal(t *testing.T) {
	_, tty := testtty.Open(t, 91, 24)
	for _, tc := range []struct {
		args     string
		code     int
		stderr   string // end of stderr
		progress bool
	}{
		{args: "--output screen", progress: false},
		{args: "--output screen --output table", code: 2, stderr: "both write to standard output: name a file for one of them, as in --output screen=FILE; try 'pktstat --help'\n"},
		{args: "--output table --output screen", code: 2, stderr: "both write to standard output: name a file for one of them, as in --output screen=FILE; try 'pktstat --help'\n"},
		{args: "--output table=/dev/null --output screen", progress: false},
		{args: "--output screen=/dev/null", code: 2, stderr: "output screen needs a terminal on standard output; try 'pktstat --help'\n"},
		{args: "--output table", progress: true},
		{args: "--output page", code: 2, stderr: "output page is not for a terminal: name a file: --output page=FILE; try 'pktstat --help'\n"},
		{args: "--output page=-", progress: true},
		{args: "--output page=/dev/null", progress: true},
		{args: "--output each", progress: false},
		{args: "--output each=/dev/null", progress: true},
	} {
		b := newBench(t)
		b.Stdin, b.Stdout = tty, tty
		args := append([]string{"-b", "live", "-i", "lo", "-t", "10ms"}, strings.Fields(tc.args)...)
		if code := b.run(t.Context(), args...); code != tc.code || !strings.HasSuffix(b.stderr.String(), tc.stderr) {
			t.Errorf("%s: exit code %d, stderr %q", tc.args, code, b.stderr.String())
		}
		if tc.code != 0 {
			continue
		}

		b.Stderr = tty
		s := &session{App: &b.App, console: newConsole(&b.App)}
		cl := newCommandLine(&b.App)
		for _, f := range strings.Fields(tc.args) {
			if f != "--output" {
				if err := cl.addOutput(f); err != nil {
					t.Fatal(err)
				}
			}
		}
		planned, _, err := s.planOutputs(cl)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := cl.groupRows(planned); err != nil {
			t.Fatal(err)
		}
		if got := s.progressOf(planned) != nil; got != tc.progress {
			t.Errorf("%s: progress %t, want %t", tc.args, got, tc.progress)
		}
		b.Stderr = &b.stderr
		s = &session{App: &b.App, console: newConsole(&b.App)}
		if s.progressOf(planned) != nil {
			t.Errorf("%s: progress although stderr is not a terminal", tc.args)
		}
	}
}

// TestHeldBack: while an output uses the terminal, it gets all messages. They are printed
// afterwards.
func TestHeldBack(t *testing.T) {
	c := newTestConsole()
	c.hold()
	c.say("before it listens")
	var notices []string
	c.noticeTo(func(s string) { notices = append(notices, s) })
	c.say("eth%d is gone", 0)
	c.announce("counting on eth0")
	c.say("eth0 is back")
	c.want(t, "")
	if want := []string{"before it listens", "eth0 is gone", "eth0 is back"}; !slices.Equal(notices, want) {
		t.Errorf("notices %q, want %q", notices, want)
	}
	c.release()
	c.say("later")
	c.want(t, "before it listens\neth0 is gone\ncounting on eth0\neth0 is back\nlater\n")
	if len(notices) != 3 {
		t.Errorf("notices after the end: %q", notices[3:])
	}
}

// TestHeldBackBound: the memory of held lines is bounded.
func TestHeldBackBound(t *testing.T) {
	c := newTestConsole()
	c.hold()
	for i := range maxHeld + 7 {
		c.say("line %d", i)
	}
	c.release()
	if lines := strings.Split(c.String(), "\n"); len(lines) != maxHeld+2 || lines[maxHeld] != "and 7 more messages" {
		t.Errorf("%d lines, the last %q", len(lines), lines[len(lines)-2])
	}
}

// TestNotHeldBack: messages to a file are not held, because another program may read them.
func TestNotHeldBack(t *testing.T) {
	c := newTestConsole()
	c.width = 0
	c.hold()
	c.say("counting on eth0")
	c.want(t, "counting on eth0\n")
}

// TestNoOutputWithoutBackend: if no backend works, no output opens and no live page is announced.
func TestNoOutputWithoutBackend(t *testing.T) {
	b := newBench(t)
	b.live.probe = registry.ProbeResult{Verdict: registry.No, Err: registry.NeedCaps(syscall.EPERM, "cap_bpf")}
	b.spare.probe = b.live.probe
	b.out.open = errors.New("opened")
	if code := b.run(t.Context(), "--output", "final"); code != exitPermission || strings.Contains(b.stderr.String(), "opened") {
		t.Errorf("exit code %d: %s", code, b.stderr.String())
	}
}
