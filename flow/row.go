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
	// Health counts what went wrong in TCP. A record may have nothing but it. [Batch.Next] has
	// cleared it.
	Health
	RetransmitsBy RetransmitsBy // if there are retransmits
	// RTT is the round-trip time of a TCP handshake that has ended, in nanoseconds; 0: none.
	// A record may have nothing but it. [Batch.Next] has cleared it.
	RTT   int64
	RTTBy RTTBy
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
	Side         uint32   // place of its [Side] in the ledger; 0: it has none
}

// NewRow returns a row that starts with a record.
func NewRow(r *Record) PackedRow {
	return PackedRow{Key: r.Key, Delta: r.Counters, First: r.First, Last: r.Last, Marks: r.Marks}
}

// Merge adds a record of the same key to the current interval.
func (p *PackedRow) Merge(r *Record) {
	p.Delta.Add(r.Counters)
	if r.Packets != 0 { // else it may come long after the packet that it is of
		p.First = min(p.First, r.First)
		p.Last = max(p.Last, r.Last)
	}
	p.Marks.Merge(r.Marks)
}

// EndInterval adds the interval's counters to the total and clears them.
func (p *PackedRow) EndInterval() {
	p.Total.Add(p.Delta)
	p.Delta = Counters{}
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
	SideMarks
	HasSubtype bool // rows are grouped by Subtype, and it was read; it may be 0

	numbers *numbers // of labels; nil: none
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

// row sets all fields of the i-th row except the interface's name.
func (r *Report) row(row *Row, i int) {
	p := r.Packed[i]
	p.readable(row)
	row.Totals, row.Owner, row.numbers = r.totals(i), Owner{}, nil
	row.SideMarks = r.Side(i).SideMarks
	if len(r.Owners) > 0 {
		row.Owner = r.Owners[p.Key.OwnerID]
	}
}

// Side returns what is beside the i-th row.
func (r *Report) Side(i int) *Side {
	if i < len(r.Sides) {
		return &r.Sides[i]
	}
	return &noSide
}

var noSide Side // never changed

// totals returns the totals of the i-th row in this report.
func (r *Report) totals(i int) Totals { return r.Packed[i].Totals(r.Side(i), r.Dims, r.Final) }

// Totals returns the totals of a row grouped by dims, over the run or the interval.
func (p *PackedRow) Totals(side *Side, dims Dims, run bool) Totals {
	t := Totals{Counters: p.Delta, Health: side.Health.Of(run)}
	if run {
		t.Counters = p.Total
	}
	if dims.TwoSided() {
		t.Out = side.Out.Of(run)
		t.In = t.Counters.Minus(t.Out)
	}
	return t
}
