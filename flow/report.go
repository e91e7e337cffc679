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
	Files        []string // captures that were read
	Cgroups      []string // control groups that were counted in
	Origin       Origin

	Start, End time.Time // of the interval, or of the run; End is the earlier one if the clock was set back
	Dims       Dims      // what rows are grouped by
	Layers     Layer     // which byte counters the backend fills (a set)
	RateLayer  Layer     // which of them rates are computed from
	Sort       string    // name of the field that rows are ordered by; "": bps

	Sums
	Links     []Link   // what of Total was counted on each interface, as far as that is known; nil: there is but one
	LinkTotal Counters // what of Links was counted on interfaces while they were stacked on no other one

	Run Sums // since the start of the run, in interval reports too (Rest is 0)

	LostBytesUnknown bool     // Lost.Packets is known, its bytes are not
	PacketsInexact   bool     // the hook cannot know the segments of merged frames
	Notes            []string // what a reader must know about these numbers

	// Owners are the owners and labels of the rows, by Key.OwnerID. The numbers are this
	// report's own: when no row has an owner any more, another owner gets its number.
	Owners map[uint32]Owner
	// Label adds the labels that rows are not grouped by. Nil: there are none. It may be
	// called by several goroutines at a time.
	Label func([]*Row)

	// Retransmits are the TCP segments that were sent again, by Key: of the rows that have
	// any, where the backend knows. They lie beside the rows because few rows have any.
	Retransmits map[Packed]Spans

	FlowCount int          // flows before --top
	Packed    []*PackedRow // rows in order; read-only. Rows gives them readable.
}

// Alternative is a backend that could have been chosen automatically and was not.
type Alternative struct {
	Backend string // registered name
	Why     string // why not, or what it lost by
}

// labelled is how many rows are labelled at a time.
const labelled = 64

// Rows iterates over the rows in the report's order.
func (r *Report) Rows() iter.Seq[Row] {
	return func(yield func(Row) bool) {
		name := r.names()
		if r.Label == nil {
			var row Row // all of it is set for each
			for _, p := range r.Packed {
				r.row(&row, p)
				row.Iface = name(row.Ifindex)
				if !yield(row) {
					return
				}
			}
			return
		}
		rows, to := make([]Row, labelled), make([]*Row, labelled)
		for i := range rows {
			to[i] = &rows[i]
		}
		for left := r.Packed; len(left) > 0; {
			n := min(len(left), labelled)
			for i, p := range left[:n] {
				r.row(&rows[i], p)
				rows[i].Iface = name(rows[i].Ifindex)
			}
			r.Label(to[:n])
			for i := range rows[:n] {
				if !yield(rows[i]) {
					return
				}
			}
			left = left[n:]
		}
	}
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
		cut.Rest.Add(r.totals(p))
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
