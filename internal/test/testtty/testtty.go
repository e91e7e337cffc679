// Package testtty gives tests a terminal: a pseudo-terminal that records output and types input.
package testtty

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"golang.org/x/term"
)

// Terminal is a pseudo-terminal. A program uses TTY as its terminal.
type Terminal struct {
	TTY        *os.File
	controller *os.File

	mu      sync.Mutex
	written bytes.Buffer
	before  term.State
	changed chan struct{}
}

// Open returns the two ends of a pseudo-terminal of the given size. Nothing reads from it: a write
// to terminal blocks when its buffer of some kilobytes is full.
func Open(tb testing.TB, width, height int) (controller, terminal *os.File) {
	tb.Helper()
	controller, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = controller.Close() })
	fd := int(controller.Fd())
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		err = unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: uint16(height), Col: uint16(width)})
	}
	if err != nil {
		tb.Fatal(err)
	}
	terminal, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		tb.Fatal(err)
	}
	// The garbage collector closes terminal, because the program may use it after the test.
	return controller, terminal
}

// Takes reports whether a write to the terminal would not block.
func Takes(tb testing.TB, terminal *os.File) bool {
	tb.Helper()
	fds := []unix.PollFd{{Fd: int32(terminal.Fd()), Events: unix.POLLOUT}}
	for {
		switch n, err := unix.Poll(fds, 0); {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			tb.Fatal(err)
		default:
			return n > 0
		}
	}
}

// New returns a terminal of the given size that records output.
func New(tb testing.TB, width, height int) *Terminal {
	tb.Helper()
	t := &Terminal{changed: make(chan struct{}, 1)}
	t.controller, t.TTY = Open(tb, width, height)
	t.before = *t.state(tb)
	go func() {
		b := make([]byte, 64<<10)
		for {
			n, err := t.controller.Read(b)
			t.mu.Lock()
			t.written.Write(b[:n])
			t.mu.Unlock()
			select {
			case t.changed <- struct{}{}:
			default:
			}
			if err != nil {
				return // closed
			}
		}
	}()
	return t
}

func (t *Terminal) state(tb testing.TB) *term.State {
	tb.Helper()
	s, err := term.GetState(int(t.TTY.Fd()))
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

// Written returns all output so far.
func (t *Terminal) Written() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.written.String()
}

// Type types keys.
func (t *Terminal) Type(tb testing.TB, keys string) {
	tb.Helper()
	if _, err := t.controller.WriteString(keys); err != nil {
		tb.Fatal(err)
	}
}

// Wait waits until done returns true for the output so far.
func (t *Terminal) Wait(tb testing.TB, what string, done func(written string) bool) {
	tb.Helper()
	late := time.After(20 * time.Second)
	for !done(t.Written()) {
		select {
		case <-t.changed:
		case <-time.After(100 * time.Millisecond):
		case <-late:
			tb.Fatalf("no %s in the terminal's output: %q", what, t.Written())
		}
	}
}

// Raw reports whether the program has changed the terminal's mode.
func (t *Terminal) Raw(tb testing.TB) bool {
	tb.Helper()
	return *t.state(tb) != t.before
}
