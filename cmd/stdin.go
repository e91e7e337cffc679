package cmd

import (
	"io/fs"
	"os"

	"golang.org/x/sys/unix"

	"github.com/pktstat/pktstat/internal/choose"
)

// startOfFile is how much of standard input is examined.
const startOfFile = 512

// unreadCapture prints a hint if standard input begins like a capture, but the options select
// nothing to count.
func (s *session) unreadCapture(cl *commandLine) {
	m, _ := cl.reader()
	f, ok := s.Stdin.(*os.File)
	if m == nil || m.backend.Reads == nil || !ok || cl.backend != choose.Auto || cl.aboutInterfaces() != "" {
		return
	}
	if m.backend.Reads(peek(f)) {
		s.say("standard input has a capture, which is not read: %s - reads it", program)
	}
}

// peek returns the first bytes of a file or of a pipe's current content, and does not consume them.
func peek(f *os.File) []byte {
	b := make([]byte, startOfFile)
	switch info, err := f.Stat(); {
	case err != nil:
		return nil
	case info.Mode().IsRegular():
		n, _ := f.ReadAt(b, 0) // after an error, b has what was read
		return b[:n]
	case info.Mode()&fs.ModeNamedPipe == 0:
		return nil
	}
	r, w, err := os.Pipe()
	if err != nil {
		return nil
	}
	defer func() { _, _ = r.Close(), w.Close() }()
	// tee(2) copies without consuming.
	n, err := unix.Tee(int(f.Fd()), int(w.Fd()), len(b), unix.SPLICE_F_NONBLOCK)
	if err != nil || n <= 0 {
		return nil
	}
	read, _ := r.Read(b[:n])
	return b[:max(read, 0)]
}
