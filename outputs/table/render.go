package table

import (
	"bufio"
	"fmt"
	"strings"

	"github.com/olekukonko/tablewriter"
	"github.com/olekukonko/tablewriter/renderer"
	"github.com/olekukonko/tablewriter/tw"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/render/termsafe"
)

// render writes the grid. It has no borders, so that text can be copied. ASCII rules separate the
// titles, the flows and the sums. tablewriter ignores write errors; w keeps them until the sink
// flushes it.
func (g *grid) render(w *bufio.Writer) error {
	cell := tw.CellConfig{Formatting: tw.CellFormatting{AutoWrap: tw.WrapNone, AutoFormat: tw.Off}}
	between := tw.Padding{Right: strings.Repeat(" ", gap), Overwrite: true}
	titles := make([]string, len(g.columns))
	sums := make([]string, len(g.columns))
	for i, c := range g.columns {
		titles[i] = c.title
		sums[i] = strings.Join(c.cells[g.rows:], "\n")
		align := tw.AlignLeft
		if c.number {
			align = tw.AlignRight
		}
		cell.Alignment.PerColumn = append(cell.Alignment.PerColumn, align)
		if i == len(g.columns)-1 {
			between = tw.PaddingNone
		}
		cell.Padding.PerColumn = append(cell.Padding.PerColumn, between)
	}
	style := tw.Rendition{Borders: tw.BorderNone, Symbols: tw.NewSymbols(tw.StyleASCII)}
	style.Settings.Separators = tw.Separators{ShowHeader: tw.On, ShowFooter: tw.On, BetweenRows: tw.Off, BetweenColumns: tw.Off}
	style.Settings.Lines = tw.Lines{ShowTop: tw.Off, ShowBottom: tw.Off, ShowHeaderLine: tw.On, ShowFooterLine: tw.On}
	if g.rows == 0 {
		style.Settings.Lines.ShowFooterLine = tw.Off // one rule is enough
	}

	t := tablewriter.NewTable(w,
		tablewriter.WithConfig(tablewriter.Config{
			Header: cell, Row: cell, Footer: cell,
			Behavior: tw.Behavior{TrimSpace: tw.Off, TrimLine: tw.Off},
		}),
		tablewriter.WithRenderer(renderer.NewBlueprint(style)),
	)
	t.Header(titles)
	for i := range g.rows {
		row := make([]string, len(g.columns)) // tablewriter keeps it
		for j, c := range g.columns {
			row[j] = c.cells[i]
		}
		if err := t.Append(row); err != nil {
			return err
		}
	}
	t.Footer(sums)
	return t.Render()
}

// writeFooting writes notes and the names of omitted columns.
func writeFooting(w *bufio.Writer, r *flow.Report, hidden []string) error {
	var b strings.Builder
	if r.PacketsInexact {
		b.WriteString("note: packets are a lower bound: merged frames count as one\n")
	}
	for _, note := range r.Notes {
		fmt.Fprintf(&b, "note: %s\n", termsafe.String(note))
	}
	if len(hidden) > 0 {
		fmt.Fprintf(&b, "not shown for lack of width: %s\n", strings.Join(hidden, ", "))
	}
	_, err := w.WriteString(b.String())
	return err
}
