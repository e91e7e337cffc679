package pcap

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/pktstat/pktstat/registry"
)

// stdinName is the name of standard input.
const stdinName = "-"

// input is the source of a capture's bytes.
type input struct {
	name string // for messages
	pipe bool   // a read may wait for long
	r    io.Reader

	interrupt func() // makes a waiting read return; nil: not possible
	release   func() error
}

func openInput(name string, stdin io.Reader) (*input, error) {
	if name == stdinName {
		return openStdin(stdin)
	}
	// O_NONBLOCK: opening a named pipe must not wait for its writer. Reads of regular files
	// ignore it.
	f, err := os.OpenFile(name, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, openError(name, err)
	}
	in, err := fileInput(name, f, f.Close)
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return in, nil
}

func openError(name string, err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("%s: %w: this user may not read the file", name, registry.ErrPermission)
	}
	if errors.Is(err, fs.ErrNotExist) && strings.ContainsAny(name, "*?[") {
		return fmt.Errorf("%s: %w: no file matches", name, unix.ENOENT) // the shell left the pattern as it is
	}
	if pe := (*fs.PathError)(nil); errors.As(err, &pe) {
		err = pe.Err // its text repeats the name
	}
	return fmt.Errorf("%s: %w", name, err)
}

func openStdin(r io.Reader) (*input, error) {
	const name = "standard input"
	switch r := r.(type) {
	case nil:
		return nil, fmt.Errorf("%s is not open", name)
	case *os.File:
		if isTerminal(r) {
			return nil, fmt.Errorf("%w: %s is a terminal: a capture comes from a pipe or a file there", registry.ErrUsage, name)
		}
		return fileInput(name, r, func() error { return nil })
	default:
		return &input{name: name, pipe: true, r: r, release: func() error { return nil }}, nil
	}
}

func isTerminal(f *os.File) (is bool) {
	raw, err := f.SyscallConn() // Fd would make the file blocking
	if err != nil {
		return false
	}
	_ = raw.Control(func(fd uintptr) { // fails for a closed file, which reading tells
		_, err := unix.IoctlGetTermios(int(fd), unix.TCGETS)
		is = err == nil
	})
	return is
}

// fileInput reads regular files directly. Before it reads any other file, it waits in poll, so
// that it can be interrupted. That changes nothing in a file description that other processes may
// share.
func fileInput(name string, f *os.File, release func() error) (*input, error) {
	st, err := f.Stat()
	if err != nil {
		return nil, openError(name, err)
	}
	if st.IsDir() {
		return nil, fmt.Errorf("%s: is a directory, not a capture: name the files in it, as in %s", name, filepath.Join(name, "*"))
	}
	if st.Mode().IsRegular() {
		return &input{name: name, r: f, interrupt: func() {}, release: release}, nil
	}
	p, err := newPollReader(f)
	if err != nil {
		return nil, openError(name, err)
	}
	return &input{name: name, pipe: true, r: p, interrupt: p.interrupt, release: func() error {
		return errors.Join(p.close(), release())
	}}, nil
}
