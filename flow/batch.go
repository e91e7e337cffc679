package flow

import (
	"errors"
	"iter"
	"slices"
	"time"
)

// Batch receives the records of one Collect. A source calls Add or Next for each record. The
// batch hands records on in chunks, so a million flows or a large capture need no more memory.
// Records of the same flow add up.
//
// A Batch is not safe for concurrent use. A source must not keep it after Collect returns.
type Batch struct {
	// Start and End of the window of the records. Start is the end of the window before, and
	// [Batch.WindowClosed] sets End. A source with its own clock sets both before Collect
	// returns.
	Start, End time.Time
	// Earliest is the time of the first packet if it lies before Start, as in a capture that is
	// out of order. The run then starts at that time. Zero: no packet lies before Start.
	Earliest time.Time

	// Overflow was seen and counted, but without a flow.
	Overflow Overflow
	// OverflowHealth went wrong in TCP, in flows that have no record.
	OverflowHealth Health
	// Lost was seen, but not parsed or not counted.
	Lost Counters
	// LostBytesUnknown: Lost.Packets is known, Lost.Bytes is not. Lost.Packets is a lower bound
	// if the kernel drops super-frames.
	LostBytesUnknown bool
	// Links has what the records lack about interfaces, for sources that compare them (see
	// [Coverage]).
	Links []LinkPart

	n        int
	records  []Record
	closed   bool // WindowClosed was called
	hooks    BatchHooks
	watchers []*BatchHooks
	err      error
}

// BatchHooks are the functions that a Batch calls while a source fills it.
type BatchHooks struct {
	// WindowClosed is called once a Collect, before Records. End is zero if the source does not
	// know it; the hook may set it. May be nil.
	WindowClosed func()
	// Records gets the records in chunks. The batch reuses the slice after it returns. After an
	// error the batch hands on no more records, and [Batch.Flush] returns the error.
	Records func([]Record) error
}

// Errors in a source's code. After one of them the batch hands on no records.
var (
	errRecordFirst = errors.New("the source handed out a record before WindowClosed")
	errClosedTwice = errors.New("the source called WindowClosed twice in one Collect")
	errNotClosed   = errors.New("the source has not called WindowClosed")
)

// batchChunk is the number of records in a chunk. They fit into the second-level cache, and the
// call costs little per record.
const batchChunk = 512

// NewBatch returns a Batch for one Collect.
func NewBatch(h BatchHooks) *Batch {
	return &Batch{records: make([]Record, batchChunk), hooks: h}
}

// Reset prepares the Batch for another Collect, whose window begins at start.
func (b *Batch) Reset(start time.Time, h BatchHooks) {
	*b = Batch{Start: start, records: b.records, hooks: h, Links: b.Links[:0]}
}

// Watch sets hooks that the batch calls before its own, for the records that follow, until the next
// Reset or until stop is called. A source sees the records of a part of it that way. It may change
// their health.
func (b *Batch) Watch(h BatchHooks) (stop func()) {
	b.hand() // the records until now are not for h
	b.watchers = append(b.watchers, &h)
	return func() {
		b.hand()
		b.watchers = slices.DeleteFunc(b.watchers, func(w *BatchHooks) bool { return w == &h })
	}
}

// WindowClosed ends the window: later packets count in the next one. A source calls it once a
// Collect, before the first record, and also if it has no record. The engine then looks up the
// owners of the packets. If end is zero, the engine's clock sets the end.
//
// A source with its own clock calls it first, with zero.
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
	for h := range b.all() {
		if h.WindowClosed != nil {
			h.WindowClosed()
		}
	}
}

// Window returns Start and End in Unix nanoseconds, for sources that do not know the time of each
// packet. The earlier one comes first, as the clock may have been set back.
func (b *Batch) Window() (first, last int64) {
	first, last = b.Start.UnixNano(), b.End.UnixNano()
	return min(first, last), max(first, last)
}

// Add appends a record. It copies r.
func (b *Batch) Add(r Record) { *b.Next() = r }

// Next returns the place of the next record. The place holds an old record with cleared marks and
// health: the caller sets every other field. Sources that count packets use it to avoid the copy of
// Add.
func (b *Batch) Next() *Record {
	if b.n == len(b.records) {
		b.hand()
	}
	r := &b.records[b.n]
	b.n++
	r.Marks, r.Health, r.RTT = Marks{}, Health{}, 0
	return r
}

// Flush hands on the remaining records. It returns the first error of the hook Records, or an
// error in the source's use of the batch. The engine calls it after Collect.
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
	for h := range b.all() {
		if b.err == nil && b.n > 0 && h.Records != nil {
			b.err = h.Records(b.records[:b.n])
		}
	}
	b.n = 0
}

// all iterates over the hooks, the batch's own last.
func (b *Batch) all() iter.Seq[*BatchHooks] {
	return func(yield func(*BatchHooks) bool) {
		for _, w := range b.watchers {
			if !yield(w) {
				return
			}
		}
		yield(&b.hooks)
	}
}

// fail keeps the first error.
func (b *Batch) fail(err error) {
	if b.err == nil {
		b.err = err
	}
}
