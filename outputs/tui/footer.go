package tui

import (
	"charm.land/bubbles/v2/textinput"
	"github.com/charmbracelet/x/ansi"

	"github.com/pktstat/pktstat/internal/render/termsafe"
)

// hints returns keys with their meanings, as many as fit.
func (m *model) hints() []string {
	pause, mode := "p pause", "c whole run"
	if m.frozen != nil {
		pause = "p resume"
	}
	if m.list.cumulative {
		mode = "c current"
	}
	return []string{"? help", "q quit", "/ search", "f filter", pause, mode, "Enter details", "Tab view", "s reverse", "u units"}
}

// footer returns the last line: the prompt, else a message, else hints.
func (m *model) footer() string {
	switch {
	case m.prompt != nil:
		return m.prompt.line(m.width)
	case m.message != "":
		return " " + m.theme.strong.Render(pad(m.message, m.width-2))
	case m.mode != showTable:
		return m.theme.faint.Render(" " + fitting(m.overlayHints(), "  ", m.width-2))
	}
	line := ""
	if !m.list.filter.empty() {
		line = middle("filter: "+termsafe.String(m.list.filter.text), max(m.width-2, 1))
	}
	left := m.width - 4 - textWidth(line)
	if line != "" {
		line = m.theme.strong.Render(line) + "  "
	}
	return " " + line + m.theme.faint.Render(fitting(m.hints(), "  ", left))
}

func (m *model) overlayHints() []string {
	if m.mode == showDetails {
		return []string{"Esc back", "j k other row", "PgDn scroll", "? help", "q quit"}
	}
	return []string{"Esc back", "j k scroll", "q quit"}
}

// prompt is a line of input.
type prompt struct {
	label  string
	input  textinput.Model
	filter bool   // else a search
	before string // the filter to restore on Esc
	origin int    // the row at which the search began
	failed bool   // no match
}

func newPrompt(label, text string) *prompt {
	in := textinput.New()
	in.Prompt = ""
	in.CharLimit = 200
	in.SetVirtualCursor(false)
	in.SetValue(text)
	in.KeyMap.Paste.SetEnabled(false) // it would run xclip; terminals can paste
	in.Focus()
	return &prompt{label: label, input: in, before: text}
}

// line returns the input, or its end if it is long.
func (p *prompt) line(width int) string {
	text := termsafe.String(p.input.Value())
	if room := max(width-len(p.label)-3, 1); textWidth(text) > room {
		text = ansi.TruncateLeft(text, textWidth(text)-room, "")
	}
	line := " " + p.label + text
	if p.failed {
		line += "  (not found)"
	}
	return pad(line, width)
}

// cursor returns the column of the text cursor.
func (p *prompt) cursor(width int) int {
	before := termsafe.String(string([]rune(p.input.Value())[:p.input.Position()]))
	return min(1+len(p.label)+textWidth(before), width-1)
}
