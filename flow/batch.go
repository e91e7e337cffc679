package flow

import (
	"errors"
	"time"
)

// Batch receives what a source counted. Records stream through it in chunks, so
// that neither a million flows nor a capture file need memory of their own: a
// source calls Add or Next once a record and sets the other fields. A flow may
// come in several records; they add up.
//
// A Batch is not safe for concurrent use, and a source must not keep it after
// Collect has returned.
type Batch struct {
	// Start and End of the window that the records cover. Start is the end of the
	// previous window, and [Batch.WindowClosed] sets End. A source with a clock of its
	// own sets both before Collect returns.
	Start, End time.Time
	// Earliest is the time of a packet before Start, which counts in this window: in a capture
	// that is out of order. The run begins there. Zero: there is none.
	Earliest time.Time

	// Overflow was seen and counted, but to no flow.
	Overflow Overflow
	// Lost was seen, but could not be counted to a flow.
	Lost Counters
	// LostBytesUnknown says that Lost.Packets is right (a lower bound where the
	// kernel drops super-frames whole) and that its bytes are not known.
	LostBytesUnknown bool

	n       int
	records []Record
	closed  bool // the window is
	hooks   BatchHooks
	err     error
}

// BatchHooks are what a Batch calls while a source fills it.
type BatchHooks struct {
	// WindowClosed is called once a Collect, before Records. End is set if the source
	// knows it; the hook may set it. nil: nothing is called.
	WindowClosed func()
	// Records gets the records, chunk by chunk. The slice is reused after it returns.
	// After an error no more chunks are handed on; [Batch.Flush] returns it.
	Records func([]Record) error
}

// Mistakes of a source. No records are handed on after one.
var (
	errRecordFirst = errors.New("the source handed out a record before WindowClosed")
	errClosedTwice = errors.New("the source called WindowClosed twice in one Collect")
	errNotClosed   = errors.New("the source has not called WindowClosed")
)

// batchChunk is the number of records handed on at once: small enough to stay
// in the second-level cache, large enough to pay for the call.
const batchChunk = 512

// NewBatch returns a Batch for one Collect.
func NewBatch(h BatchHooks) *Batch {
	return &Batch{records: make([]Record, batchChunk), hooks: h}
}

// Reset makes the Batch ready for another Collect, whose window begins at start.
func (b *Batch) Reset(start time.Time, h BatchHooks) {
	*b = Batch{Start: start, records: b.records, hooks: h}
}

// WindowClosed marks the end of the window: later packets count in the next one. A source
// calls it once a Collect, before the first record, also if there is no record. The
// engine looks up now what belongs to the packets, such as processes. A zero end means
// now, by the engine's clock.
//
// A source with a clock of its own calls it first of all, with zero.
func (b *Batch) WindowClosed(end time.Time) {
	switch {
	case b.closed:
		b.fail(errClosedTwice)
		return
	case b.n > 0:
		b.fail(errRecordFirst)
	}
	b.closed = true
	if !end.IsZero() {
		b.End = end
	}
	if b.hooks.WindowClosed != nil {
		b.hooks.WindowClosed()
	}
}

// Window returns Start and End in Unix nanoseconds, for records of which only the window
// is known. The earlier one comes first: the clock may have been set back meanwhile.
func (b *Batch) Window() (first, last int64) {
	first, last = b.Start.UnixNano(), b.End.UnixNano()
	return min(first, last), max(first, last)
}

// Add appends a record.
func (b *Batch) Add(r Record) { *b.Next() = r }

// Next returns the place of the next record. It holds an old record without
// its marks: the caller sets every other field. This is Add without the copy, for sources that count packets.
func (b *Batch) Next() *Record {
	if b.n == len(b.records) {
		b.hand()
	}
	r := &b.records[b.n]
	b.n++
	r.Marks = Marks{}
	return r
}

// Flush hands on what is left. It returns the first error of the hook Records, or what
// the source did wrong. The engine calls it after Collect.
func (b *Batch) Flush() error {
	b.hand()
	if !b.closed {
		b.fail(errNotClosed)
	}
	return b.err
}

func (b *Batch) hand() {
	if b.n > 0 && !b.closed {
		b.fail(errRecordFirst)
	}
	if b.err == nil && b.n > 0 {
		b.err = b.hooks.Records(b.records[:b.n])
	}
	b.n = 0
}

// fail keeps the first error.
func (b *Batch) fail(err error) {
	if b.err == nil {
		b.err = err
	}
}
