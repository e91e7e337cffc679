package cmd

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"

	"golang.org/x/term"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/test/testtty"
	"github.com/pktstat/pktstat/registry"
)

// TestStop: an output can end the run, and all outputs get the final report.
func TestStop(t *testing.T) {
	b := newBench(t)
	b.out.stops = true
	file := t.TempDir() + "/out"
	if code := b.run(t.Context(), "-b", "live", "-i", "lo", "-t", "0", "-r", "10ms", "--output", "each", "--output", "table="+file); code != 0 {
		t.Errorf("exit code %d: %s", code, b.stderr.String())
	}
	report, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{b.stdout.String(), string(report)} {
		if !strings.Contains(s, "final=true") {
			t.Errorf("no final report: %q", s)
		}
	}
}

// TestStopBeforeCounting: it is no error if the user ends the run before it counts.
func TestStopBeforeCounting(t *testing.T) {
	b := newBench(t)
	s := &session{App: &b.App, console: newConsole(&b.App)}
	b.live.opening = func(ctx context.Context) error {
		s.stop()
		<-ctx.Done()
		return ctx.Err()
	}
	for name, r := range b.registered {
		b.Backends.Register(name, r)
	}
	b.Args = []string{"pktstat", "-b", "live", "-i", "lo"}
	if err := s.underSignals(t.Context(), s.dispatch); err != nil {
		t.Error(err)
	}
}

// rawSink makes the terminal raw, and panics in Write or Close.
type rawSink struct{}

func (rawSink) Write(context.Context, *flow.Report) error { panic("a mistake") }
func (rawSink) Close() error                              { panic("a mistake") }

// TestRestoredAfterPanic: the text of a panic is readable, because the terminal is restored.
func TestRestoredAfterPanic(t *testing.T) {
	for name, f := range map[string]func(*taken){
		"write":  func(k *taken) { _ = (&guardedSink{rawSink{}, k}).Write(t.Context(), &flow.Report{}) },
		"close":  func(k *taken) { _ = (&guardedSink{rawSink{}, k}).Close() },
		"engine": func(k *taken) { defer k.restoreOnPanic()(); panic("a mistake") },
	} {
		t.Run(name, func(t *testing.T) {
			terminal := testtty.New(t, 80, 24)
			b := newBench(t)
			b.Stdin, b.Stdout = terminal.TTY, terminal.TTY
			s := &session{App: &b.App, console: newConsole(&b.App)}
			k, err := s.takeTerminal()
			if err != nil {
				t.Fatal(err)
			}
			if _, err := term.MakeRaw(int(terminal.TTY.Fd())); err != nil {
				t.Fatal(err)
			}
			if !terminal.Raw(t) {
				t.Fatal("the terminal is not raw: this test tests nothing")
			}
			func() {
				defer func() {
					if p := recover(); p != "a mistake" {
						t.Errorf("the panic became %v", p)
					}
				}()
				f(k)
			}()
			if terminal.Raw(t) {
				t.Error("the terminal is still raw")
			}
			terminal.Wait(t, "the end of the alternate screen", func(s string) bool { return strings.Contains(s, "\x1b[?1049l") })
		})
	}
}

// TestTakeover: an output gets the terminal's two ends, and messages are held until it ends.
func TestTakeover(t *testing.T) {
	terminal := testtty.New(t, 80, 24)
	b := newBench(t)
	b.Stdin, b.Stdout, b.Stderr = terminal.TTY, terminal.TTY, terminal.TTY
	b.Environ = []string{"TERM=vt100"}
	s := &session{App: &b.App, console: newConsole(&b.App)}
	var got registry.OutputEnv
	sink, err := s.takeover(func(_ context.Context, env registry.OutputEnv) (registry.Sink, error) {
		got = env
		s.say("said while it opens")
		return &fakeSink{fakeOutput: &fakeOutput{}, w: discard{}}, nil
	})(t.Context(), registry.OutputEnv{})
	if err != nil {
		t.Fatal(err)
	}
	if got.TTY == nil || got.TTY.In != terminal.TTY || got.TTY.Out != terminal.TTY || got.TTY.Environ[0] != "TERM=vt100" {
		t.Errorf("terminal: %+v", got.TTY)
	}
	if w := terminal.Written(); w != "" {
		t.Errorf("printed at once: %q", w)
	}
	if err := sink.Close(); err != nil {
		t.Error(err)
	}
	terminal.Wait(t, "what was held back", func(s string) bool { return strings.Contains(s, "said while it opens") })

	refused := errors.New("no")
	_, err = s.takeover(func(context.Context, registry.OutputEnv) (registry.Sink, error) { return nil, refused })(t.Context(), registry.OutputEnv{})
	if !errors.Is(err, refused) || s.holding {
		t.Errorf("failed open: %v, messages held back: %t", err, s.holding)
	}
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }
func (discard) Commit() error               { return nil }
func (discard) Abort() error                { return nil }
