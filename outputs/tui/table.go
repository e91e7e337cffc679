package tui

import (
	"strings"

	"github.com/charmbracelet/x/ansi"
)

// tableHead returns the line of titles. An arrow marks the sorted column.
func (m *model) tableHead() string {
	if m.list.backend == "" {
		return ""
	}
	var b strings.Builder
	b.WriteString(strings.Repeat(" ", margin))
	for i := range m.columns {
		c := &m.columns[i]
		if i > 0 {
			b.WriteString(strings.Repeat(" ", gap))
		}
		title := c.title
		switch {
		case m.list.cumulative && c.name == "bps":
			title = "Average"
		case c.name == "local":
			title = m.list.local
		case c.name == "remote":
			title = m.list.remote
		}
		if c.column == m.list.column {
			arrow := "▲"
			if m.list.descending {
				arrow = "▼"
			}
			title = pad(title, min(textWidth(title), c.width-1)) + arrow
		}
		if c.numeric() {
			b.WriteString(padLeft(title, c.width))
		} else {
			b.WriteString(pad(title, c.width))
		}
	}
	return m.theme.head.Render(pad(b.String(), m.width))
}

// tableRows returns the visible rows, as many as fit.
func (m *model) tableRows() []string {
	height := m.tableHeight()
	lines := make([]string, 0, height)
	if len(m.list.order) == 0 {
		lines = append(lines, "")
		for _, text := range m.nothing() {
			for line := range strings.SplitSeq(ansi.Wordwrap(text, max(m.width-3, 1), ""), "\n") {
				lines = append(lines, "  "+line)
			}
		}
		return lines
	}
	for i := m.offset; i < min(m.offset+height, len(m.list.order)); i++ {
		r := m.list.place(i)
		line := m.rowLine(r)
		switch {
		case i == m.place:
			line = m.theme.selected.Render(pad(line, m.width))
		case m.list.totals(r).Counters.IsZero():
			line = m.theme.faint.Render(line)
		}
		lines = append(lines, line)
	}
	return lines
}

func (m *model) rowLine(r *row) string {
	m.cell.set(&m.list, r)
	var b strings.Builder
	b.WriteString(strings.Repeat(" ", margin))
	for i := range m.columns {
		c := &m.columns[i]
		if i > 0 {
			b.WriteString(strings.Repeat(" ", gap))
		}
		if c.numeric() {
			m.buf = c.appendNumber(m.buf[:0], &m.list, r, &m.format)
			b.WriteString(padLeft(string(m.buf), c.width))
			continue
		}
		m.buf = c.appendText(m.buf[:0], &m.cell)
		b.WriteString(pad(middle(string(m.buf), c.width), c.width))
	}
	return b.String()
}

// nothing explains an empty table.
func (m *model) nothing() []string {
	l := &m.list
	on := ""
	if names := m.sources(); names != "" {
		on = " on " + names
	}
	switch {
	case l.backend == "":
		return []string{"Waiting for the first interval."}
	case !l.filter.empty() && len(l.rows) > 0:
		return []string{
			"No row matches the filter; " + grouped(uint64(len(l.rows))) + " rows are hidden.",
			"Esc clears the filter, f changes it.",
		}
	case l.run.Total.IsZero():
		return []string{
			"No packets yet" + on + ".",
			"Counting for " + clock(l.end.Sub(l.start)) + "; rows appear with the first packet.",
		}
	case !l.run.Total.IsZero() && l.now.Total.IsZero():
		return []string{"No traffic in the last interval.", "c shows all that was counted since the start."}
	}
	return []string{"No rows: everything is in overflow or lost."}
}

// measure widens columns to the visible text. They do not shrink again, so that columns do not move
// when rows change.
func (m *model) measure() {
	if m.wanted == nil {
		m.wanted = map[string]int{}
	}
	for i := m.offset; i < min(m.offset+m.tableHeight(), len(m.list.order)); i++ {
		m.cell.set(&m.list, m.list.place(i))
		for _, c := range m.list.view.columns {
			if c.numeric() {
				continue
			}
			m.buf = c.appendText(m.buf[:0], &m.cell)
			m.wanted[c.name] = max(m.wanted[c.name], textWidth(string(m.buf)))
		}
	}
	m.columns = fit(m.list.candidates(&m.format), m.wanted, m.width)
}
