package cmd

import (
	"context"
	"fmt"
	"os"
	"sync/atomic"

	"golang.org/x/term"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/registry"
)

// taken is a terminal that an output uses alone. Close of the output gives it back; restore is for
// a process that ends without that.
type taken struct {
	tty    registry.TTY
	state  *term.State // before the takeover
	opened bool        // this process opened In
	given  atomic.Bool // given back
}

type opener func(context.Context, registry.OutputEnv) (registry.Sink, error)

// takeover opens an output that takes over the terminal. From then on, messages are held until the
// output is closed.
func (s *session) takeover(open opener) opener {
	return func(ctx context.Context, env registry.OutputEnv) (registry.Sink, error) {
		t, err := s.takeTerminal()
		if err != nil {
			return nil, err
		}
		env.TTY = &t.tty
		s.terminal = t
		s.hold()
		sink, err := open(ctx, env)
		if err != nil {
			s.release()
			return nil, err
		}
		if n, ok := sink.(registry.Noticer); ok {
			s.noticeTo(n.Notice)
		}
		return &takingSink{sink, s}, nil
	}
}

// takeTerminal finds the two ends of the terminal. If standard input is something else, such as a
// capture, keys come from the controlling terminal.
func (s *session) takeTerminal() (*taken, error) {
	out, ok := s.Stdout.(*os.File)
	if !ok {
		return nil, fmt.Errorf("%w: standard output is not a terminal", registry.ErrUsage)
	}
	t := &taken{tty: registry.TTY{Out: out, Environ: s.Environ}}
	if in, ok := s.Stdin.(*os.File); ok && term.IsTerminal(int(in.Fd())) {
		t.tty.In = in
	} else {
		in, err := os.Open("/dev/tty")
		if err != nil {
			return nil, fmt.Errorf("%w: there is no terminal to read keys from: %w", registry.ErrUsage, err)
		}
		t.tty.In, t.opened = in, true
	}
	var err error
	if t.state, err = term.GetState(int(t.tty.In.Fd())); err != nil {
		return nil, fmt.Errorf("terminal: %w", err)
	}
	return t, nil
}

// leaveScreen ends all modes of a full-screen program (xterm control sequences, "DEC Private Mode
// Reset"). They are synchronized output, mouse reports, bracketed paste, the kitty keyboard
// protocol and modifyOtherKeys, a hidden cursor, colours, and the alternate screen. A mode that is
// off stays off.
const leaveScreen = "\x1b[?2026l\x1b[?1002l\x1b[?1003l\x1b[?1006l\x1b[?2004l\x1b[<u\x1b[>4;0m\x1b[0m\x1b[?1049l\x1b[?25h\r"

// restore gives the terminal back if the output can no longer do that. t may be nil.
func (t *taken) restore() {
	if t == nil || t.given.Swap(true) {
		return
	}
	_ = term.Restore(int(t.tty.In.Fd()), t.state)
	_, _ = t.tty.Out.WriteString(leaveScreen)
}

// restoreOnPanic returns a function to defer. It restores the terminal, so that the text of the
// panic is readable, and panics again.
func (t *taken) restoreOnPanic() func() {
	return func() {
		if p := recover(); p != nil {
			t.restore()
			panic(p)
		}
	}
}

// takingSink is the output that uses the terminal. Its Close gives the terminal back.
type takingSink struct {
	registry.Sink
	s *session
}

func (k *takingSink) Close() error {
	err := k.Sink.Close()
	if t := k.s.terminal; !t.given.Swap(true) && t.opened {
		_ = t.tty.In.Close()
	}
	k.s.release()
	return err
}

// guardedSink is any output of a run in which one uses the terminal.
type guardedSink struct {
	sink registry.Sink
	t    *taken
}

func (g *guardedSink) Write(ctx context.Context, r *flow.Report) error {
	defer g.t.restoreOnPanic()()
	return g.sink.Write(ctx, r)
}

func (g *guardedSink) Close() error {
	defer g.t.restoreOnPanic()()
	return g.sink.Close()
}
