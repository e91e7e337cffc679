// Package cmd is the command line of pktstat. A build with other plugins is a
// main package that imports them and calls [Main]:
//
//   - options.go, option.go, mount.go: the options, pktstat's own and the plugins'
//   - arguments.go: captures, which are no options; habits.go: what users of other tools type
//   - usage.go: errors about the command line; guess.go, nearest.go: what may have been meant
//   - backend.go: what the user asks of the backends, from which package choose
//     chooses; output.go: which outputs a run has
//   - run.go: a count, from the options to the engine; signals.go: what ends it
//   - config.go: the options that a configuration gives, and the sub-command config
//   - probe.go, probetext.go: the sub-command probe; list.go: the sub-commands
//     backends and outputs; help.go, topics.go: the help text
//   - describe.go: the command line as data; generate.go: what is made of it, man pages
//     and completion
//   - origin.go, version.go: what reports say about the run
//   - console.go, progress.go: what people see on standard error
//   - takeover.go: an output that has the terminal for itself
//   - closed.go: a standard output that was closed; exit.go: errors and exit codes
package cmd

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/urfave/cli/v2"
	"golang.org/x/sys/unix"

	"github.com/pktstat/pktstat/registry"
)

// App is one invocation of pktstat and what it needs of the process around it.
type App struct {
	Args           []string // the program's name first
	Stdin          io.Reader
	Stdout, Stderr io.Writer // a terminal is recognised if it is an *os.File
	StdoutClosed   bool      // what is written to Stdout gets nowhere

	Getenv       func(string) string
	Environ      []string // for what a terminal can do
	Now          func() time.Time
	Signals      <-chan os.Signal // may be nil
	Host, Kernel string           // name of the machine, and the release of its kernel
	Executable   string           // path of the program, for messages
	Root         bool             // the user is root
	Config       string           // path of the machine's configuration; "": there is none

	Backends *registry.Registry[registry.Backend]
	Outputs  *registry.Registry[registry.Output]
	Labels   *registry.Registry[registry.Label]
}

// Main runs pktstat with the process's arguments, streams and signals, and
// returns its exit code.
func Main() int {
	exe, err := os.Executable()
	if err != nil {
		exe = os.Args[0]
	}
	// A reader of our output that goes away is an error like any other (EPIPE):
	// another output may still be served.
	signal.Ignore(syscall.SIGPIPE)
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGUSR1)
	if !signal.Ignored(syscall.SIGHUP) { // nohup
		signal.Notify(signals, syscall.SIGHUP)
	}
	host, kernel := machine()
	app := App{
		Args: os.Args, Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, StdoutClosed: closedAtStart(unix.Stdout),
		Getenv: os.Getenv, Environ: os.Environ(), Now: time.Now, Signals: signals,
		Host: host, Kernel: kernel, Executable: exe, Root: os.Geteuid() == 0, Config: "/etc/pktstat/config.toml",
		Backends: registry.Backends, Outputs: registry.Outputs, Labels: registry.Labels,
	}
	return app.Run(context.Background())
}

// Run runs pktstat and returns its exit code. When ctx ends, a count ends with
// its final report.
func (a *App) Run(ctx context.Context) int {
	s := &session{App: a, console: newConsole(a)}
	err := s.underSignals(ctx, s.dispatch)
	return s.exit(err)
}

// session is an invocation in progress.
type session struct {
	*App
	*console
	signalled signalled
	stop      func()      // ends a count as a signal does
	stopped   atomic.Bool // by an output
	terminal  *taken      // nil unless an output has it for itself
}

// dispatch parses the command line and runs what it asks for.
func (s *session) dispatch(ctx context.Context) error {
	cl := newCommandLine(s.App)
	stdout := &failing{w: s.Stdout}
	var unknown error
	commands := s.commands(stdout, cl)
	app := &cli.App{
		Name:   program,
		Writer: stdout, ErrWriter: io.Discard,
		HideHelp: true, HideVersion: true, // the options are our own
		DisableSliceFlagSeparator: true,
		Flags:                     cl.flags(),
		Metadata:                  map[string]any{"help": s.help(cl, commands)},
		CustomAppHelpTemplate:     `{{.Metadata.help}}`,
		Commands:                  commands,
		Action: func(c *cli.Context) error {
			if cl.version.on {
				_, err := io.WriteString(stdout, versionText())
				return err
			}
			if err := s.configure(cl); err != nil {
				return err
			}
			s.debug = cl.debug.on
			return s.count(c.Context, cl)
		},
		OnUsageError: usageError(cl.all(), cl.habitOf, s.Args),
		// Asked for help, the library calls it for an argument that is no sub-command.
		CommandNotFound: func(_ *cli.Context, name string) {
			if text := s.topic(cl, commands, name); text != "" {
				_, _ = io.WriteString(stdout, text)
			} else {
				unknown = s.unknownTopic(cl, commands, name)
			}
		},
		// Errors are rendered and mapped to exit codes in one place: exit.go.
		ExitErrHandler: func(*cli.Context, error) {},
	}
	names := append(commandNames(commands), "help")
	a := cl.arguments(a0(s.Args), names)
	if a.err != nil {
		return a.err
	}
	if !a.unread {
		if err := cl.takeCaptures(a.words, names); err != nil {
			return err
		}
	}
	err := app.RunContext(ctx, a.rest)
	if err == nil {
		err = unknown
	}
	if err == nil {
		err = stdout.failure()
	}
	return err
}

// program is the name of the command in messages.
const program = "pktstat"

// a0 gives an empty argument list its program name.
func a0(args []string) []string {
	if len(args) == 0 {
		return []string{program}
	}
	return args
}

// failing remembers that a write failed, for callers that do not look.
type failing struct {
	w   io.Writer
	err error
}

func (f *failing) Write(p []byte) (int, error) {
	n, err := f.w.Write(p)
	if err != nil && f.err == nil {
		f.err = err
	}
	return n, err
}

// failure is what went wrong, but for a reader that wanted no more.
func (f *failing) failure() error {
	if f.err == nil || errors.Is(f.err, syscall.EPIPE) {
		return nil
	}
	return &outputError{f.err}
}
