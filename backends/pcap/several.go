package pcap

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"time"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/registry"
)

// several reads captures in the order of time. Counters add up in any order, so packets need no
// order within a window. For each window, it reads every capture up to the end of the window, the
// one with the earliest packet first. It opens a file when its first packet is due, so of a
// rotated capture one file is open at a time.
type several struct {
	shared
	files    []string  // all captures, by the names of the user
	captures []*member // that have packets left
	names    ngNames
	lineages lineages
	list     []flow.Interface // of names, at the last Collect
	remarks  []string         // of captures that have ended
	failed   []error
	err      error
}

// member is one of several captures.
type member struct {
	name string
	next int64   // time of its next packet; unread: not known
	src  *source // nil: the file is not open
}

// unread is before all times: several looks at such a capture first.
const unread = math.MinInt64

// maxNotes bounds the notes about several captures.
const maxNotes = 16

var (
	_ registry.Source   = (*several)(nil)
	_ registry.Attached = (*several)(nil)
)

// openSeveral reads the beginning of all regular files, like Open, and keeps none of them open.
func openSeveral(ctx context.Context, names []string, env *registry.BackendEnv) (registry.Source, error) {
	s := &several{shared: newShared(env), files: names}
	var seen []os.FileInfo
	for i, name := range names {
		if st, err := os.Stat(name); err == nil {
			if slices.ContainsFunc(seen, func(o os.FileInfo) bool { return os.SameFile(o, st) }) {
				return nil, s.abandon(fmt.Errorf("%w: %s is named twice: its packets would count twice", registry.ErrUsage, name))
			}
			seen = append(seen, st)
		} else if name == stdinName && slices.Contains(names[:i], name) {
			return nil, s.abandon(fmt.Errorf("%w: standard input is named twice", registry.ErrUsage))
		}
		m, err := s.look(ctx, name, env.Stdin)
		if err != nil {
			return nil, s.abandon(err)
		}
		s.captures = append(s.captures, m)
	}
	return s, nil
}

// abandon closes the open captures and returns err.
func (s *several) abandon(err error) error {
	_ = s.Close() // nothing is lost
	return err
}

// look returns the start of a capture. It does not wait for a pipe, and leaves it open.
func (s *several) look(ctx context.Context, name string, stdin io.Reader) (*member, error) {
	in, err := openInput(name, stdin)
	if err != nil {
		return nil, err
	}
	m := &member{name: name, next: unread}
	src := newSource(in, s.shared)
	if in.pipe {
		src.names, src.streams = &s.names, s.lineages.begin(unread)
		m.src = src
		return m, nil
	}
	err = src.begin(ctx)
	if src.next != 0 {
		m.next = src.next
	}
	_ = src.Close()
	if name == stdinName && err == nil { // it cannot be opened again
		err = errors.New("standard input: a regular file cannot be one of several captures here: name it")
	}
	return m, err
}

// Collect adds the packets of one interval of the captures' time.
func (s *several) Collect(ctx context.Context, b *flow.Batch) error {
	b.WindowClosed(time.Time{}) // the packets decide its end
	if s.err != nil {
		return s.err
	}
	s.window.open()
	over, err := s.collect(ctx, b)
	s.window.ended(b, over)
	s.expire(b, len(s.captures) == 0)
	s.list = slices.Clone(s.names.list)
	switch {
	case errors.Is(err, errInterrupted): // no later Collect reports the damaged captures
		return errors.Join(s.failed...)
	case err == nil && over && len(s.captures) > 0:
		return nil
	}
	if s.err = errors.Join(s.failed...); s.err == nil {
		s.err = io.EOF
	}
	return s.err
}

// collect reads captures until none has a packet in the window. over means that one has a later
// packet.
func (s *several) collect(ctx context.Context, b *flow.Batch) (over bool, err error) {
	if err := s.waitForPipes(ctx); err != nil {
		return false, err
	}
	for len(s.captures) > 0 {
		m := slices.MinFunc(s.captures, func(a, b *member) int { return cmp.Compare(a.next, b.next) })
		if !s.window.due(m.next) {
			if s.window.done(m.next) {
				s.window.add(m.next) // moves an empty window there
				s.stop()
			}
			return true, nil
		}
		if err := s.read(ctx, m, b); err != nil {
			return false, err
		}
	}
	return false, nil
}

// waitForPipes waits for the first packet of each pipe: only then is it known which capture is
// the first.
func (s *several) waitForPipes(ctx context.Context) error {
	for _, m := range s.captures {
		if m.src == nil || m.src.format != nil {
			continue
		}
		switch err := m.src.begin(ctx); {
		case errors.Is(err, errInterrupted):
			return err
		case m.src.next != 0:
			m.next = m.src.next
		} // other errors come again when the capture is read
	}
	return nil
}

// read reads a capture up to the end of the window.
func (s *several) read(ctx context.Context, m *member, b *flow.Batch) error {
	var err error
	if m.src == nil {
		var in *input
		if in, err = openInput(m.name, nil); err == nil {
			m.src = newSource(in, s.shared)
			m.src.names, m.src.streams = &s.names, s.lineages.begin(m.next)
		}
	}
	if err == nil {
		err = m.src.read(ctx, b)
	}
	switch {
	case errors.Is(err, errWindowEnd):
		m.next = m.src.next
		return nil
	case errors.Is(err, errInterrupted):
		return err
	case !errors.Is(err, io.EOF) && !errors.Is(err, errSilent):
		s.failed = append(s.failed, err)
	}
	s.end(m)
	return nil
}

// end closes a capture and keeps its remarks for the report.
func (s *several) end(m *member) {
	if m.src != nil {
		s.remarks = append(s.remarks, m.notes()...)
		s.lineages.end(m.src.streams)
		if err := m.src.Close(); err != nil {
			s.failed = append(s.failed, fmt.Errorf("%s: close: %w", m.name, err))
		}
	}
	s.captures = slices.DeleteFunc(s.captures, func(o *member) bool { return o == m })
}

// stop ends the run: all other packets are later.
func (s *several) stop() {
	for len(s.captures) > 0 {
		s.end(s.captures[0])
	}
}

func (m *member) notes() []string {
	var notes []string
	for _, n := range m.src.remarked() {
		notes = append(notes, m.name+": "+n)
	}
	return notes
}

// Attachment names the interfaces of all captures, as far as several has read them.
func (s *several) Attachment() registry.Attachment {
	notes := slices.Clone(s.remarks)
	for _, m := range s.captures {
		if m.src != nil {
			notes = append(notes, m.notes()...)
		}
	}
	if more := len(notes) - maxNotes; more > 0 {
		notes = append(notes[:maxNotes], fmt.Sprintf("%d more notes on captures", more))
	}
	notes = append(notes, s.lost(s.lineages.all...)...)
	return registry.Attachment{Method: "file", Files: s.files, Interfaces: s.list, Notes: notes}
}

// Close stops reading. A second call does nothing.
func (s *several) Close() error {
	var errs []error
	for _, m := range s.captures {
		if m.src != nil {
			errs = append(errs, m.src.Close())
		}
	}
	s.captures = nil
	return errors.Join(errs...)
}
