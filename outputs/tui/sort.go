package tui

import (
	tea "charm.land/bubbletea/v2"

	"github.com/pktstat/pktstat/flow"
)

// sortBy sorts the rows by a column: numbers with the largest first, text in alphabetical order.
// Choosing the same column again reverses the order.
func (m *model) sortBy(c *column) {
	m.sorted = true
	if m.list.column == c {
		m.list.descending = !m.list.descending
	} else {
		m.list.column, m.list.descending = c, c.descending()
	}
	m.rearrange()
}

// sortAsReports begins with the reports' order, if the view has that column.
func (m *model) sortAsReports(name string) {
	f := flow.Fields.Find(name)
	if m.sorted || f == nil {
		return
	}
	m.sorted = true
	if c := m.list.view.columnOf(f.Name); c != nil {
		m.list.column, m.list.descending = c, f.Descending()
	}
}

// sortBeside sorts by the next visible column.
func (m *model) sortBeside(by int) {
	for i := range m.columns {
		if m.columns[i].column == m.list.column {
			n := len(m.columns)
			m.sortBy(m.columns[(i+by+n)%n].column)
			return
		}
	}
	if len(m.columns) > 0 {
		m.sortBy(m.columns[0].column)
	}
}

// sortByNumber sorts as the digit keys of pktstat-bpf do: 0 rate, 1 packets, 2 bytes, 3 source, 4
// destination. Rows of two ends have the local and the remote end in their place.
func (m *model) sortByNumber(key string) {
	by := map[string]struct{ field, title string }{
		"0": {"bps", "rate"}, "1": {"packets", "packets"}, "2": {"bytes", "bytes"}, "3": {"src", "source"}, "4": {"dst", "destination"},
	}[key]
	if by.field == "bytes" && m.list.rateLayer == flow.LayerFrame {
		by.field = "frame_bytes"
	}
	if m.list.dims.Paired() {
		switch by.field {
		case "src":
			by.field, by.title = "local", "local end"
		case "dst":
			by.field, by.title = "remote", "remote end"
		}
	}
	if c := m.list.view.columnOf(by.field); c != nil {
		m.sortBy(c)
		return
	}
	m.say("This view has no " + by.title + " to sort by.")
}

const wheelRows = 3

func (m *model) wheel(msg tea.MouseWheelMsg) {
	by := wheelRows
	if msg.Button == tea.MouseWheelUp {
		by = -wheelRows
	} else if msg.Button != tea.MouseWheelDown {
		return
	}
	if m.mode == showHelp {
		m.scroll = max(m.scroll+by, 0)
		return
	}
	m.step(by)
}

// click selects a row, or opens its details if it is selected. A click on a title sorts, and a
// click on a view's name opens the view.
func (m *model) click(msg tea.MouseClickMsg) {
	if msg.Button != tea.MouseLeft || m.mode != showTable {
		return
	}
	switch y := msg.Y - m.tableTop(); {
	case y == -1:
		for i := range m.columns {
			if c := &m.columns[i]; msg.X >= c.x && msg.X < c.x+c.width {
				m.sortBy(c.column)
				return
			}
		}
	case y == -2 && m.tabsHeight() > 0:
		tabs, _ := m.tabs()
		for _, t := range tabs {
			if msg.X >= t.from && msg.X < t.to {
				m.open(t.view)
				m.refresh()
				return
			}
		}
	case y >= 0 && m.offset+y < len(m.list.order) && y < m.tableHeight():
		if place := m.offset + y; place == m.place && m.clicked == place {
			m.toggle(showDetails)
		} else {
			m.move(place)
			m.clicked = place
		}
	}
}
