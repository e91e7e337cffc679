package outputkit

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/registry"
)

// file is a registry.Writer on a real file. Commit renames it.
type file struct {
	*os.File
	final string // "": Commit renames nothing
}

func (f file) Commit() error {
	err := f.Close()
	if err == nil && f.final != "" {
		err = os.Rename(f.Name(), f.final)
	}
	return err
}

func (f file) Abort() error {
	err := f.Close()
	if errors.Is(err, os.ErrClosed) {
		err = nil
	}
	if f.final != "" {
		if rmErr := os.Remove(f.Name()); !errors.Is(rmErr, fs.ErrNotExist) {
			err = errors.Join(err, rmErr)
		}
	}
	return err
}

func lines(n int) Render {
	return func(w *bufio.Writer, r *flow.Report) error {
		for range n {
			_, _ = fmt.Fprintf(w, "report %d\n", r.Seq) // w keeps the error
		}
		return nil
	}
}

func env(target string, create func() (*os.File, error), final string) registry.OutputEnv {
	return registry.OutputEnv{Target: target, Create: func() (registry.Writer, error) {
		f, err := create()
		if err != nil {
			return nil, err
		}
		return file{f, final}, nil
	}}
}

func TestFile(t *testing.T) {
	dir := t.TempDir()
	final := filepath.Join(dir, "run.txt")
	for _, withFinal := range []bool{false, true} {
		s, err := Open(env(final, func() (*os.File, error) { return os.Create(final + ".tmp") }, final), lines(1))
		if err != nil {
			t.Fatal(err)
		}
		reports := []*flow.Report{{Seq: 1}, {Seq: 2}, {Seq: 3, Final: withFinal}}
		for _, r := range reports {
			if err := s.Write(context.Background(), r); err != nil {
				t.Fatal(err)
			}
		}
		for range 2 {
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		}
		got, err := os.ReadFile(final)
		if withFinal && string(got) != "report 1\nreport 2\nreport 3\n" {
			t.Errorf("file holds %q, %v", got, err)
		}
		if !withFinal && !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("without a final report there is a file with %q", got)
		}
		if left, _ := filepath.Glob(final + ".tmp*"); left != nil {
			t.Errorf("left behind: %v", left)
		}
	}
}

func TestMissingDirectory(t *testing.T) {
	target := filepath.Join(t.TempDir(), "missing", "run.txt")
	_, err := Open(env(target, func() (*os.File, error) { return os.Create(target + ".tmp") }, target), lines(1))
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("open returned %v", err)
	}
}

// /dev/full returns ENOSPC for every write (full(4)).
func TestFullDisk(t *testing.T) {
	for _, n := range []int{1, 100_000} { // fails in flush; fails in render
		s, err := Open(env("/dev/full", func() (*os.File, error) { return os.OpenFile("/dev/full", os.O_WRONLY, 0) }, ""), lines(n))
		if err != nil {
			t.Fatal(err)
		}
		err = s.Write(context.Background(), &flow.Report{Final: true})
		if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "/dev/full") {
			t.Errorf("write returned %v", err)
		}
		if again := s.Write(context.Background(), &flow.Report{Final: true}); !errors.Is(again, syscall.ENOSPC) {
			t.Errorf("the next write returned %v", again)
		}
		if err := s.Close(); err != nil {
			t.Errorf("close after the failure: %v", err)
		}
	}
}

func TestClosedPipe(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	s, err := Open(env("-", func() (*os.File, error) { return w, nil }, ""), lines(1))
	if err != nil {
		t.Fatal(err)
	}
	err = s.Write(context.Background(), &flow.Report{Final: true})
	if !errors.Is(err, syscall.EPIPE) {
		t.Errorf("write to a closed pipe returned %v", err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
}

func TestRenderFails(t *testing.T) {
	failed := errors.New("cannot render")
	name := filepath.Join(t.TempDir(), "run.txt")
	s, err := Open(env(name, func() (*os.File, error) { return os.Create(name + ".tmp") }, name),
		func(*bufio.Writer, *flow.Report) error { return failed })
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Write(context.Background(), &flow.Report{Final: true}); !errors.Is(err, failed) {
		t.Errorf("write returned %v", err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
	if _, err := os.Stat(name); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a report that failed was committed: %v", err)
	}
}

// A failed commit returns its error and leaves no file behind.
func TestCommitFails(t *testing.T) {
	dir := t.TempDir()
	tmp := filepath.Join(dir, "run.tmp")
	final := filepath.Join(dir, "gone", "run.txt") // the directory does not exist
	s, err := Open(env(final, func() (*os.File, error) { return os.Create(tmp) }, final), lines(1))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Write(context.Background(), &flow.Report{Final: true}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("close returned %v", err)
	}
	if _, err := os.Stat(tmp); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the temporary file still exists: %v", err)
	}
}
