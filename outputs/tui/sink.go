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
	// settle is how long the screen waits before it opens, so that a run that fails at once does
	// not flash.
	settle = 20 * time.Millisecond
	// patience is how long Close waits for a terminal that takes no output.
	patience = 2 * time.Second
	// framesPerSecond bounds how often the screen is drawn.
	framesPerSecond = 30
)

// sink runs the screen. Write puts the report into the store. A channel of one message announces
// it, so a slow or stalled terminal does not block Write.
type sink struct {
	env     registry.OutputEnv
	ctx     context.Context // of the run
	store   *store
	guard   *guard
	program *tea.Program
	before  *term.State // state of the terminal

	begin     chan struct{} // closed: open the screen now
	news      chan struct{}
	done      chan struct{} // closed when the screen is closed
	beginOnce sync.Once
	closeOnce sync.Once
	closeErr  error

	mu      sync.Mutex
	notices []string
	err     error // why the screen ended, unless the user or Close ended it
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
		tea.WithoutSignalHandler(), // the run handles signals
		tea.WithoutCatchPanics(),   // guard catches panics
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
	defer s.program.Kill() // also ends tell
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

// tell forwards reports and notices to the screen, which may block it.
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
	default: // tell will read the store anyway
	}
}

// Write adds the report. It never waits for the terminal.
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

// Close restores the terminal. After a capture, it first waits until the user quits or a signal
// ends the run.
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

// leave ends the program. If the program waits for the terminal, leave restores the terminal's mode
// without it.
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
