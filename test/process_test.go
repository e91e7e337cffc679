package test

import (
	"bufio"
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/pktstat/pktstat/internal/test/testnet"
)

// process is a running pktstat.
type process struct {
	t      *testing.T
	cmd    *exec.Cmd
	stdout strings.Builder // complete after wait

	mu     sync.Mutex
	stderr strings.Builder
	lines  chan string // of stderr; closed at its end
}

// start runs the binary inside a host. If host is nil, it uses the test's own namespace.
func start(t *testing.T, host *testnet.Host, args ...string) *process {
	t.Helper()
	return launch(t, host, exec.CommandContext(t.Context(), pktstat(t), args...))
}

// launch starts a command that runs the binary.
func launch(t *testing.T, host *testnet.Host, cmd *exec.Cmd) *process {
	t.Helper()
	p := &process{t: t, cmd: cmd, lines: make(chan string, 1000)}
	if cmd.Stdout == nil {
		cmd.Stdout = &p.stdout
	}
	stderr, err := p.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	begin := p.cmd.Start
	if host != nil {
		begin = func() error { return host.Start(p.cmd) }
	}
	if err := begin(); err != nil {
		t.Fatalf("%s: %v", p.cmd, err)
	}
	go p.read(stderr)
	return p
}

func (p *process) read(r io.Reader) {
	defer close(p.lines)
	for s := bufio.NewScanner(r); s.Scan(); {
		p.mu.Lock()
		p.stderr.WriteString(s.Text() + "\n")
		p.mu.Unlock()
		p.lines <- s.Text()
	}
}

func (p *process) errors() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stderr.String()
}

// counting waits until the process counts, as scripts do.
func (p *process) counting() string {
	p.t.Helper()
	return p.expect("counting on ")
}

// expect waits for the next line on stderr that begins with text.
func (p *process) expect(text string) string {
	p.t.Helper()
	timeout := time.After(time.Minute)
	for {
		select {
		case line, ok := <-p.lines:
			switch {
			case !ok:
				p.t.Fatalf("%s ended without printing %q:\n%s", p.cmd, text, p.errors())
			case strings.HasPrefix(line, text):
				return line
			}
		case <-timeout:
			p.t.Fatalf("%s did not print %q:\n%s", p.cmd, text, p.errors())
		}
	}
}

func (p *process) signal(sig os.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(sig); err != nil {
		p.t.Fatalf("%s: %v", p.cmd, err)
	}
}

// wait returns the exit code, -1 after a signal.
func (p *process) wait() int {
	p.t.Helper()
	killer := time.AfterFunc(time.Minute, func() { _ = p.cmd.Process.Signal(syscall.SIGABRT) })
	defer killer.Stop()
	for range p.lines { // read to the end first, because Wait closes the pipe
	}
	err := p.cmd.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		p.t.Fatalf("%s: %v", p.cmd, err)
	}
	return p.cmd.ProcessState.ExitCode()
}

// run runs the binary to its end, which must be a success, and returns its standard output.
func run(t *testing.T, args ...string) string {
	t.Helper()
	p := start(t, nil, args...)
	if code := p.wait(); code != 0 {
		t.Fatalf("%s: exit code %d:\n%s", p.cmd, code, p.errors())
	}
	return p.stdout.String()
}
