package tui

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/colorprofile"
	"golang.org/x/term"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/registry"
)

const (
	// settle is how long the screen waits before it opens: a run that fails at
	// once does not flash.
	settle = 20 * time.Millisecond
	// patience is how long closing waits for a terminal that does not take output.
	patience = 2 * time.Second
	// framesPerSecond bounds how often keys and reports change the screen.
	framesPerSecond = 30
)

// sink runs the screen. Reports go into the store; that there is something new is
// told by way of a channel that holds one message, so that neither a slow nor a
// stalled terminal holds up Write.
type sink struct {
	env     registry.OutputEnv
	ctx     context.Context // of the run
	store   *store
	guard   *guard
	program *tea.Program
	before  *term.State // of the terminal

	begin     chan struct{} // closed: open the screen now
	news      chan struct{}
	done      chan struct{} // closed when the screen is closed
	beginOnce sync.Once
	closeOnce sync.Once
	closeErr  error

	mu      sync.Mutex
	notices []string
	err     error // why the screen is closed, if nobody wished it
	final   bool
	quit    bool // Close was called
}

var (
	_ registry.Sink    = (*sink)(nil)
	_ registry.Noticer = (*sink)(nil)
)

func open(ctx context.Context, env registry.OutputEnv, m *model) (*sink, error) {
	before, err := term.GetState(int(env.TTY.In.Fd()))
	if err != nil {
		return nil, fmt.Errorf("terminal: %w", err)
	}
	options := []tea.ProgramOption{
		tea.WithInput(env.TTY.In), tea.WithOutput(env.TTY.Out), tea.WithEnvironment(env.TTY.Environ),
		tea.WithoutSignalHandler(), // the run's signals are not ours
		tea.WithoutCatchPanics(),   // guard does, and says it where it belongs
		tea.WithFPS(framesPerSecond),
	}
	if !env.Terminal.Color {
		options = append(options, tea.WithColorProfile(colorprofile.ASCII))
	}
	g := &guard{model: m}
	p := tea.NewProgram(g, options...)
	g.quit = p.Quit
	s := &sink{
		env: env, ctx: ctx, store: m.store, before: before, guard: g, program: p,
		begin: make(chan struct{}), news: make(chan struct{}, 1), done: make(chan struct{}),
	}
	go s.run()
	return s, nil
}

// run opens the screen and returns when it is closed.
func (s *sink) run() {
	defer close(s.done)
	defer s.program.Kill() // ends tell
	select {
	case <-s.begin:
	case <-time.After(settle):
	}
	if s.closing() {
		return
	}
	go s.tell()
	err := s.show()
	s.mu.Lock()
	s.err = err
	byUser := err == nil && !s.quit
	s.mu.Unlock()
	if byUser {
		s.env.Stop()
	}
}

// show runs the program until the user or Close ends it.
func (s *sink) show() error {
	_, err := s.program.Run()
	if errors.Is(err, tea.ErrProgramKilled) && s.closing() {
		return nil
	}
	return cmp.Or(s.guard.err, err)
}

// tell passes on news to the screen, which may take its time.
func (s *sink) tell() {
	for {
		select {
		case <-s.done:
			return
		case <-s.news:
		}
		s.mu.Lock()
		notices := s.notices
		s.notices = nil
		s.mu.Unlock()
		s.program.Send(updated{})
		for _, n := range notices {
			s.program.Send(notice(n))
		}
	}
}

func (s *sink) wake() {
	select {
	case s.news <- struct{}{}:
	default: // it will look anyway
	}
}

// Write takes over the report. It returns at once, whatever the terminal does.
func (s *sink) Write(_ context.Context, r *flow.Report) error {
	s.mu.Lock()
	err := s.err
	s.final = s.final || r.Final
	s.mu.Unlock()
	if err != nil {
		return err
	}
	s.store.add(r)
	s.wake()
	s.beginOnce.Do(func() { close(s.begin) })
	return nil
}

// Notice shows a message in the last line.
func (s *sink) Notice(text string) {
	const kept = 16
	s.mu.Lock()
	if len(s.notices) < kept {
		s.notices = append(s.notices, text)
	}
	s.mu.Unlock()
	s.wake()
}

func (s *sink) closing() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.quit
}

// Close gives the terminal back. After a capture has been read to its end it waits
// for the user, who has just begun to look, or for the end of the run by a signal.
func (s *sink) Close() error {
	s.closeOnce.Do(func() { s.closeErr = s.close() })
	return s.closeErr
}

func (s *sink) close() error {
	s.mu.Lock()
	stays := s.final && s.env.Clock == registry.ClockSource
	s.mu.Unlock()
	if stays {
		select {
		case <-s.done:
		case <-s.ctx.Done():
		}
	}
	s.mu.Lock()
	s.quit = true
	s.mu.Unlock()
	s.beginOnce.Do(func() { close(s.begin) })
	if err := s.leave(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// leave ends the program. One that waits for the terminal is left alone, and the
// terminal's mode restored without it.
func (s *sink) leave() error {
	go s.program.Quit()
	select {
	case <-s.done:
		return nil
	case <-time.After(patience):
	}
	err := errors.New("the terminal does not take output")
	return errors.Join(err, term.Restore(int(s.env.TTY.In.Fd()), s.before))
}
