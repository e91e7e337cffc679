package tui

import (
	"strings"

	"github.com/charmbracelet/x/ansi"
)

// binding is a key and what it does.
type binding struct{ key, does string }

func (m *model) bindings() []binding {
	b := []binding{
		{"↑ ↓ j k", "select a row; mouse: click"},
		{"PgUp PgDn", "a page up or down"},
		{"Home End", "first and last row; also g G"},
		{"Enter", "details of the row; double click"},
		{"Esc", "close, clear filter, back to top"},
		{"Tab", "next view; Shift-Tab: previous"},
	}
	for _, v := range m.views {
		text := "view " + strings.ToLower(v.name)
		if v.note != "" {
			text += ": " + v.note
		}
		b = append(b, binding{v.key, text})
	}
	return append(b,
		binding{"← → h l", "sort by the column left or right"},
		binding{"s", "sort the other way round"},
		binding{"0", "sort by rate"},
		binding{"1", "sort by packets"},
		binding{"2", "sort by bytes"},
		binding{"3", "sort by local end"},
		binding{"4", "sort by remote end"},
		binding{"/", "search; n N: next and previous"},
		binding{"f", "filter: words; !word: without it"},
		binding{"c", "current rates, or the whole run"},
		binding{"p Space", "pause and resume"},
		binding{"u", "units: bits or bytes, KiB or kB"},
		binding{"m", "mouse on or off (to mark text)"},
		binding{"r", "redraw, and back to the top"},
		binding{"?", "this help"},
		binding{"q x Ctrl-C", "end the run and report"},
	)
}

// help returns the overlay, scrolled if the screen is too small.
func (m *model) help(height int) []string {
	const keys = 12
	lines := []string{" " + m.theme.head.Render("Keys")}
	for _, b := range m.bindings() {
		key := b.key
		for text := range strings.SplitSeq(ansi.Wordwrap(b.does, max(m.width-keys-2, 1), ""), "\n") {
			lines = append(lines, " "+m.theme.strong.Render(pad(key, keys))+text)
			key = ""
		}
	}
	m.scroll = max(min(m.scroll, len(lines)-height), 0)
	return lines[m.scroll:]
}
