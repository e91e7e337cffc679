package vmtest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/pktstat/pktstat/tools/vmtest/protocol"
)

// Test is the result of a test.
type Test struct {
	Name    string  `json:"name"`
	Outcome string  `json:"outcome"` // pass, fail, skip; empty if the test did not end
	Seconds float64 `json:"seconds"`
	Output  string  `json:"output,omitempty"`
}

// PackageResult is the result of a run.
type PackageResult struct {
	Package string  `json:"package"`
	Ended   bool    `json:"ended"`
	Reason  string  `json:"reason,omitempty"` // why the process failed: exit status or signal
	Seconds float64 `json:"seconds"`
	Tests   []Test  `json:"tests"`
	Output  string  `json:"output,omitempty"` // output that belongs to no test
}

// session reads the serial line of a machine.
type session struct {
	plan   protocol.Plan
	isTest bool      // the runs are test binaries
	live   io.Writer // gets all output at once; may be nil
	outDir string    // for files that the runs send
	onNext func(what string, within time.Duration)
	onEnd  func(*PackageResult)

	release string // of the running kernel
	boot    float64
	results []*PackageResult
	done    bool
	current *testReader
}

// toolMark precedes the lines that -test.v=test2json prints for test2json.
const toolMark = "\x16"

// Limits of the host's waiting.
const (
	bootTime = 3 * time.Minute
	stopTime = time.Minute
)

func (s *session) read(r io.Reader) error {
	s.onNext("boot", bootTime)
	err := protocol.Read(r, s.output, s.event)
	if s.current != nil { // the line was cut off
		err = errors.Join(err, s.endRun())
	}
	return err
}

func (s *session) output(b []byte) error {
	if s.live != nil && !bytes.HasPrefix(b, []byte(toolMark+"=== NAME")) {
		if _, err := s.live.Write(bytes.ReplaceAll(b, []byte(toolMark), nil)); err != nil {
			return err
		}
	}
	if s.current == nil {
		return nil // output of a process that outlived its run
	}
	_, err := s.current.Write(b)
	return err
}

func (s *session) event(e protocol.Event) error {
	switch e.Kind {
	case protocol.Ready:
		s.release, s.boot = e.Text, e.Seconds
		s.onNext("start of the first run", stopTime)
	case protocol.Start:
		if e.Run != len(s.results) || e.Run >= len(s.plan.Runs) || s.current != nil {
			return fmt.Errorf("run %d started after %d others", e.Run, len(s.results))
		}
		run := s.plan.Runs[e.Run]
		reader, err := newTestReader(run.Name, s.isTest)
		if err != nil {
			return err
		}
		s.current, s.results = reader, append(s.results, &reader.result)
		s.onNext(run.Name, run.Timeout+stopTime)
	case protocol.File:
		return s.keep(e.Text, e.Data)
	case protocol.Exit:
		if s.current == nil {
			return errors.New("the end of a run that did not start")
		}
		result := &s.current.result
		result.Ended, result.Reason, result.Seconds = true, e.Text, e.Seconds
		s.onNext("what follows "+result.Package, stopTime)
		return s.endRun()
	case protocol.Done:
		s.done = true
		s.onNext("power off", stopTime)
	case protocol.Failed:
		return fmt.Errorf("guest: %s", e.Text)
	}
	return nil
}

func (s *session) endRun() error {
	reader := s.current
	s.current = nil
	if err := reader.Close(); err != nil {
		return fmt.Errorf("test2json: %w", err)
	}
	s.onEnd(&reader.result)
	return nil
}

// keep writes a file that a run sent.
func (s *session) keep(name string, content []byte) error {
	if !filepath.IsLocal(name) {
		return fmt.Errorf("a run sent a file named %q", name)
	}
	name = filepath.Join(s.outDir, name)
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	return os.WriteFile(name, content, 0o644)
}

// testReader splits a test binary's output into tests, with the go command's test2json.
type testReader struct {
	result PackageResult
	stdin  io.WriteCloser // nil: plain output
	cmd    *exec.Cmd
	parsed chan error
	output map[string]*strings.Builder
}

func newTestReader(name string, isTest bool) (*testReader, error) {
	t := &testReader{
		result: PackageResult{Package: name}, parsed: make(chan error, 1), output: map[string]*strings.Builder{"": {}},
	}
	if !isTest {
		return t, nil
	}
	t.cmd = exec.Command("go", "tool", "test2json", "-t")
	t.cmd.Stderr = os.Stderr
	stdout, err := t.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if t.stdin, err = t.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if err := t.cmd.Start(); err != nil {
		return nil, err
	}
	go func() { t.parsed <- t.parse(stdout) }()
	return t, nil
}

func (t *testReader) Write(b []byte) (int, error) {
	if t.stdin == nil {
		return t.output[""].Write(b)
	}
	return t.stdin.Write(b)
}

// Close completes the result.
func (t *testReader) Close() error {
	var err error
	if t.stdin != nil {
		err = errors.Join(t.stdin.Close(), <-t.parsed, t.cmd.Wait())
	}
	for i := range t.result.Tests {
		t.result.Tests[i].Output = t.output[t.result.Tests[i].Name].String()
	}
	t.result.Output = t.output[""].String()
	return err
}

// parse reads the events of go doc test2json.
func (t *testReader) parse(r io.Reader) error {
	for d := json.NewDecoder(r); ; {
		var e struct {
			Action, Test, Output string
			Elapsed              float64
		}
		if err := d.Decode(&e); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			_, _ = io.Copy(io.Discard, r) // let it end
			return err
		}
		out, known := t.output[e.Test]
		if !known {
			out = &strings.Builder{}
			t.output[e.Test] = out
			t.result.Tests = append(t.result.Tests, Test{Name: e.Test})
		}
		switch e.Action {
		case "output":
			out.WriteString(e.Output)
		case "pass", "fail", "skip":
			if e.Test != "" {
				i := slices.IndexFunc(t.result.Tests, func(x Test) bool { return x.Name == e.Test })
				t.result.Tests[i].Outcome, t.result.Tests[i].Seconds = e.Action, e.Elapsed
			}
		}
	}
}
