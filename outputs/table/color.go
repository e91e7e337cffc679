package table

import (
	"bufio"
	"strings"
)

// Attributes of a line (ECMA-48 SGR), which any theme of a terminal shows.
const (
	plain  = ""
	bold   = "1"
	dim    = "2"
	red    = "31"
	yellow = "33"
)

// sumStyles are the styles of the sums, by name. A line of packets without a row stands out.
var sumStyles = map[string]string{"rest": dim, "overflow": yellow, "lost": red, "total": bold}

// renderFor renders the grid, for a terminal in colour or without.
func (g *grid) renderFor(w *bufio.Writer, color bool) error {
	if !color {
		return g.render(w)
	}
	var text strings.Builder
	all := bufio.NewWriter(&text)
	if err := g.render(all); err != nil {
		return err
	}
	if err := all.Flush(); err != nil {
		return err
	}
	lines := strings.SplitAfter(text.String(), "\n")
	lines = lines[:len(lines)-1] // nothing follows the last line
	lines[0] = styled(lines[0], bold)
	for i, style := range g.styles {
		at := len(lines) - len(g.styles) + i
		lines[at] = styled(lines[at], style)
	}
	_, err := w.WriteString(strings.Join(lines, ""))
	return err
}

func styled(line, style string) string {
	if style == plain {
		return line
	}
	return "\x1b[" + style + "m" + strings.TrimSuffix(line, "\n") + "\x1b[0m\n"
}
