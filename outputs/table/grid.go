package table

import (
	"slices"
	"strconv"
	"strings"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/render/rowfields"
	"github.com/pktstat/pktstat/internal/render/units"
)

// grid is the text of a table, column by column.
type grid struct {
	columns []filled
	rows    int // flows; the cells after them are of the sums
	sums    int
}

// filled is a column with its cells.
type filled struct {
	*column
	title string // may be shortened
	cells []string
	width int // display width of the widest cell, title included
}

// newGrid fills the chosen columns, or all that have something to show.
func newGrid(r *flow.Report, chosen []*column, u units.System) *grid {
	g := &grid{rows: len(r.Packed)}
	sums := sumsOf(r)
	g.sums = len(sums)
	for _, c := range candidates(r, chosen) {
		g.columns = append(g.columns, filled{column: c, title: c.title, cells: make([]string, 0, g.rows+g.sums)})
	}
	for row := range r.Rows() {
		has := rowfields.Of(r.Dims, &row)
		for i := range g.columns {
			c := &g.columns[i]
			if c.number != nil {
				c.cells = append(c.cells, c.number(r, row.Counters, u))
			} else {
				c.cells = append(c.cells, c.cell(&row, has, r.Dims))
			}
		}
	}
	if chosen == nil {
		g.hideEmpty(len(r.Interfaces), sums)
	}
	if len(g.columns) == 0 || g.columns[0].number != nil || g.columns[0].sum != nil {
		label := filled{column: labelColumn, cells: make([]string, g.rows, g.rows+g.sums)}
		g.columns = slices.Insert(g.columns, 0, label)
	}
	for i := range sums {
		g.addSum(r, &sums[i], u)
	}
	for i := range g.columns {
		g.columns[i].measure()
	}
	return g
}

func candidates(r *flow.Report, chosen []*column) []*column {
	if chosen != nil {
		return chosen
	}
	var cols []*column
	for _, c := range allColumns {
		if !c.extra && (c.dims == 0 || r.Dims&c.dims != 0) {
			cols = append(cols, c)
		}
	}
	return cols
}

// hideEmpty removes columns of text that say nothing: without a cell, or the
// interface's where there is only one.
func (g *grid) hideEmpty(interfaces int, sums []sum) {
	g.columns = slices.DeleteFunc(g.columns, func(c filled) bool {
		return c.number == nil && !slices.ContainsFunc(c.cells, func(s string) bool { return s != "" }) &&
			!(c.sum != nil && slices.ContainsFunc(sums, func(s sum) bool { return c.sum(&s) != "" }))
	})
	if interfaces > 1 || len(g.columns) == 0 || len(g.columns) > 1 && g.columns[1].number != nil {
		return // the only column of text stays
	}
	g.columns = slices.DeleteFunc(g.columns, func(c filled) bool {
		return c.name == "iface" && !slices.ContainsFunc(c.cells, func(s string) bool { return s != c.cells[0] })
	})
}

// sum is a line below the flows.
type sum struct {
	label, what  string
	counters     flow.Counters
	bytesUnknown bool
	retransmits  uint64
}

func sumsOf(r *flow.Report) []sum {
	var s []sum
	again := &r.RetransmitSums
	if rest := r.FlowCount - len(r.Packed); rest > 0 || !r.Rest.IsZero() {
		s = append(s, sum{label: "rest", what: plural(max(rest, 0), "more flow"), counters: r.Rest, retransmits: again.Rest})
	}
	if !r.Overflow.IsZero() || again.Overflow > 0 {
		s = append(s, sum{label: "overflow", what: overflowReasons(r), counters: r.Overflow, retransmits: again.Overflow})
	}
	if !r.Lost.IsZero() || r.LostBytesUnknown {
		s = append(s, sum{label: "lost", what: "counted to no flow", counters: r.Lost, bytesUnknown: r.LostBytesUnknown})
	}
	return append(s, sum{label: "total", what: plural(r.FlowCount, "flow"), counters: r.Total, retransmits: again.Total})
}

// overflowReasons tells why there is overflow. Only --max-flows takes retransmits along.
func overflowReasons(r *flow.Report) string {
	var reasons []string
	for i, what := range [flow.NumOverflowReasons]string{
		flow.OverflowMaxFlows:    "beyond --max-flows",
		flow.OverflowTableFull:   "kernel table full",
		flow.OverflowInterrupted: "interrupted while counting",
		flow.OverflowNewCPU:      "on a CPU that came online later",
	} {
		reason := flow.OverflowReason(i)
		if !r.OverflowBy[reason].IsZero() || reason == flow.OverflowMaxFlows && r.RetransmitSums.Overflow > 0 {
			reasons = append(reasons, what)
		}
	}
	return strings.Join(reasons, ", ")
}

// addSum puts the label into the first column and what it is into the next one,
// if that has text.
func (g *grid) addSum(r *flow.Report, s *sum, u units.System) {
	twoTexts := len(g.columns) > 1 && g.columns[1].number == nil && g.columns[1].sum == nil
	for i := range g.columns {
		c := &g.columns[i]
		var cell string
		switch {
		case i == 0 && twoTexts:
			cell = s.label
		case i == 0:
			cell = s.label + " (" + s.what + ")"
		case i == 1 && twoTexts:
			cell = s.what
		case c.sum != nil:
			cell = c.sum(s)
		case c.number == nil:
		case s.bytesUnknown && c.name != "packets" && c.name != "pps":
			cell = "unknown"
		default:
			cell = c.number(r, s.counters, u)
		}
		c.cells = append(c.cells, cell)
	}
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return strconv.Itoa(n) + " " + noun + "s"
}
