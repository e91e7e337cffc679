// Package cmd is the command line of pktstat. A build with other plugins is a main package that
// imports them and calls [Main]:
//
//   - options.go, option.go, mount.go: the options, pktstat's own and the plugins'
//   - arguments.go: captures, which are not options; habits.go: options of other tools
//   - usage.go: errors about the command line; guess.go, nearest.go: suggestions
//   - backend.go: what the user asks of the backends; package choose chooses one
//   - output.go: the outputs of a run
//   - run.go: a count, from the options to the engine; signals.go: its end by signals
//   - config.go: options from configurations, and the sub-command config
//   - probe.go, probetext.go: the sub-command probe
//   - verify.go, verifytext.go: the sub-command verify
//   - list.go: the sub-commands backends, outputs and the like
//   - help.go, topics.go: the help text
//   - describe.go: the command line as data; generate.go: man pages and completion
//   - origin.go, version.go: what reports contain about the run
//   - console.go, progress.go: what users see on standard error
//   - takeover.go: an output that uses the whole terminal
//   - closed.go: a closed standard output; exit.go: errors and exit codes
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

// App is one invocation of pktstat, with what it needs of its process.
type App struct {
	Args           []string // the program's name first
	Stdin          io.Reader
	Stdout, Stderr io.Writer // an *os.File may be a terminal
	StdoutClosed   bool      // Stdout leads nowhere

	Getenv       func(string) string
	Environ      []string // to find out what the terminal can do
	Now          func() time.Time
	Signals      <-chan os.Signal // may be nil
	Host, Kernel string           // host name, and kernel release
	Executable   string           // path of the program, for messages
	Root         bool             // the user is root
	Config       string           // path of the machine's configuration; "": none

	Backends *registry.Registry[registry.Backend]
	Outputs  *registry.Registry[registry.Output]
	Labels   *registry.Registry[registry.Label]
}

// Main runs pktstat with the process's arguments, streams and signals, and returns its exit code.
func Main() int {
	exe, err := os.Executable()
	if err != nil {
		exe = os.Args[0]
	}
	// If the reader of an output goes away, the output gets EPIPE like any other error. Other
	// outputs may continue.
	signal.Ignore(syscall.SIGPIPE)
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGUSR1)
	if !signal.Ignored(syscall.SIGHUP) { // not under nohup
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

// Run runs pktstat and returns its exit code. When ctx ends, a count ends with its final report.
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
	terminal  *taken      // nil unless an output uses the whole terminal
}

// dispatch parses the command line and runs the command.
func (s *session) dispatch(ctx context.Context) error {
	cl := newCommandLine(s.App)
	stdout := &failing{w: s.Stdout}
	var unknown error
	commands := s.commands(stdout, cl)
	app := &cli.App{
		Name:   program,
		Writer: stdout, ErrWriter: io.Discard,
		HideHelp: true, HideVersion: true, // pktstat has its own options for these
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
		// With --help, the library calls this for an argument that is not a sub-command.
		CommandNotFound: func(_ *cli.Context, name string) {
			if text := s.topic(cl, commands, name); text != "" {
				_, _ = io.WriteString(stdout, text)
			} else {
				unknown = s.unknownTopic(cl, commands, name)
			}
		},
		// exit.go prints errors and maps them to exit codes.
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

// a0 adds the program's name to an empty argument list.
func a0(args []string) []string {
	if len(args) == 0 {
		return []string{program}
	}
	return args
}

// failing records a failed write, for callers that ignore it.
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

// failure returns the write error, unless the reader has gone away.
func (f *failing) failure() error {
	if f.err == nil || errors.Is(f.err, syscall.EPIPE) {
		return nil
	}
	return &outputError{f.err}
}
