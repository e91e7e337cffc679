package cmd

import (
	"fmt"
	"io"
	"sync"

	"github.com/pktstat/pktstat/internal/render/charset"
	"github.com/pktstat/pktstat/internal/render/termsafe"
)

// console is standard error as people see it: lines, and below them, on a
// terminal, one line of progress that is rewritten in place. It is safe for
// concurrent use.
type console struct {
	debug bool // set before there is a second goroutine

	mu    sync.Mutex
	w     io.Writer
	width int  // of the terminal; 0: not one, and no progress is shown
	ascii bool // a terminal that shows nothing else
	meter meter
	shown bool // a progress line is there
	ended bool // no more progress

	holding bool         // an output has the terminal
	held    []string     // what is said when it gives it back
	unsaid  int          // lines that were too many to be held
	notice  func(string) // gets what is held; may be nil
}

func newConsole(a *App) *console {
	t := terminalOf(a.Stderr, a.Getenv)
	return &console{w: a.Stderr, width: t.Width, ascii: t.ASCII, meter: meter{now: a.Now}}
}

// say prints a line. That standard error cannot be written to is nobody's news.
func (c *console) say(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.erase()
	c.print(oneLine(fmt.Sprintf(format, args...)))
}

// announce prints a line that an output which has the terminal shows in a way of
// its own: what is counted on.
func (c *console) announce(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	notice := c.notice
	c.notice = nil
	defer func() { c.notice = notice }()
	c.erase()
	c.print(oneLine(fmt.Sprintf(format, args...)))
}

// print writes a line, or keeps it while an output has the terminal. All that people
// read on standard error passes here, so names from outside are made harmless here.
func (c *console) print(line string) {
	switch {
	case !c.holding:
		line = termsafe.Line(line)
		if c.ascii {
			line = charset.ToASCII(line)
		}
		_, _ = fmt.Fprintln(c.w, line)
	case len(c.held) < maxHeld:
		c.held = append(c.held, line)
	default:
		c.unsaid++
	}
	if c.holding && c.notice != nil {
		c.notice(line)
	}
}

// maxHeld bounds the memory of lines that wait; an interface that comes and goes
// for days is told of often.
const maxHeld = 1000

// hold keeps back what is said, if it would go to a terminal, until release.
func (c *console) hold() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.erase()
	c.holding = c.width > 0
}

// noticeTo passes on what is held back.
func (c *console) noticeTo(f func(string)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.notice = f
	for _, line := range c.held {
		f(line)
	}
}

// release says what was held back.
func (c *console) release() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.holding, c.notice = false, nil
	for _, line := range c.held {
		c.print(line)
	}
	if c.unsaid > 0 {
		c.print(fmt.Sprintf("and %d more messages", c.unsaid))
	}
	c.held, c.unsaid = nil, 0
}

// debugf prints a line if --debug was given.
func (c *console) debugf(format string, args ...any) {
	if c.debug {
		c.say("debug: "+format, args...)
	}
}

// endProgress erases the progress line for good.
func (c *console) endProgress() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.erase()
	c.ended = true
}

// eraseLine moves to the first column and clears to the end of the line (ECMA-48 CR, EL).
const eraseLine = "\r\x1b[K"

func (c *console) erase() {
	if c.shown {
		_, _ = io.WriteString(c.w, eraseLine)
		c.shown = false
	}
}

// beneath returns w as a writer whose output does not mix with the progress
// line: the first write ends it, as what is written is a report.
func (c *console) beneath(w io.Writer) io.Writer { return &quiet{w: w, console: c} }

type quiet struct {
	w       io.Writer
	console *console
}

func (q *quiet) Write(p []byte) (int, error) {
	q.console.endProgress()
	return q.w.Write(p)
}
