package cmd

import (
	"fmt"
	"io"
	"sync"

	"github.com/pktstat/pktstat/internal/render/charset"
	"github.com/pktstat/pktstat/internal/render/termsafe"
)

// console is standard error as users see it: lines, and on a terminal a progress line below them.
// It is safe for concurrent use.
type console struct {
	debug bool // set before other goroutines exist

	mu    sync.Mutex
	w     io.Writer
	width int  // of the terminal; 0: not a terminal, so no progress
	ascii bool // the terminal shows only ASCII
	meter meter
	shown bool // a progress line is on the screen
	ended bool // no more progress lines

	holding bool         // an output uses the terminal
	held    []string     // lines to print after that
	unsaid  int          // number of lines that did not fit into held
	notice  func(string) // gets the held lines; may be nil
}

func newConsole(a *App) *console {
	t := terminalOf(a.Stderr, a.Getenv)
	return &console{w: a.Stderr, width: t.Width, ascii: t.ASCII, meter: meter{now: a.Now}}
}

// say prints a line. It ignores write errors: there is nowhere to report them.
func (c *console) say(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.erase()
	c.print(oneLine(fmt.Sprintf(format, args...)))
}

// announce prints a line that an output on the terminal shows in its own way: what is counted.
func (c *console) announce(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	notice := c.notice
	c.notice = nil
	defer func() { c.notice = notice }()
	c.erase()
	c.print(oneLine(fmt.Sprintf(format, args...)))
}

// print prints a line, or holds it while an output uses the terminal. All text for standard error
// passes here, so this is where names from outside are escaped.
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

// maxHeld bounds the memory of held lines. An unstable interface may cause many of them.
const maxHeld = 1000

// hold holds lines for a terminal until release.
func (c *console) hold() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.erase()
	c.holding = c.width > 0
}

// noticeTo passes held lines to f.
func (c *console) noticeTo(f func(string)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.notice = f
	for _, line := range c.held {
		f(line)
	}
}

// release prints the held lines.
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

// debugf prints a line if --debug is given.
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

// beneath returns a writer to w that does not mix with the progress line. The first write ends
// progress, because it is a report.
func (c *console) beneath(w io.Writer) io.Writer { return &quiet{w: w, console: c} }

type quiet struct {
	w       io.Writer
	console *console
}

func (q *quiet) Write(p []byte) (int, error) {
	q.console.endProgress()
	return q.w.Write(p)
}
