package pcap

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// errInterrupted ends reading before the capture does.
var errInterrupted = errors.New("interrupted")

// pollReader reads a pipe, terminal or socket until it is interrupted.
type pollReader struct {
	conn syscall.RawConn
	// The two ends of a pipe: closing stop makes wake readable.
	wake, stop *os.File
	once       sync.Once
}

func newPollReader(f *os.File) (*pollReader, error) {
	conn, err := f.SyscallConn()
	if err != nil {
		return nil, err
	}
	wake, stop, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	return &pollReader{conn: conn, wake: wake, stop: stop}, nil
}

// Read waits for bytes. On a named pipe it also waits for the first writer: poll reports a
// hang-up only after one.
func (p *pollReader) Read(b []byte) (n int, err error) {
	cerr := p.conn.Control(func(fd uintptr) { n, err = p.read(int(fd), b) })
	if cerr != nil {
		return 0, cerr
	}
	return n, err
}

func (p *pollReader) read(fd int, b []byte) (int, error) {
	for {
		fds := []unix.PollFd{
			{Fd: int32(fd), Events: unix.POLLIN},
			{Fd: int32(p.wake.Fd()), Events: unix.POLLIN},
		}
		if _, err := unix.Poll(fds, -1); err != nil {
			if errors.Is(err, unix.EINTR) {
				continue
			}
			return 0, fmt.Errorf("poll: %w", err)
		}
		if fds[1].Revents != 0 {
			return 0, errInterrupted
		}
		n, err := unix.Read(fd, b)
		switch {
		case errors.Is(err, unix.EINTR), errors.Is(err, unix.EAGAIN):
			continue
		case err != nil:
			return 0, fmt.Errorf("read: %w", err)
		case n == 0:
			return 0, io.EOF
		}
		return n, nil
	}
}

// interrupt makes this and every later Read return errInterrupted. It may be
// called at any time before close, more than once.
func (p *pollReader) interrupt() { p.once.Do(func() { _ = p.stop.Close() }) }

// close frees the wake-up pipe. No Read may be waiting.
func (p *pollReader) close() error {
	p.interrupt()
	return p.wake.Close()
}
