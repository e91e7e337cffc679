package pcap

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"
)

// maxZstdWindow bounds the memory for zstd. It is the limit of `zstd -d` without --long.
const maxZstdWindow = 128 << 20

// unpacker uncompresses data that begins like gzip or zstd, with any file name, and hands on all
// other data unchanged.
type unpacker struct {
	raw  io.Reader
	r    io.Reader // nil before the first Read
	kind string    // for messages; "" if not compressed
	free func()    // nil: there is nothing to free
	// garbage is set if other bytes follow the compressed data. Read it at the end.
	garbage bool
}

func (u *unpacker) Read(b []byte) (int, error) {
	if u.r == nil {
		n, err := u.start(b)
		if n > 0 || err != nil {
			return n, u.explain(err)
		}
	}
	n, err := u.r.Read(b)
	return n, u.explain(err)
}

// start looks at the first bytes. If they are not compressed, they are the result of the first
// Read.
func (u *unpacker) start(b []byte) (int, error) {
	n, err := io.ReadAtLeast(u.raw, b, 4)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = nil // shorter than any magic: the next Read finds the end again
	}
	if err != nil {
		return n, err
	}
	packed := func() *bufio.Reader {
		begun := bytes.NewReader(bytes.Clone(b[:n]))
		return bufio.NewReaderSize(io.MultiReader(begun, u.raw), 64<<10)
	}
	switch {
	case bytes.HasPrefix(b[:n], []byte{0x1f, 0x8b}):
		u.kind = "gzip"
		z, err := newGzipReader(packed(), &u.garbage)
		if err != nil {
			return 0, err
		}
		u.r = z
	case bytes.HasPrefix(b[:n], []byte{0x28, 0xb5, 0x2f, 0xfd}), isSkippable(b[:n]):
		u.kind = "zstd"
		z, err := zstd.NewReader(packed(), zstd.WithDecoderConcurrency(1),
			zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxZstdWindow))
		if err != nil {
			return 0, err
		}
		u.r, u.free = z, z.Close
	default:
		u.r = u.raw
		return n, nil
	}
	return 0, nil
}

// isSkippable finds skippable frames of zstd (RFC 8878, 3.1.2), with which pzstd begins its
// files.
func isSkippable(b []byte) bool {
	return len(b) >= 4 && b[0]&0xf0 == 0x50 && b[1] == 0x2a && b[2] == 0x4d && b[3] == 0x18
}

func (u *unpacker) explain(err error) error {
	switch {
	case err == nil, u.kind == "":
		return err
	case errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("%s: the compressed data is cut short", u.kind)
	case errors.Is(err, io.EOF), errors.Is(err, errInterrupted):
		return err
	case errors.Is(err, zstd.ErrWindowSizeExceeded):
		return fmt.Errorf("zstd: packed with a window above %d MiB: unpack it with zstd -d --long=31", maxZstdWindow>>20)
	}
	return fmt.Errorf("%s: the compressed data is damaged: %w", u.kind, err)
}

func (u *unpacker) close() {
	if u.free != nil {
		u.free()
	}
}
