package tui

import (
	"strings"
	"testing"
	"time"

	"github.com/pktstat/pktstat/internal/test/testtty"
	"github.com/pktstat/pktstat/registry"
)

// startSink opens the output on a terminal, and waits for its first screen.
func startSink(t *testing.T, clock registry.Clock, stop func()) (*sink, *testtty.Terminal) {
	t.Helper()
	terminal := testtty.New(t, 80, 24)
	opened, err := (&config{view: "flows", mouse: true}).Open(t.Context(), registry.OutputEnv{
		TTY: &registry.TTY{In: terminal.TTY, Out: terminal.TTY, Environ: []string{"TERM=xterm-256color"}},
		Now: time.Now, Notify: func(string, ...any) {}, Stop: stop, Clock: clock,
	})
	if err != nil {
		t.Fatal(err)
	}
	s := opened.(*sink)
	terminal.Wait(t, "the first screen", func(w string) bool { return strings.Contains(w, "starting") })
	return s, terminal
}

// TestPanicRestoresTheTerminal: a panic of the screen ends the output, not the run. The terminal is
// restored, and the error has the source line.
func TestPanicRestoresTheTerminal(t *testing.T) {
	t.Run("while a message is taken", func(t *testing.T) {
		panics(t, func(*model) { panic("a mistake") }, "a mistake", "panic_test.go:")
	})
	t.Run("while the screen is drawn", func(t *testing.T) {
		panics(t, func(m *model) { m.store = nil }, "nil pointer", "/outputs/tui/")
	})
}

func panics(t *testing.T, mistake func(*model), want ...string) {
	t.Helper()
	s, terminal := startSink(t, registry.ClockWall, func() { t.Error("the run was stopped") })
	if !terminal.Raw(t) {
		t.Fatal("the terminal is not raw: this test tests nothing")
	}
	s.program.Send(call(mistake))
	<-s.done
	if terminal.Raw(t) {
		t.Error("the terminal is still raw")
	}
	terminal.Wait(t, "the end of the alternate screen", func(w string) bool { return strings.Contains(w, "\x1b[?1049l") })
	err := s.Write(t.Context(), newNetwork(office()).next())
	for _, w := range want {
		if err == nil || !strings.Contains(err.Error(), w) {
			t.Errorf("write after a panic: %v, want %q", err, w)
		}
	}
	if err := s.Close(); err == nil {
		t.Error("close after a panic returns no error")
	}
}

// TestQuitStopsTheRun: the screen appears before the first report, and q stops the run.
func TestQuitStopsTheRun(t *testing.T) {
	stopped := make(chan struct{})
	s, terminal := startSink(t, registry.ClockWall, func() { close(stopped) })
	terminal.Type(t, "q")
	<-stopped
	if err := s.Write(t.Context(), newNetwork(office()).next()); err != nil {
		t.Errorf("the last report: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if terminal.Raw(t) {
		t.Error("the terminal is still raw")
	}
}

// TestCaptureWaitsForItsUser: after the end of a capture, the screen stays until the user closes
// it.
func TestCaptureWaitsForItsUser(t *testing.T) {
	s, terminal := startSink(t, registry.ClockSource, func() {})
	w := newNetwork(office())
	w.next()
	if err := s.Write(t.Context(), w.final()); err != nil {
		t.Fatal(err)
	}
	closed := make(chan error, 1)
	go func() { closed <- s.Close() }()
	terminal.Wait(t, "the end", func(w string) bool { return strings.Contains(w, "ENDED") })
	select {
	case err := <-closed:
		t.Fatalf("the screen closed by itself: %v", err)
	default:
	}
	terminal.Type(t, "q")
	if err := <-closed; err != nil {
		t.Error(err)
	}
}
