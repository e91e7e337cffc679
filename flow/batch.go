package flow

import "time"

// Record is what a source counted of one flow since its previous Collect.
type Record struct {
	Key Packed
	Counters
	First, Last int64 // wall-clock Unix nanoseconds between which the packets were seen
	Match       Match // how Key.OwnerID was found; a source leaves it alone
	// What the hook knows of the packets' socket: its cookie (SO_COOKIE) and the id of
	// its cgroup v2; 0: nothing. A source that never knows them leaves them alone.
	Socket, CgroupID uint64
	// Retransmits is how many of the segments TCP has sent again. They are in Counters as
	// all others are; a record may have nothing but them. A source that does not know leaves it alone.
	Retransmits uint64
}

// Batch receives what a source counted. Records stream through it in chunks, so
// that neither a million flows nor a capture file need memory of their own: a
// source calls Add or Next once a record and sets the other fields. A flow may
// come in several records; they add up.
//
// A Batch is not safe for concurrent use, and a source must not keep it after
// Collect has returned.
type Batch struct {
	// Start and End of the window that the records cover. Before Collect the
	// engine sets Start to the end of the previous window and End to zero. A
	// source that knows when its window closed sets End; one with a clock of its
	// own sets both.
	Start, End time.Time

	// Overflow was seen and counted, but lost its flow to a memory bound.
	Overflow Counters
	// Lost was seen, but could not be counted to a flow.
	Lost Counters
	// LostBytesUnknown says that Lost.Packets is right (a lower bound where the
	// kernel drops super-frames whole) and that its bytes are not known.
	LostBytesUnknown bool

	n       int
	records []Record
	flush   func([]Record) error
	err     error
}

// batchChunk is the number of records handed on at once: small enough to stay
// in the second-level cache, large enough to pay for the call.
const batchChunk = 512

// NewBatch returns a Batch that hands its records to flush, chunk by chunk. The
// slice is reused after flush returns. After an error no more chunks are handed
// on; [Batch.Flush] returns it.
func NewBatch(flush func([]Record) error) *Batch {
	return &Batch{records: make([]Record, batchChunk), flush: flush}
}

// Window returns Start and End in Unix nanoseconds, for records of which only the window
// is known. The earlier one comes first: the clock may have been set back meanwhile.
func (b *Batch) Window() (first, last int64) {
	first, last = b.Start.UnixNano(), b.End.UnixNano()
	return min(first, last), max(first, last)
}

// Add appends a record.
func (b *Batch) Add(r Record) { *b.Next() = r }

// Next returns the place of the next record. It holds an old record: the caller
// sets every field. This is Add without the copy, for sources that count packets.
func (b *Batch) Next() *Record {
	if b.n == len(b.records) {
		b.hand()
	}
	r := &b.records[b.n]
	b.n++
	return r
}

// Flush hands on what is left and returns the first error of the flush function.
// The engine calls it after Collect.
func (b *Batch) Flush() error {
	b.hand()
	return b.err
}

func (b *Batch) hand() {
	if b.err == nil && b.n > 0 {
		b.err = b.flush(b.records[:b.n])
	}
	b.n = 0
}
