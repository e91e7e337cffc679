// Package outputkit is what outputs that write text to a file, a pipe or stdout
// have in common: they differ in how a report is rendered, not in when the
// target is opened, flushed, committed or given up.
package outputkit

import (
	"bufio"
	"context"
	"errors"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/registry"
)

// Render writes a report to w. The first failed write sticks to w, so its error
// need not be looked at; returning it early saves work.
type Render func(w *bufio.Writer, r *flow.Report) error

// bufferSize makes system calls rare without holding much text.
const bufferSize = 64 << 10

type sink struct {
	render Render
	file   registry.Writer
	buf    *bufio.Writer
	err    error // of the first write that failed
	final  bool  // the final report is written
	closed bool
}

var _ registry.Sink = (*sink)(nil)

// Open creates the target, so that a missing directory shows before anything is
// counted, and returns a sink that writes what render makes of each report.
//
// Errors are passed on as they are: the target's name the file, and whoever
// calls a sink names the output.
func Open(env registry.OutputEnv, render Render) (registry.Sink, error) {
	file, err := env.Create()
	if err != nil {
		return nil, err
	}
	return &sink{render: render, file: file, buf: bufio.NewWriterSize(file, bufferSize)}, nil
}

// Write renders r and flushes it, so that a reader of a pipe sees whole reports.
// After a failure it writes nothing more and returns the same error again.
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

// Close commits the target if the final report is in it, and else gives it up.
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
