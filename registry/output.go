package registry

import (
	"context"
	"flag"
	"io"
	"os"
	"time"

	"github.com/pktstat/pktstat/flow"
)

// Output is the registration of a way to write reports.
type Output struct {
	Summary string // one line, for `pktstat outputs`
	When    When   // which reports it writes
	TTY     bool   // takes over the terminal: stdout must be one, and no other output may use it

	// Window: what it writes is for a program with windows, such as a browser. It is not
	// written to a terminal.
	Window bool
	// Address: its target is an address to listen on, and no file.
	Address bool

	// Top is how many rows the output shows when --top is not given; 0: all.
	Top int

	Shorthands []Shorthand
	New        func() OutputConfig // fresh defaults, no side effects
}

// When tells which reports a sink gets.
type When uint8

// Reports.
const (
	WhenFinal    When = 1 << iota // the one at the end of the run
	WhenInterval                  // one every --refresh
)

// OutputConfig is an output with its options, before it is opened.
type OutputConfig interface {
	// Flags declares the output's options, the KEY=VALUEs of --output.
	Flags(fs *flag.FlagSet)
	// Open checks the options and makes ready to write.
	Open(ctx context.Context, env OutputEnv) (Sink, error)
}

// Chooser is implemented by configs whose options change which reports they want.
type Chooser interface{ When() When }

// OutputEnv is what an output needs to know of the run.
type OutputEnv struct {
	// Target is what follows NAME= in --output; "" or "-" is stdout.
	Target string
	// Create opens Target for writing: stdout, an existing device or pipe as it
	// is, a regular file through a temporary one that Commit renames. Outputs
	// whose target is not a file do not call it.
	Create func() (Writer, error)
	// Terminal describes what Create's writer is connected to.
	Terminal Terminal
	// TTY is the terminal itself, for an output registered with TTY; nil for others.
	TTY *TTY
	// Clock tells whose time the reports are in. A capture (ClockSource) may be
	// over before anybody has looked at it.
	Clock Clock
	// Stop ends the run as a signal does: with the final report to every output.
	// It returns at once and may be called by any goroutine, more than once.
	Stop func()

	Now    func() time.Time // the run's clock
	Notify func(format string, args ...any)
}

// Terminal describes where text goes.
type Terminal struct {
	IsTTY bool
	Width int  // columns; 0 if not a terminal
	Color bool // a terminal, and NO_COLOR is not set
	ASCII bool // a terminal that shows ASCII only, by its locale or its font
}

// TTY is a terminal that an output has for itself from Open to Close. It leaves
// the terminal as it found it. Meanwhile other messages for the user are held
// back, if they would go to a terminal; see [Noticer].
type TTY struct {
	In, Out *os.File // where keys come from, and what frames are written to
	Environ []string // of the process, for TERM and COLORTERM
}

// Writer is an opened target.
type Writer interface {
	io.Writer
	// Commit flushes, closes and gives the file its final name.
	Commit() error
	// Abort closes and, unless committed, removes the temporary file. It may
	// follow Commit, and then does nothing.
	Abort() error
}

// Sink writes reports. Its methods are called by one goroutine, in order.
type Sink interface {
	// Write writes r. It must not change r, nor keep it after it has returned.
	Write(ctx context.Context, r *flow.Report) error
	// Close ends the output. After a Write of the final report without error it
	// commits the target; otherwise it leaves nothing under the final name.
	Close() error
}

// Noticer is implemented by sinks that have the terminal for themselves. Notice
// gets each message that is held back until Close, to show it meanwhile. Names in
// it are as they came from outside. It may be called by any goroutine and must not
// block.
type Noticer interface{ Notice(text string) }
