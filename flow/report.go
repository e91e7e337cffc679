package flow

import (
	"iter"
	"time"
)

// Interface is a network interface on which pktstat counts.
type Interface struct {
	Index uint32
	Name  string
}

// Report is the input of a sink. It is immutable, because several sinks share it.
//
// An interval report's rows and Sums cover that interval; the final report's cover the whole run.
// The interval reports' Totals add up to the final report's Totals.
type Report struct {
	Seq   uint64 // 1, 2, ...; the final report has the highest number
	Final bool

	Backend      string        // registered name
	Attach       string        // attach method: "tcx", "file", ...
	Reason       string        // why pktstat chose this backend automatically; "" if the user chose it
	Alternatives []Alternative // the other backends it considered, the best first
	Interfaces   []Interface
	Files        []string // captures that were read
	Cgroups      []string // control groups in which packets were counted
	Origin       Origin

	Start, End time.Time // of the interval or the run; End is before Start if the clock was set back
	Dims       Dims      // what rows are grouped by
	Layers     Layer     // which byte counters the backend fills (a set)
	RateLayer  Layer     // the byte counter that rates are computed from
	Sort       string    // name of the field that orders the rows; "" means bps

	Sums
	Links     []Link   // counters of each interface, as far as known; nil if there is only one
	LinkTotal Counters // the part of Links counted on interfaces that were stacked on no other one
	// Coverage compares the interfaces with their own counters, since the start of the run; nil if
	// the backend cannot.
	Coverage []Coverage

	Run Sums // since the start of the run, in interval reports too (Rest is 0)

	LostBytesUnknown bool     // Lost.Packets is known, Lost.Bytes is not
	PacketsInexact   bool     // the hook does not know the segment counts of merged frames
	Notes            []string // hints for the reader about these numbers

	// Owners are the owners and labels of the rows, by Key.OwnerID. A number is valid in this
	// report only: a later report may give it to another owner.
	Owners map[uint32]Owner
	// Label adds the labels that rows are not grouped by. Nil: no label is left to add. It is
	// safe for concurrent use.
	Label func([]*Row)

	FlowCount int          // number of rows before --top
	Packed    []*PackedRow // rows in order, read-only; Rows returns them readable
	Sides     []Side       // what is beside each row; nil: nothing
}

// Alternative is a backend that pktstat considered and did not choose.
type Alternative struct {
	Backend string // registered name
	Why     string // why it cannot be used, or why another one is better
}

// labelled is the number of rows that one call labels.
const labelled = 64

// Rows iterates over the rows in the report's order.
func (r *Report) Rows() iter.Seq[Row] {
	return func(yield func(Row) bool) {
		name := r.names()
		if r.Label == nil {
			var row Row // the loop sets every field of it for each row
			for i := range r.Packed {
				r.row(&row, i)
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
		for done := 0; done < len(r.Packed); {
			n := min(len(r.Packed)-done, labelled)
			for i := range n {
				r.row(&rows[i], done+i)
				rows[i].Iface = name(rows[i].Ifindex)
			}
			r.Label(to[:n])
			for i := range rows[:n] {
				if !yield(rows[i]) {
					return
				}
			}
			done += n
		}
	}
}

// Top returns the report with at most n rows and moves the others into Rest. It returns r itself
// if it has no more than n rows. n <= 0 means all.
func (r *Report) Top(n int) *Report {
	if n <= 0 || len(r.Packed) <= n {
		return r
	}
	cut := *r
	cut.Packed = r.Packed[:n:n]
	if r.Sides != nil {
		cut.Sides = r.Sides[:n:n]
	}
	for i := range r.Packed[n:] {
		cut.Rest.Add(r.totals(n + i))
	}
	return &cut
}

// Duration is the length of the interval or the run. Live runs use the monotonic clock, which
// ignores clock changes and stops during suspend.
func (r *Report) Duration() time.Duration { return r.End.Sub(r.Start) }

// BitRate returns bits per second of the rate layer over the report's duration.
func (r *Report) BitRate(c Counters) float64 { return r.perSecond(8 * float64(c.At(r.RateLayer))) }

// PacketRate returns packets per second over the report's duration.
func (r *Report) PacketRate(c Counters) float64 { return r.perSecond(float64(c.Packets)) }

func (r *Report) perSecond(v float64) float64 {
	s := r.Duration().Seconds()
	if s <= 0 {
		return 0
	}
	return v / s
}
