package pcap

import (
	"context"
	"errors"
	"io"
)

// stream hands out the bytes of a capture, uncompressed, in pieces of whole records. It copies
// the rest of one piece in front of the next one. Every buffer has a headroom for that.
//
// The goroutine that parses a plain file also reads it: the bytes are then still in the cache. A
// second goroutine costs more than it gains (measured: a quarter more CPU time). stream reads
// pipes, which may be silent for long, and compressed captures ahead.
type stream struct {
	name string
	data []byte // not consumed yet; the caller takes from its front
	skip int    // bytes to skip after data
	err  error  // the end: io.EOF or a failure; nil while more bytes may come

	in    *input
	u     *unpacker
	ahead *ahead // nil: fill reads
	buf   []byte // the buffer of data
	spare []byte // the other buffer, when fill reads
}

// chunk is the result of one read: data, which lies at headroom in buf.
type chunk struct {
	buf, data []byte
	err       error // instead
}

const (
	headroom = maxRecord
	readSize = 256 << 10 // of one read; a larger one is not faster
)

var errClosed = errors.New("closed")

func newStream(in *input) *stream {
	s := &stream{name: in.name, in: in, u: &unpacker{raw: in.r}}
	if in.pipe {
		s.ahead = readAhead(s.u)
	}
	return s
}

// fill waits for more bytes and adds them to data, which may move. data must be shorter than
// maxRecord. fill returns s.err at the end, and errInterrupted when ctx ends.
func (s *stream) fill(ctx context.Context) error {
	for {
		if ctx.Err() != nil {
			return errInterrupted
		}
		if s.err != nil {
			return s.err
		}
		c := s.pull(ctx)
		switch {
		case errors.Is(c.err, errInterrupted):
			return c.err
		case c.err != nil:
			s.err = c.err
			return s.err
		case len(c.data) <= s.skip:
			s.skip -= len(c.data)
			s.recycle(c.buf)
		default:
			c.data, s.skip = c.data[s.skip:], 0
			s.join(c)
			return nil
		}
	}
}

func (s *stream) pull(ctx context.Context) chunk {
	if s.ahead != nil {
		return s.ahead.pull(ctx)
	}
	c := readChunk(s.u, s.spare)
	s.spare = nil
	if s.u.kind != "" && c.err == nil {
		s.ahead = readAhead(s.u)
	}
	return c
}

// readChunk reads the available bytes into buf, or into a new buffer. A chunk has either data or
// err.
func readChunk(r io.Reader, buf []byte) chunk {
	if buf == nil {
		buf = make([]byte, headroom+readSize)
	}
	for {
		n, err := r.Read(buf[headroom:])
		if n > 0 {
			return chunk{buf: buf, data: buf[headroom : headroom+n]}
		}
		if err != nil {
			return chunk{buf: buf, err: err}
		}
	}
}

// recycle gives a buffer back.
func (s *stream) recycle(buf []byte) {
	if s.ahead != nil {
		s.ahead.recycle(buf)
	} else {
		s.spare = buf
	}
}

// packing is the kind of compression, or "". It is known after the first bytes.
func (s *stream) packing() string {
	if len(s.data) == 0 {
		return ""
	}
	return s.u.kind
}

// notes returns remarks on the stream. They are known at its end.
func (s *stream) notes() []string {
	if !errors.Is(s.err, io.EOF) || !s.u.garbage {
		return nil
	}
	return []string{s.u.kind + ": other bytes follow the compressed data: they are ignored"}
}

// consume removes n bytes. Some of them may not have arrived yet.
func (s *stream) consume(n int) {
	if n > len(s.data) {
		s.skip, n = n-len(s.data), len(s.data)
	}
	s.data = s.data[n:]
}

// join appends a chunk to data. It copies the shorter of the two. So it does not copy a record
// again and again when that arrives in many small pieces.
func (s *stream) join(c chunk) {
	if room := cap(s.data) - len(s.data); len(c.data) < len(s.data) && len(c.data) <= room {
		s.data = append(s.data, c.data...)
		s.recycle(c.buf)
		return
	}
	rest := s.data
	s.data = c.data
	if len(rest) > 0 {
		from := headroom - len(rest)
		copy(c.buf[from:], rest)
		s.data = c.buf[from : headroom+len(c.data)]
	}
	if s.buf != nil {
		s.recycle(s.buf)
	}
	s.buf = c.buf
}

// close stops reading and frees the input. A second call does nothing.
func (s *stream) close() error {
	if errors.Is(s.err, errClosed) {
		return nil
	}
	s.err = errClosed
	if s.ahead != nil {
		s.ahead.close(s.in.interrupt)
	} else {
		s.u.close()
	}
	return s.in.release()
}
