package flow

import "strings"

// OverflowReason is the reason why counted packets have no row.
type OverflowReason uint8

// Reasons of overflow.
const (
	OverflowMaxFlows    OverflowReason = iota // the ledger had --max-flows rows
	OverflowTableFull                         // the source's table was full
	OverflowInterrupted                       // the program interrupted another counting program
	OverflowNewCPU                            // the CPU came online after the source was opened, so it has no table
	NumOverflowReasons  = iota
)

// String returns the reason's name in JSON and CSV.
func (r OverflowReason) String() string {
	return [...]string{"max_flows", "table_full", "interrupted", "new_cpu"}[r]
}

// Overflow holds the counters of packets without a row, by reason.
type Overflow [NumOverflowReasons]Counters

// Add counts c for a reason.
func (o *Overflow) Add(r OverflowReason, c Counters) { o[r].Add(c) }

// Total returns the sum over all reasons.
func (o *Overflow) Total() (sum Counters) {
	for _, c := range o {
		sum.Add(c)
	}
	return sum
}

// AddOverflow adds to Overflow and OverflowBy. The caller adds to Total.
func (s *Sums) AddOverflow(r OverflowReason, t Totals) {
	s.Overflow.Add(t)
	s.OverflowBy.Add(r, t.Counters)
}

// Words returns the reason's name in outputs for people.
func (r OverflowReason) Words() string {
	return [...]string{
		"beyond --max-flows", "kernel table full", "interrupted while counting", "on a CPU that came online later",
	}[r]
}

// Reasons lists the reasons for people: "beyond --max-flows, kernel table full".
func (o *Overflow) Reasons() string { return o.list(OverflowReason.Words, ", ") }

// Names lists the reasons for programs: "max_flows,table_full".
func (o *Overflow) Names() string { return o.list(OverflowReason.String, ",") }

func (o *Overflow) list(name func(OverflowReason) string, sep string) string {
	var reasons []string
	for i := range o {
		if !o[i].IsZero() {
			reasons = append(reasons, name(OverflowReason(i)))
		}
	}
	return strings.Join(reasons, sep)
}
