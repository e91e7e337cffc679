// Package outputkit opens, flushes, commits and aborts the target of outputs that write text.
// Each output only adds a function that renders a report.
package outputkit

import (
	"bufio"
	"context"
	"errors"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/registry"
)

// Render writes a report to w. w keeps its first write error, so Render need not check errors.
// Returning an error early saves work.
type Render func(w *bufio.Writer, r *flow.Report) error

// bufferSize makes system calls rare and uses little memory.
const bufferSize = 64 << 10

type sink struct {
	render Render
	file   registry.Writer
	buf    *bufio.Writer
	err    error // the first write error
	final  bool  // the final report was written
	closed bool
}

var _ registry.Sink = (*sink)(nil)

// Open creates the target, so that an error such as a missing directory ends the run before it
// counts. It returns a sink that writes each report with render.
//
// Errors are returned as they are: the target's error names the file, and the caller of the sink
// names the output.
func Open(env registry.OutputEnv, render Render) (registry.Sink, error) {
	file, err := env.Create()
	if err != nil {
		return nil, err
	}
	return &sink{render: render, file: file, buf: bufio.NewWriterSize(file, bufferSize)}, nil
}

// Write renders r and flushes it, so that the reader of a pipe gets whole reports. After an error
// it writes nothing more and returns the same error again.
func (s *sink) Write(_ context.Context, r *flow.Report) error {
	if s.err == nil {
		s.err = s.render(s.buf, r)
	}
	if s.err == nil {
		s.err = s.buf.Flush()
	}
	s.final = s.final || r.Final
	return s.err
}

// Close commits the target if it has the final report. Otherwise it aborts the target.
func (s *sink) Close() error {
	if s.closed {
		return nil
	}
	s.closed = true
	if s.err != nil || !s.final {
		return s.file.Abort()
	}
	if err := s.file.Commit(); err != nil {
		return errors.Join(err, s.file.Abort())
	}
	return nil
}
