package table

import (
	"bufio"
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/render/termsafe"
	"github.com/pktstat/pktstat/internal/render/units"
)

// Limits of shown interfaces, and of shown names below an interface.
const (
	shownLinks = 8
	shownBelow = 3
)

// The text columns of the table of interfaces.
var (
	linkColumn  = &column{layout: layout{name: "interface", title: "Interface", shrinks: true}}
	belowColumn = &column{layout: layout{name: "stacked on", title: "Stacked on", goes: 1}}
)

// writeLinks writes a second table with a row for each interface, the busiest first.
func (c *config) writeLinks(w *bufio.Writer, r *flow.Report, width int) error {
	if r.Links == nil {
		return nil
	}
	g := linkGrid(r, c.units)
	g.fit(width, false)
	if err := w.WriteByte('\n'); err != nil {
		return err
	}
	return g.renderFor(w, c.color)
}

func linkGrid(r *flow.Report, u units.System) *grid {
	links := slices.DeleteFunc(slices.Clone(r.Links), func(l flow.Link) bool { return l.Counters.IsZero() })
	slices.SortStableFunc(links, func(a, b flow.Link) int {
		return cmp.Or(cmp.Compare(b.At(r.RateLayer), a.At(r.RateLayer)), cmp.Compare(b.Packets, a.Packets))
	})
	var more flow.Totals
	hidden := links[min(shownLinks, len(links)):]
	for i := range hidden {
		more.Counters.Add(hidden[i].Counters)
	}
	links = links[:len(links)-len(hidden)]

	g := &grid{rows: len(links)}
	add := func(c *column, cell func(*flow.Link) string, sums ...string) {
		f := filled{column: c, title: c.title}
		for i := range links {
			f.cells = append(f.cells, cell(&links[i]))
		}
		if len(hidden) == 0 {
			sums = sums[1:]
		}
		f.cells = append(f.cells, sums...)
		f.measure()
		g.columns = append(g.columns, f)
	}
	add(linkColumn, linkName, counting(len(hidden), "more interface", "more interfaces"), "each packet once")
	if slices.ContainsFunc(links, func(l flow.Link) bool { return l.StackedOn != nil }) {
		add(belowColumn, below, "", "")
	}
	all := flow.Totals{Counters: r.LinkTotal}
	for _, c := range measures(r) {
		if extra := c.field.Sparse || layoutOf(c.field).goes == goesFirst; extra && c.field.Sum != nil && c.field.Sum(&all) == 0 {
			continue // interfaces have only counters
		}
		add(c, func(l *flow.Link) string { return c.amount(r, &flow.Totals{Counters: l.Counters}, u) }, c.amount(r, &more, u), c.amount(r, &all, u))
	}
	return g
}

func linkName(l *flow.Link) string {
	if l.Index == 0 {
		return "(gone)"
	}
	return termsafe.String(l.Name)
}

func below(l *flow.Link) string {
	names := make([]string, 0, shownBelow)
	for _, name := range l.StackedOn[:min(shownBelow, len(l.StackedOn))] {
		names = append(names, termsafe.String(name))
	}
	text := strings.Join(names, ", ")
	if more := len(l.StackedOn) - len(names); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}
