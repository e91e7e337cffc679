package cmd

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// capture has 38 packets in 8 flows.
const capture = "../testdata/packets/ipv4.pcap"

// patience bounds a wait for what usually takes milliseconds.
const patience = 20 * time.Second

// binDir is where the command is built. Other users could not enter the test's own temporary
// directory.
var binDir string

var binary = sync.OnceValues(func() (string, error) {
	path := filepath.Join(binDir, "pktstat")
	out, err := exec.Command("go", "build", "-o", path, "github.com/pktstat/pktstat/cmd/pktstat").CombinedOutput()
	if err != nil {
		return "", errors.New(string(out))
	}
	return path, nil
})

func TestMain(m *testing.M) {
	// Ignore the configuration of the user who runs the tests.
	err := os.Setenv("PKTSTAT_CONFIG", "none")
	if err != nil {
		panic(err)
	}
	if binDir, err = os.MkdirTemp("", "pktstat-test-"); err == nil {
		err = os.Chmod(binDir, 0o755)
	}
	if err != nil {
		panic(err)
	}
	code := m.Run()
	_ = os.RemoveAll(binDir)
	os.Exit(code)
}

func pktstat(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatalf("build: %v", err)
	}
	return exec.CommandContext(t.Context(), path, args...)
}

// outcome is the result of a process.
type outcome struct {
	code           int // -1: killed
	stdout, stderr string
}

func finish(t *testing.T, cmd *exec.Cmd) outcome {
	t.Helper()
	var stdout, stderr bytes.Buffer
	if cmd.Stdout == nil {
		cmd.Stdout = &stdout
	}
	cmd.Stderr = &stderr
	err := cmd.Run()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return outcome{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

// errorLine returns stderr without the line about the start of counting.
func (o outcome) errorLine() string {
	if first, rest, _ := strings.Cut(o.stderr, "\n"); strings.HasPrefix(first, "counting on ") {
		return rest
	}
	return o.stderr
}

func open(t *testing.T, name string, flag int) *os.File {
	t.Helper()
	f, err := os.OpenFile(name, flag, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

// running is a count that waits for more packets on its standard input.
type running struct {
	*exec.Cmd
	t      *testing.T
	stdin  io.WriteCloser
	stdout bytes.Buffer
	stderr *bufio.Scanner
}

// start starts pktstat on an endless capture, and waits until it counts.
func start(t *testing.T, cmd *exec.Cmd) *running {
	t.Helper()
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	r := launch(t, cmd, cmd.Start)
	r.stdin = stdin
	data, err := os.ReadFile(capture)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stdin.Write(data); err != nil {
		t.Fatal(err)
	}
	if line := r.line(); !strings.HasPrefix(line, "counting on standard input (pcap") {
		t.Fatalf("stderr: %q", line)
	}
	return r
}

// launch starts a process.
func launch(t *testing.T, cmd *exec.Cmd, start func() error) *running {
	t.Helper()
	r := &running{Cmd: cmd, t: t}
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if cmd.Stdout == nil {
		cmd.Stdout = &r.stdout
	}
	if err := start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	r.stderr = bufio.NewScanner(stderr)
	return r
}

// line returns the next line on standard error.
func (r *running) line() string {
	late := time.AfterFunc(patience, func() { _ = r.Process.Kill() })
	defer late.Stop()
	r.stderr.Scan()
	return r.stderr.Text()
}

func (r *running) signal(sig os.Signal) {
	r.t.Helper()
	if err := r.Process.Signal(sig); err != nil {
		r.t.Fatal(err)
	}
}

// end waits for the process, and returns its exit code and remaining lines.
func (r *running) end() (int, []string) {
	r.t.Helper()
	late := time.AfterFunc(patience, func() { _ = r.Process.Kill() })
	defer late.Stop()
	var lines []string
	for r.stderr.Scan() {
		lines = append(lines, r.stderr.Text())
	}
	if err := r.Wait(); err != nil && r.ProcessState == nil {
		r.t.Fatal(err)
	}
	return r.ProcessState.ExitCode(), lines
}

// settled waits until the process has read all its input, and shortly after that.
func (r *running) settled() {
	r.t.Helper()
	pipe, ok := r.stdin.(interface{ Fd() uintptr })
	if !ok {
		r.t.Fatalf("standard input is a %T", r.stdin)
	}
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(time.Millisecond) {
		unread, err := unix.IoctlGetInt(int(pipe.Fd()), unix.TIOCINQ)
		if err != nil {
			r.t.Fatal(err)
		}
		if unread == 0 {
			time.Sleep(100 * time.Millisecond)
			return
		}
	}
	r.t.Fatal("the process does not read standard input")
}

// packets returns the total of a JSON report.
func packets(t *testing.T, report []byte) int {
	t.Helper()
	var r struct {
		Final bool `json:"final"`
		Total struct {
			Packets int `json:"packets"`
		} `json:"total"`
	}
	if err := json.Unmarshal(report, &r); err != nil || !r.Final {
		t.Fatalf("not a final report: %v: %q", err, report)
	}
	return r.Total.Packets
}
