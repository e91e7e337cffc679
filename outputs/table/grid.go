package table

import (
	"cmp"
	"slices"
	"strconv"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/render/units"
)

// grid is the text of a table, by column.
type grid struct {
	columns []filled
	rows    int // number of flows; the cells after them belong to the sums
	sums    int
	styles  []string // of the sums on a terminal in colour
}

// filled is a column with its cells.
type filled struct {
	*column
	title string // may be shortened
	cells []string
	width int // display width of the widest cell, title included
}

// newGrid fills the chosen columns, or all columns with something to show.
func newGrid(r *flow.Report, chosen []*flow.Field, u units.System) *grid {
	g := &grid{rows: len(r.Packed)}
	sums := sumsOf(r)
	g.sums = len(sums)
	for _, c := range columnsOf(r, chosen) {
		g.columns = append(g.columns, filled{column: c, title: c.title, cells: make([]string, 0, g.rows+g.sums)})
	}
	for row := range r.Rows() {
		for i := range g.columns {
			c := &g.columns[i]
			c.cells = append(c.cells, c.cell(r, &row, u))
		}
	}
	if chosen == nil {
		g.hideEmpty(len(r.Interfaces), sums)
	}
	if len(g.columns) == 0 || g.columns[0].number {
		label := filled{column: labelColumn, cells: make([]string, g.rows, g.rows+g.sums)}
		g.columns = slices.Insert(g.columns, 0, label)
	}
	for i := range sums {
		g.addSum(r, &sums[i], u)
		g.styles = append(g.styles, sumStyles[sums[i].Name])
	}
	for i := range g.columns {
		g.columns[i].measure()
	}
	return g
}

// hideEmpty removes columns without information: empty ones, and the interface if all flows have
// the same.
func (g *grid) hideEmpty(interfaces int, sums []sum) {
	g.columns = slices.DeleteFunc(g.columns, func(c filled) bool {
		if c.number && (!c.field.Sparse || slices.ContainsFunc(sums, func(s sum) bool { return c.field.Sum(&s.Totals) != 0 })) {
			return false
		}
		return !slices.ContainsFunc(c.cells, func(s string) bool { return s != "" })
	})
	if interfaces > 1 || len(g.columns) == 0 || len(g.columns) > 1 && g.columns[1].number {
		return // keep the only column of text
	}
	g.columns = slices.DeleteFunc(g.columns, func(c filled) bool {
		return c.name == "iface" && !slices.ContainsFunc(c.cells, func(s string) bool { return s != c.cells[0] })
	})
}

// sum is a line below the flows.
type sum struct {
	flow.Sum
	what string
}

func sumsOf(r *flow.Report) []sum {
	var sums []sum
	one, many := r.Dims.Nouns()
	for s := range r.Summary() {
		if s.IsEmpty() {
			continue
		}
		what := "counted to no " + one
		switch s.Name {
		case "rest":
			what = counting(s.Rows, "more "+one, "more "+many)
		case "overflow": // only rows that --max-flows folds have retransmits
			what = cmp.Or(r.OverflowBy.Reasons(), "beyond --max-flows")
		case "total":
			what = counting(s.Rows, one, many)
		}
		sums = append(sums, sum{s, what})
	}
	return sums
}

// addSum puts the label into the first column. It puts the explanation into the second one, if that
// has text. A mark's column is not used, because it goes first on a narrow terminal.
func (g *grid) addSum(r *flow.Report, s *sum, u units.System) {
	twoTexts := len(g.columns) > 1 && !g.columns[1].number && g.columns[1].field.Role != flow.Mark
	for i := range g.columns {
		c := &g.columns[i]
		var cell string
		switch {
		case i == 0 && twoTexts:
			cell = s.Name
		case i == 0:
			cell = s.Name + " (" + s.what + ")"
		case i == 1 && twoTexts:
			cell = s.what
		case !c.number:
		case s.BytesUnknown && c.ofBytes():
			cell = "unknown"
		default:
			cell = c.amount(r, &s.Totals, u)
		}
		c.cells = append(c.cells, cell)
	}
}

// counting returns "1 flow" or "2 flows".
func counting(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + many
}
