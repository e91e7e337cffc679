package registry

import (
	"context"
	"flag"
	"io"
	"os"
	"time"

	"github.com/pktstat/pktstat/flow"
)

// Output is the registration of a report format.
type Output struct {
	Summary string // one line, for `pktstat outputs`
	When    When   // reports that it writes
	TTY     bool   // takes over the terminal: stdout must be one, and no other output may use it

	// Window: its output is for a graphical program, such as a browser. pktstat does not write it
	// to a terminal.
	Window bool
	// Address: the target is an address to listen on, not a file.
	Address bool

	// Top is the default of --top for this output; 0: all rows.
	Top int

	// By is what the output groups rows by when --by is not given; 0: [flow.DimsFlow].
	By flow.Dims

	Shorthands []Shorthand
	New        func() OutputConfig // fresh defaults, no side effects
}

// When selects the reports that a sink gets.
type When uint8

// Reports.
const (
	WhenFinal    When = 1 << iota // the one at the end of the run
	WhenInterval                  // one every --refresh
)

// OutputConfig holds an output's options before Open.
type OutputConfig interface {
	// Flags declares the output's options, the KEY=VALUEs of --output.
	Flags(fs *flag.FlagSet)
	// Open checks the options and opens the target.
	Open(ctx context.Context, env OutputEnv) (Sink, error)
}

// Chooser is implemented by configs whose options determine the reports they want.
type Chooser interface{ When() When }

// Grouper is implemented by configs whose options change what rows are grouped by when
// --by is not given.
type Grouper interface{ By() flow.Dims }

// OutputEnv is the environment that Open gets from the command.
type OutputEnv struct {
	// Target is the text after NAME= in --output. "" and "-" mean stdout.
	Target string
	// Create opens Target for writing. It opens stdout, devices and pipes as they are. It opens a
	// regular file through a temporary file that Commit renames. Outputs without a file do not
	// call it.
	Create func() (Writer, error)
	// Terminal describes the terminal behind Create's writer.
	Terminal Terminal
	// TTY is the terminal of an output registered with TTY; nil for others.
	TTY *TTY
	// Clock is the clock of the reports. The run on a capture (ClockSource) may end before a user
	// sees a report.
	Clock Clock
	// Stop ends the run as SIGINT does: every output gets the final report. It returns at once
	// and is safe for concurrent use. It may be called more than once.
	Stop func()

	Now    func() time.Time // the run's clock
	Notify func(format string, args ...any)
}

// Terminal describes a terminal that text is written to.
type Terminal struct {
	IsTTY bool
	Width int  // columns; 0 if it is not a terminal
	Color bool // it is a terminal, and NO_COLOR is not set
	ASCII bool // its locale or font has ASCII characters only
}

// TTY is a terminal that an output uses alone from Open to Close. Close restores the terminal.
// Meanwhile pktstat holds back messages for the terminal; see [Noticer].
type TTY struct {
	In, Out *os.File // source of keys, and destination of frames
	Environ []string // of the process, for TERM and COLORTERM
}

// Writer is an open target.
type Writer interface {
	io.Writer
	// Commit flushes and closes the file, and renames it to its final name.
	Commit() error
	// Abort closes the file, and removes the temporary file unless it was committed. After Commit
	// it does nothing.
	Abort() error
}

// Sink writes reports. One goroutine calls its methods, in order.
type Sink interface {
	// Write writes r. It must not change r, nor keep r after it returns.
	Write(ctx context.Context, r *flow.Report) error
	// Close ends the output. It commits the target if Write has written the final report without
	// error. Otherwise it leaves no file under the final name.
	Close() error
}

// Noticer is implemented by sinks that use the terminal alone. Notice gets each message that
// pktstat holds back until Close. Text from outside in it is not escaped. It is safe for
// concurrent use and must not block.
type Noticer interface{ Notice(text string) }
