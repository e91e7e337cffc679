package flow

import "strings"

// OverflowReason is why packets that were counted have no row.
type OverflowReason uint8

// Reasons of overflow.
const (
	OverflowMaxFlows    OverflowReason = iota // the ledger had as many rows as it may keep
	OverflowTableFull                         // the source's table had no place
	OverflowInterrupted                       // the program interrupted another one that counted
	OverflowNewCPU                            // the CPU came online after the source was opened, without a table
	NumOverflowReasons  = iota
)

// String returns the name of the reason in reports.
func (r OverflowReason) String() string {
	return [...]string{"max_flows", "table_full", "interrupted", "new_cpu"}[r]
}

// Overflow is what was counted without a row, by reason.
type Overflow [NumOverflowReasons]Counters

// Add counts c for a reason.
func (o *Overflow) Add(r OverflowReason, c Counters) { o[r].Add(c) }

// Total adds up the reasons.
func (o *Overflow) Total() (sum Counters) {
	for _, c := range o {
		sum.Add(c)
	}
	return sum
}

// AddOverflow adds c to Overflow and OverflowBy; Total is the caller's.
func (s *Sums) AddOverflow(r OverflowReason, t Totals) {
	s.Overflow.Add(t)
	s.OverflowBy.Add(r, t.Counters)
}

// Words is the reason for people.
func (r OverflowReason) Words() string {
	return [...]string{
		"beyond --max-flows", "kernel table full", "interrupted while counting", "on a CPU that came online later",
	}[r]
}

// Reasons names the reasons for people: "beyond --max-flows, kernel table full".
func (o *Overflow) Reasons() string { return o.list(OverflowReason.Words, ", ") }

// Names names the reasons as reports for programs do: "max_flows,table_full".
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
