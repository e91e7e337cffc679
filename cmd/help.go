package cmd

import (
	"strings"

	"github.com/pktstat/pktstat/internal/render/termsafe"
)

const (
	helpIndent = 2
	helpColumn = 29 // column of the explanations
	helpWidth  = 100
)

// helpText is aligned and wrapped text.
type helpText struct {
	strings.Builder
	width int
}

// line writes a line. All text of the sub-commands passes here, so this is where names from outside
// are escaped.
func (h *helpText) line(s string) {
	h.WriteString(termsafe.Line(s))
	h.WriteByte('\n')
}

func (h *helpText) heading(s string) {
	h.line("")
	h.line(s + ":")
}

// entry writes a term and its explanation.
func (h *helpText) entry(term, explanation string) {
	lead := strings.Repeat(" ", helpIndent) + term
	if len(lead)+2 > helpColumn {
		h.line(lead)
		lead = ""
	}
	lead += strings.Repeat(" ", helpColumn-len(lead))
	for _, l := range wrap(explanation, h.width-helpColumn) {
		h.line(strings.TrimRight(lead+l, " "))
		lead = strings.Repeat(" ", helpColumn)
	}
}

func (h *helpText) options(heading string, options []*option) {
	if len(options) == 0 {
		return
	}
	h.heading(heading)
	for _, o := range options {
		h.entry(o.term(), o.explanation())
	}
}

// term returns the option's spellings: "-i, --iface NAME".
func (o *option) term() string {
	term := "    " + dashed(o.name)
	switch {
	case o.short != "":
		term = dashed(o.short) + ", " + dashed(o.name)
	case len(o.name) == 1:
		term = dashed(o.name)
	}
	if o.arg != "" {
		term += " " + o.arg
	}
	return term
}

func (o *option) explanation() string {
	text := o.usage
	if o.initial != "" {
		text += " (default: " + o.initial + ")"
	}
	return text
}

// wrap breaks text at spaces into lines of at most width columns; a longer word gets its own line.
// It counts the escapes that [helpText.line] adds.
func wrap(text string, width int) []string {
	lines := []string{""}
	for _, word := range strings.Fields(termsafe.Line(text)) {
		last := &lines[len(lines)-1]
		switch {
		case *last == "":
			*last = word
		case len(*last)+1+len(word) <= width:
			*last += " " + word
		default:
			lines = append(lines, word)
		}
	}
	return lines
}

// textWidth returns the width of text.
func (s *session) textWidth() int {
	if t := terminalOf(s.Stdout, s.Getenv); t.IsTTY {
		return min(helpWidth, max(t.Width, 2*helpColumn))
	}
	return helpWidth
}
