package cmd

import (
	"fmt"
	"io"
	"sync"
)

// console is standard error as people see it: lines, and below them, on a
// terminal, one line of progress that is rewritten in place. It is safe for
// concurrent use.
type console struct {
	debug bool // set before there is a second goroutine

	mu    sync.Mutex
	w     io.Writer
	width int // of the terminal; 0: not one, and no progress is shown
	meter meter
	shown bool // a progress line is there
	ended bool // no more progress
}

func newConsole(a *App) *console {
	return &console{w: a.Stderr, width: terminalOf(a.Stderr, a.Getenv).Width, meter: meter{now: a.Now}}
}

// say prints a line. That standard error cannot be written to is nobody's news.
func (c *console) say(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.erase()
	_, _ = fmt.Fprintln(c.w, oneLine(fmt.Sprintf(format, args...)))
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
