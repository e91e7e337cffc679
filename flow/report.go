package flow

import (
	"iter"
	"time"
)

// Interface is a network interface that was counted on.
type Interface struct {
	Index uint32
	Name  string
}

// Sums breaks down what was seen. Total == (sum of the rows) + Rest + Overflow + Lost.
type Sums struct {
	Total    Counters // everything the hooks saw
	Rest     Counters // flows that --top cut off
	Overflow Counters // folded to stay inside a memory bound: counted, but to no row
	Lost     Counters // seen, but not counted to a flow

	OverflowBy Overflow // Overflow by reason; adds up to it, to the byte
}

// RetransmitSums breaks down TCP segments that were sent again as Sums does what was
// counted: Total == (sum of the rows) + Rest + Overflow.
type RetransmitSums struct{ Total, Rest, Overflow uint64 }

// Report is what a sink gets. It is immutable once handed out: sinks share it.
//
// An interval report's rows and Sums are the deltas of that interval; the final
// report's are those of the whole run. Over a run the interval reports' Totals
// add up to the final one's.
type Report struct {
	Seq   uint64 // 1, 2, ...; the final report has the highest
	Final bool

	Backend      string        // registered name
	Attach       string        // how it is attached: "tcx", "file", ...
	Reason       string        // why this backend, when it was chosen automatically
	Alternatives []Alternative // what else was considered then, the best first
	Interfaces   []Interface

	Start, End time.Time // of the interval, or of the run; End is the earlier one if the clock was set back
	Dims       Dims      // what rows are grouped by
	Layers     Layer     // which byte counters the backend fills (a set)
	RateLayer  Layer     // which of them rates are computed from

	Sums
	Links     []Link   // what of Total was counted on each interface, as far as that is known; nil: there is but one
	LinkTotal Counters // what of Links was counted on interfaces while they were stacked on no other one

	Run Sums // since the start of the run, in interval reports too (Rest is 0)

	LostBytesUnknown bool     // Lost.Packets is known, its bytes are not
	PacketsInexact   bool     // the hook cannot know the segments of merged frames
	Notes            []string // what a reader must know about these numbers

	Owners map[uint32]Owner // of the rows, by Key.OwnerID

	// Retransmits are the TCP segments of this report that were sent again, by Key: of
	// the rows that have any, where the backend tells.
	Retransmits map[Packed]uint64

	// RetransmitSums are all that were sent again.
	RetransmitSums RetransmitSums
	RunRetransmits uint64 // of Run.Total

	FlowCount int          // flows before --top
	Packed    []*PackedRow // rows in order; read-only. Rows gives them readable.
}

// Alternative is a backend that could have been chosen automatically and was not.
type Alternative struct {
	Backend string // registered name
	Why     string // why not, or what it lost by
}

// PackedRow is one row in its compact form.
type PackedRow struct {
	Key          Packed
	Delta, Total Counters // of the interval; since the start
	First, Last  int64    // Unix nanoseconds
	Match        Match
}

// Row is one row in readable form.
type Row struct {
	Key
	Counters             // of this report: the interval's, or the run's if final
	Run         Counters // since the start of the run
	First, Last time.Time
	Iface       string // name of Key.Ifindex, "" if not known
	Owner       Owner  // of Key.OwnerID
	Match       Match  // how the owner was found; of a row that adds up several, the weakest
	Retransmits uint64 // TCP segments of this report that were sent again; 0: none, or not known
}

// Rows iterates over the rows in the report's order.
func (r *Report) Rows() iter.Seq[Row] {
	return func(yield func(Row) bool) {
		name := r.names()
		for _, p := range r.Packed {
			row := r.row(p)
			row.Iface = name(row.Ifindex)
			if !yield(row) {
				return
			}
		}
	}
}

func (r *Report) row(p *PackedRow) Row {
	row := Row{
		Key: p.Key.Key(), Counters: p.Delta, Run: p.Total,
		First: time.Unix(0, p.First).UTC(), Last: time.Unix(0, p.Last).UTC(),
		Owner: r.Owners[p.Key.OwnerID], Match: p.Match, Retransmits: r.Retransmits[p.Key],
	}
	if r.Final {
		row.Counters = p.Total
	}
	return row
}

// Top returns the report with at most n rows; the others move into Rest. It
// returns r itself if nothing is cut. n <= 0 means all.
func (r *Report) Top(n int) *Report {
	if n <= 0 || len(r.Packed) <= n {
		return r
	}
	cut := *r
	cut.Packed = r.Packed[:n:n]
	for _, p := range r.Packed[n:] {
		if r.Final {
			cut.Rest.Add(p.Total)
		} else {
			cut.Rest.Add(p.Delta)
		}
		cut.RetransmitSums.Rest += r.Retransmits[p.Key]
	}
	return &cut
}

// Duration is the length of the interval or of the run: of live traffic by the monotonic
// clock, whatever the wall clock was set to and without the time that the machine slept.
func (r *Report) Duration() time.Duration { return r.End.Sub(r.Start) }

// BitRate returns bits a second over the report's duration, in the report's rate layer.
func (r *Report) BitRate(c Counters) float64 { return r.perSecond(8 * float64(c.At(r.RateLayer))) }

// PacketRate returns packets a second over the report's duration.
func (r *Report) PacketRate(c Counters) float64 { return r.perSecond(float64(c.Packets)) }

func (r *Report) perSecond(v float64) float64 {
	s := r.Duration().Seconds()
	if s <= 0 {
		return 0
	}
	return v / s
}
