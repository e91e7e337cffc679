package cmd

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/render/termsafe"
)

// difference is one between what a backend counted and the interface's own counter.
type difference struct {
	what    string
	reasons []string // nil: it is not explained
}

func (v verification) differences() (all []difference) {
	for _, c := range v.compared() {
		of := fmt.Sprintf("%s %s by %s: ", c.Name, c.Dir, c.backend)
		packets, bytes := c.Missing()
		switch {
		case packets != 0:
			all = append(all, difference{of + amount(packets, "packets"), c.Reasons})
		case bytes != 0:
			all = append(all, difference{of + amount(bytes, "bytes"), c.ByteReasons})
		}
	}
	return all
}

// amount describes how much the interface counted more or less.
func amount(missing int64, unit string) string {
	if missing < 0 {
		return fmt.Sprintf("%d %s more than the interface's own counter", -missing, unit)
	}
	return fmt.Sprintf("%d %s less than the interface's own counter", missing, unit)
}

// comparison is a row of the table.
type comparison struct {
	backend, how string
	*flow.Coverage
}

// compared returns the rows by interface, direction and backend.
func (v verification) compared() (all []comparison) {
	for i := range v {
		if v[i].report == nil {
			continue
		}
		for j := range v[i].report.Coverage {
			all = append(all, comparison{v[i].backend, v[i].report.Attach, &v[i].report.Coverage[j]})
		}
	}
	slices.SortStableFunc(all, func(a, b comparison) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Dir, b.Dir))
	})
	return all
}

// text returns the table, a line for each difference, and a conclusion.
func (v verification) text() string {
	rows := [][]string{{"interface", "direction", "backend", "packets", "interface's", "covered", "frame bytes", "interface's", "covered"}}
	number := func(n uint64) string { return strconv.FormatUint(n, 10) }
	share := func(p float64) string { return strconv.FormatFloat(p, 'f', 2, 64) + " %" }
	for _, c := range v.compared() {
		rows = append(rows, []string{
			termsafe.Line(c.Name), c.Dir.String(), c.backend + " (" + c.how + ")",
			number(c.Packets), number(c.LinkPackets), share(c.Percent()),
			number(c.FrameBytes), number(c.LinkBytes), share(c.BytePercent()),
		})
	}
	var text strings.Builder
	if len(rows) > 1 {
		const texts = 3 // columns
		writeColumns(&text, rows, texts)
		text.WriteString("\n")
	}
	differences := v.differences()
	for _, d := range differences {
		why := "not explained"
		if d.reasons != nil {
			why = strings.Join(d.reasons, "; ")
		}
		text.WriteString(termsafe.Line(d.what+": "+why) + "\n")
	}
	for _, o := range v {
		for _, err := range flatten(o.err) {
			text.WriteString(termsafe.Line(o.backend+" did not count: "+oneLine(err.Error())) + "\n")
		}
	}
	switch {
	case len(rows) == 1:
		text.WriteString("no packet passed\n")
	case differences == nil:
		text.WriteString("every packet and every byte is accounted for\n")
	case v.err() == nil:
		text.WriteString("every difference is explained\n")
	}
	return text.String()
}

// writeColumns writes rows. The first columns have text, the others numbers.
func writeColumns(to *strings.Builder, rows [][]string, texts int) {
	width := make([]int, len(rows[0]))
	for _, r := range rows {
		for i, cell := range r {
			width[i] = max(width[i], utf8.RuneCountInString(cell))
		}
	}
	for _, r := range rows {
		for i, cell := range r {
			pad := strings.Repeat(" ", width[i]-utf8.RuneCountInString(cell))
			switch {
			case i >= texts:
				to.WriteString(pad + cell)
			default:
				to.WriteString(cell + pad)
			}
			if i < len(r)-1 {
				to.WriteString("  ")
			}
		}
		to.WriteString("\n")
	}
}
