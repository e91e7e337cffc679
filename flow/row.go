package flow

import "time"

// Record holds the counters of one flow since the source's previous Collect.
type Record struct {
	Key Packed
	Counters
	First, Last int64 // Unix nanoseconds by the wall clock; the packets arrived between them
	Marks             // cleared by [Batch.Next]
	// Socket is the socket's cookie (SO_COOKIE), and CgroupID the id of its cgroup v2. 0:
	// unknown. A source that never knows them need not set them.
	Socket, CgroupID uint64
	// Retransmits is the number of retransmitted TCP segments. Counters include them. A record
	// may have retransmits only. A source that does not know them need not set it.
	Retransmits uint64
}

// Marks are the properties of a flow's packets that do not add up.
type Marks struct {
	Match    Match    // how the owner in Key.OwnerID was found; sources do not set it
	TCPFlags TCPFlags // of all TCP packets whose header the hook sees
}

// Merge adds the marks of other packets. It keeps the weaker match and all flags.
func (m *Marks) Merge(o Marks) {
	m.Match = max(m.Match, o.Match)
	m.TCPFlags |= o.TCPFlags
}

// PackedRow is a row in compact form. It fills two cache lines.
type PackedRow struct {
	Key          Packed
	Delta, Total Counters // of the interval, and since the start of the run
	First, Last  int64    // Unix nanoseconds; see Record
	Marks                 // since the start of the run
}

// NewRow returns a row that starts with a record.
func NewRow(r *Record) PackedRow {
	return PackedRow{Key: r.Key, Delta: r.Counters, First: r.First, Last: r.Last, Marks: r.Marks}
}

// Merge adds a record of the same key to the current interval.
func (p *PackedRow) Merge(r *Record) {
	p.Delta.Add(r.Counters)
	p.First = min(p.First, r.First)
	p.Last = max(p.Last, r.Last)
	p.Marks.Merge(r.Marks)
}

// EndInterval adds the interval's counters to the total and clears them.
func (p *PackedRow) EndInterval() {
	p.Total.Add(p.Delta)
	p.Delta = Counters{}
}

// Spans holds a number for two spans: Delta of the interval, Total of the run so far.
type Spans struct{ Delta, Total uint64 }

// Of returns Total if run is set, otherwise Delta.
func (s Spans) Of(run bool) uint64 {
	if run {
		return s.Total
	}
	return s.Delta
}

// Row is a row in readable form.
type Row struct {
	Key
	Totals               // of the interval, or of the run in the final report
	Run         Counters // since the start of the run
	First, Last time.Time
	Iface       string // name of Key.Ifindex, "" if unknown
	Owner       Owner  // the owner with the number Key.OwnerID
	Marks              // since the start of the run
	HasSubtype  bool   // rows are grouped by Subtype, and it was read; it may be 0
}

// Readable returns the row without the fields that depend on a report: its counters, the owner
// and the interface's name. [Report.Rows] returns complete rows.
func (p *PackedRow) Readable() (row Row) {
	p.readable(&row)
	return row
}

func (p *PackedRow) readable(row *Row) {
	row.Key, row.Run, row.Marks, row.HasSubtype = p.Key.Key(), p.Total, p.Marks, p.Key.L4Kind == L4Subtype
	row.First, row.Last = time.Unix(0, p.First).UTC(), time.Unix(0, p.Last).UTC()
}

// row sets all fields of row except the interface's name.
func (r *Report) row(row *Row, p *PackedRow) {
	p.readable(row)
	row.Totals, row.Owner = r.totals(p), Owner{}
	if len(r.Owners) > 0 {
		row.Owner = r.Owners[p.Key.OwnerID]
	}
}

// totals returns the row's totals in this report.
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
