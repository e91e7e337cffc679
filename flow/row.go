package flow

import "time"

// Record is what a source counted of one flow since its previous Collect.
type Record struct {
	Key Packed
	Counters
	First, Last int64 // wall-clock Unix nanoseconds between which the packets were seen
	Marks             // [Batch.Next] has cleared them
	// What the hook knows of the packets' socket: its cookie (SO_COOKIE) and the id of
	// its cgroup v2; 0: nothing. A source that never knows them leaves them alone.
	Socket, CgroupID uint64
	// Retransmits is how many of the segments TCP has sent again. They are in Counters as
	// all others are; a record may have nothing but them. A source that does not know leaves it alone.
	Retransmits uint64
}

// Marks are what is known of a flow's packets that does not add up.
type Marks struct {
	Match    Match    // how Key.OwnerID was found; a source leaves it alone
	TCPFlags TCPFlags // of all TCP packets, as far as the hook sees their headers
}

// Merge adds the marks of other packets: it keeps the weakest match and all flags.
func (m *Marks) Merge(o Marks) {
	m.Match = max(m.Match, o.Match)
	m.TCPFlags |= o.TCPFlags
}

// PackedRow is one row in its compact form: two cache lines.
type PackedRow struct {
	Key          Packed
	Delta, Total Counters // of the interval; since the start
	First, Last  int64    // Unix nanoseconds
	Marks                 // since the start
}

// NewRow returns the row that begins with a record.
func NewRow(r *Record) PackedRow {
	return PackedRow{Key: r.Key, Delta: r.Counters, First: r.First, Last: r.Last, Marks: r.Marks}
}

// Merge adds a record of the same key to the row's interval.
func (p *PackedRow) Merge(r *Record) {
	p.Delta.Add(r.Counters)
	p.First = min(p.First, r.First)
	p.Last = max(p.Last, r.Last)
	p.Marks.Merge(r.Marks)
}

// EndInterval moves what the interval counted into the total.
func (p *PackedRow) EndInterval() {
	p.Total.Add(p.Delta)
	p.Delta = Counters{}
}

// Spans is a number of an interval and of the run up to its end.
type Spans struct{ Delta, Total uint64 }

// Of returns the number of the run or of the interval.
func (s Spans) Of(run bool) uint64 {
	if run {
		return s.Total
	}
	return s.Delta
}

// Row is one row in readable form.
type Row struct {
	Key
	Totals               // of this report: the interval's, or the run's if final
	Run         Counters // since the start of the run
	First, Last time.Time
	Iface       string // name of Key.Ifindex, "" if not known
	Owner       Owner  // of Key.OwnerID
	Marks              // since the start of the run
	HasSubtype  bool   // Key.Subtype was read, though it may be 0, and is grouped by
}

// Readable returns the row with all that it says by itself: [Report.Rows] adds the
// counters of the report, the owner and the name of the interface.
func (p *PackedRow) Readable() (row Row) {
	p.readable(&row)
	return row
}

func (p *PackedRow) readable(row *Row) {
	row.Key, row.Run, row.Marks, row.HasSubtype = p.Key.Key(), p.Total, p.Marks, p.Key.L4Kind == L4Subtype
	row.First, row.Last = time.Unix(0, p.First).UTC(), time.Unix(0, p.Last).UTC()
}

// row sets all of the row but the interface's name.
func (r *Report) row(row *Row, p *PackedRow) {
	p.readable(row)
	row.Totals, row.Owner = r.totals(p), Owner{}
	if len(r.Owners) > 0 {
		row.Owner = r.Owners[p.Key.OwnerID]
	}
}

// totals are the row's sums in this report.
func (r *Report) totals(p *PackedRow) Totals {
	t := Totals{Counters: p.Delta}
	if r.Final {
		t.Counters = p.Total
	}
	if len(r.Retransmits) > 0 {
		t.Retransmits = r.Retransmits[p.Key].Of(r.Final)
	}
	return t
}
