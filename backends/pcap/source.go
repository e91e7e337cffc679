package pcap

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/count/handshake"
	"github.com/pktstat/pktstat/internal/count/packet"
	"github.com/pktstat/pktstat/registry"
)

// source is an open capture.
type source struct {
	in     *stream
	format format // nil until begin has read the first bytes
	quick  quick  // the format, if it is quick
	count  uint64 // packets read
	remarks
	err  error // the end of the capture: io.EOF, or what is wrong with it
	next int64 // time of the first packet, or of the first one after the window; 0: not known

	shared
	names   *ngNames // of the interfaces; nil: the capture has its own
	owner   uint32   // number of the capture in rows grouped by it; 0: rows are not
	scratch flow.Record
}

// shared is the state of all captures of one run.
type shared struct {
	window  *window
	recent  *recent
	silence time.Duration // the longest wait for a pipe; 0: no limit
	number  func(name string) uint32

	handshakes *handshake.Tracker
	streams    *lineage
}

// newShared prepares a run.
func newShared(env *registry.BackendEnv) shared {
	s := shared{
		window: &window{interval: int64(env.Interval), limit: int64(env.Limit)}, recent: newRecent(), silence: env.Limit,
		number: func(string) uint32 { return 0 }, handshakes: &handshake.Tracker{}, streams: newLineage(),
	}
	if env.Tuples != nil {
		field := flow.Fields.Find(fileField)
		s.number = func(name string) uint32 {
			var o flow.Owner
			o.SetLabel(field, name)
			return env.Tuples.Number(&o)
		}
	}
	return s
}

var (
	_ registry.Source   = (*source)(nil)
	_ registry.Attached = (*source)(nil)
)

// format reads the records of one kind of capture file.
type format interface {
	// next reads the record at the start of b and returns its length. The length may exceed b
	// if the rest does not matter. It is 0 if b is too short; maxRecord bytes are always
	// enough. If the record is a packet, isPacket is set and p is filled. Reading the record
	// again gives the same. After an error, the rest of the capture is unreadable.
	next(b []byte, p *captured) (n int, isPacket bool, err error)
	// cut returns what is missing when the capture ends with b, the start of a record. It
	// returns nil if nothing is missing.
	cut(b []byte) error
	interfaces() []flow.Interface
}

// quick is for formats that can count a run of packets of flows in recent at once. It returns the
// length of what it counted, and stops before any record that it does not know.
type quick interface {
	countRecent(b []byte, t *recent, w *window) (n int, packets uint64)
}

// maxRecord is the most that a format needs to see at once: a packet with all that belongs to it.
const maxRecord = maxCaptured + 64<<10

func newSource(in *input, s shared) *source { return &source{in: newStream(in), shared: s} }

// Collect adds the packets of one interval of the capture's time, or all packets without an
// interval.
func (s *source) Collect(ctx context.Context, b *flow.Batch) error {
	b.WindowClosed(time.Time{}) // the packets decide its end
	if s.err != nil {
		return s.err
	}
	s.window.open()
	err := s.read(ctx, b)
	s.window.ended(b, errors.Is(err, errWindowEnd))
	s.expire(b, errors.Is(err, io.EOF))
	switch {
	case errors.Is(err, errWindowEnd) && s.window.done(s.next), errors.Is(err, errSilent):
		err = io.EOF
	case errors.Is(err, errWindowEnd), errors.Is(err, errInterrupted):
		return nil
	}
	s.err = err
	return err
}

// read counts packets until the window, the capture or ctx ends, and returns which of them ended
// it.
func (s *source) read(ctx context.Context, b *flow.Batch) error {
	s.owner = s.number(s.in.name) // valid in this Collect only: later, another owner may have the number
	err := s.begin(ctx)
	if err == nil {
		err = s.collect(ctx, b)
	}
	s.recent.flush(b, s.streams)
	return err
}

// ended closes the window of a Collect. over means that a packet of a later window has arrived.
func (w *window) ended(b *flow.Batch, over bool) {
	if !w.started {
		return
	}
	b.Earliest = w.earliest()
	b.Start, b.End = w.close(over && w.packets > 0)
}

// errWindowEnd means that the next packet belongs to a later window.
var errWindowEnd = errors.New("end of the window")

// errSilent means that a pipe brought nothing for as long as the run may take.
var errSilent = errors.New("nothing comes out of the pipe")

// collect counts packets until the window, the capture or ctx ends, and returns which of them
// ended it.
func (s *source) collect(ctx context.Context, b *flow.Batch) error {
	for {
		if err := s.countBuffered(b); err != nil {
			return err
		}
		if s.recent.due() {
			s.recent.flush(b, s.streams)
		}
		if err := s.fill(ctx); err != nil {
			return s.ended(err)
		}
	}
}

// fill waits for more bytes of the capture. It waits for a pipe at most as long as the run may
// take. While a pipe is silent, the clock of the capture stands still.
func (s *source) fill(ctx context.Context) error {
	if s.silence <= 0 || !s.in.in.pipe {
		return s.in.fill(ctx)
	}
	waited, cancel := context.WithTimeout(ctx, s.silence)
	defer cancel()
	err := s.in.fill(waited)
	if errors.Is(err, errInterrupted) && ctx.Err() == nil {
		return errSilent
	}
	return err
}

// countBuffered counts the whole records in the buffer.
func (s *source) countBuffered(b *flow.Batch) error {
	var p captured
	for {
		if s.quick != nil && s.recent.pause == 0 {
			n, packets := s.quick.countRecent(s.in.data, s.recent, s.window)
			s.in.data = s.in.data[n:]
			s.count += packets
		}
		n, isPacket, err := s.format.next(s.in.data, &p)
		switch {
		case err != nil:
			return s.failed(err)
		case n == 0:
			return nil
		case isPacket:
			if !s.window.add(p.time) {
				s.next = p.time
				return errWindowEnd
			}
			s.add(&p, b)
		}
		s.in.consume(n)
	}
}

// add counts one packet.
func (s *source) add(p *captured, b *flow.Batch) {
	s.count++
	if p.wild {
		s.wildTime(s.count)
	}
	id, l3, known := p.identify()
	if s.recent.pause > 0 {
		s.recent.pause--
		known = false
	}
	if known && s.countRecent(id, l3, p, b) {
		return
	}
	r := &s.scratch
	if !known {
		r = b.Next()
	}
	var f packet.Frame
	if !p.link.Frame(p.data, p.origLen, &f) {
		s.unreadable(p, s.format.interfaces)
	}
	segment := packet.Parse(&f, r)
	r.Key.Ifindex, r.Key.Dir, r.Key.OwnerID = p.ifindex, p.dir, s.owner
	r.First, r.Last = p.time, p.time
	key, flags := r.Key, r.TCPFlags
	var slot *recentSlot
	if known {
		slot = s.recent.insert(id, r, b, s.streams)
	}
	if flags == 0 {
		return
	}
	if on := p.link.Interface(p.data); on != 0 { // other interfaces may have the same packet
		key.Ifindex = on
	}
	health := s.streams.segment(&key, segment, flags, slot, p.time)
	key.Ifindex = p.ifindex
	if !known {
		r.Health, r.RetransmitsBy = health, flow.RetransmitsSequence
	} else {
		s.unwell(&key, health, p.time, b)
	}
	if handshake.Wants(flags, 0) {
		s.segment(&key, flags, p.time, b)
	}
}

// countRecent counts a packet if the table has its flow.
func (s *source) countRecent(id identity, l3 uint64, p *captured, b *flow.Batch) bool {
	i, found := s.recent.find(id)
	if !found {
		return false
	}
	slot, m := &s.recent.slots[i], marksOf(id, l3, p.data)
	seen := slot.TCPFlags
	slot.add(l3, p.wireLen(), p.time, m)
	s.recent.added++
	if m.TCPFlags == 0 {
		return true
	}
	key := &s.recent.keys[i]
	if segment := segmentOf(l3, p.wireLen(), p.data); !slot.follow(segment, m.TCPFlags) {
		s.unwell(key, s.streams.segment(key, segment, m.TCPFlags, slot, p.time), p.time, b)
	}
	if handshake.Wants(m.TCPFlags, seen) {
		s.segment(key, m.TCPFlags, p.time, b)
	}
	return true
}

// begin finds the format of the capture and reads up to the first packet. It leaves damage to
// collect.
func (s *source) begin(ctx context.Context) error {
	for s.format == nil {
		f, n, err := detect(s.in.data, s.in.err != nil, s.in.packing())
		if err != nil {
			return fmt.Errorf("%s: %w", s.in.name, err)
		}
		if f != nil {
			s.format = f
			s.quick, _ = f.(quick)
			if ng, ok := f.(*ng); ok && s.names != nil {
				ng.names = s.names
			}
			s.in.consume(n)
			break
		}
		if err := s.fill(ctx); errors.Is(err, errSilent) {
			return err
		} else if err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("%s: %w", s.in.name, err)
		}
	}
	for s.count == 0 {
		var p captured
		n, isPacket, err := s.format.next(s.in.data, &p)
		switch {
		case err != nil || isPacket:
			if err == nil {
				s.next = p.time
			}
			return nil
		case n > 0:
			s.in.consume(n)
			continue
		}
		if err := s.fill(ctx); errors.Is(err, errInterrupted) || errors.Is(err, errSilent) {
			return err
		} else if err != nil {
			return nil
		}
	}
	return nil
}

// ended returns the error for a stream that has ended with err.
func (s *source) ended(err error) error {
	switch {
	case errors.Is(err, errInterrupted), errors.Is(err, errSilent):
		return err
	case !errors.Is(err, io.EOF):
		return s.failed(err)
	case s.in.skip > 0:
		return s.failed(fmt.Errorf("cut short: %d bytes of its block are missing", s.in.skip))
	}
	if err := s.format.cut(s.in.data); err != nil {
		return s.failed(err)
	}
	if err := s.nothingRead(s.count); err != nil {
		return fmt.Errorf("%s: %w", s.in.name, err)
	}
	return io.EOF
}

func (s *source) failed(err error) error {
	return fmt.Errorf("%s: packet %d: %w", s.in.name, s.count+1, err)
}

// Attachment names the interfaces of a pcapng file, as far as source has read it.
func (s *source) Attachment() registry.Attachment {
	a := registry.Attachment{Method: "file", Files: []string{s.in.name}, Notes: slices.Concat(s.remarked(), s.lost(s.streams))}
	if s.format != nil {
		a.Interfaces = s.format.interfaces()
	}
	return a
}

// remarked are the notes on the capture itself.
func (s *source) remarked() []string { return append(s.notes(), s.in.notes()...) }

// Close stops reading. Standard input stays open: it is not ours.
func (s *source) Close() error { return s.in.close() }
