package pcap

import (
	"bufio"
	"bytes"
	"errors"
	"io"

	"github.com/klauspost/compress/gzip"
)

// gzipReader reads the members of a gzip file (RFC 1952). Like gunzip, it skips zeros behind
// them, which pad to the block size of tapes, and with a warning other bytes.
type gzipReader struct {
	packed  *bufio.Reader
	z       *gzip.Reader
	garbage *bool
}

func newGzipReader(packed *bufio.Reader, garbage *bool) (*gzipReader, error) {
	z, err := gzip.NewReader(packed)
	if err != nil {
		return nil, err
	}
	z.Multistream(false)
	return &gzipReader{packed: packed, z: z, garbage: garbage}, nil
}

func (g *gzipReader) Read(b []byte) (int, error) {
	for {
		n, err := g.z.Read(b)
		if n > 0 || !errors.Is(err, io.EOF) {
			if n > 0 && errors.Is(err, io.EOF) {
				err = nil
			}
			return n, err
		}
		if err := g.nextMember(); err != nil {
			return 0, err
		}
	}
}

// nextMember returns io.EOF if no member follows.
func (g *gzipReader) nextMember() error {
	magic, err := g.packed.Peek(2)
	if bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		if err := g.z.Reset(g.packed); err != nil {
			return err
		}
		g.z.Multistream(false)
		return nil
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	for {
		c, err := g.packed.ReadByte()
		switch {
		case err != nil:
			return err
		case c != 0:
			*g.garbage = true
			return io.EOF
		}
	}
}
