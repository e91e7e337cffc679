package registry

import (
	"context"
	"flag"
	"io"
	"time"

	"github.com/pktstat/pktstat/flow"
)

// Output is the registration of a way to write reports.
type Output struct {
	Summary string // one line, for `pktstat outputs`
	When    When   // which reports it writes
	TTY     bool   // takes over the terminal: stdout must be one, and no other output may use it

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

	Version string           // of pktstat
	Now     func() time.Time // the run's clock
	Notify  func(format string, args ...any)
}

// Terminal describes where text goes.
type Terminal struct {
	IsTTY bool
	Width int  // columns; 0 if not a terminal
	Color bool // a terminal, and NO_COLOR is not set
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
