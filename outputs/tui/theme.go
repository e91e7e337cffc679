package tui

import (
	"strings"

	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/x/ansi"
)

// theme has the styles of text. Without colours (NO_COLOR), it still has bold, faint and reverse.
type theme struct {
	strong, faint, warn, selected, head, in, out, tab lipgloss.Style
}

// newTheme uses the terminal's sixteen colours, which suit its background.
func newTheme(color bool) theme {
	s := lipgloss.NewStyle()
	t := theme{
		strong: s.Bold(true), faint: s.Faint(true), warn: s.Bold(true), selected: s.Reverse(true),
		head: s.Bold(true), in: s, out: s, tab: s.Bold(true).Reverse(true),
	}
	if color {
		t.warn = t.warn.Foreground(lipgloss.BrightRed)
		t.head = t.head.Foreground(lipgloss.Cyan)
		t.in = t.in.Foreground(lipgloss.Green)
		t.out = t.out.Foreground(lipgloss.Blue)
	}
	return t
}

func textWidth(s string) int {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return ansi.StringWidth(s)
		}
	}
	return len(s)
}

// pad makes s exactly width columns wide. It shortens the end, or adds spaces.
func pad(s string, width int) string {
	if w := ansi.StringWidth(s); w < width {
		return s + strings.Repeat(" ", width-w)
	} else if w == width {
		return s
	}
	s = ansi.Truncate(s, max(width, 0), "…")
	return s + strings.Repeat(" ", max(width-ansi.StringWidth(s), 0))
}

// padLeft aligns s to the right.
func padLeft(s string, width int) string {
	if w := textWidth(s); w < width {
		return strings.Repeat(" ", width-w) + s
	}
	return pad(s, width)
}

// spread puts left and right at the two ends of a line. If both do not fit, it omits right.
func spread(left, right string, width int) string {
	free := width - ansi.StringWidth(right) - 1
	if free < 10 || ansi.StringWidth(left) > free && free < width/2 {
		return pad(left, width)
	}
	return pad(left, free) + " " + right
}

// fitting joins as many of the parts as fit.
func fitting(parts []string, gap string, width int) string {
	line := ""
	for _, p := range parts {
		next := p
		if line != "" {
			next = line + gap + p
		}
		if ansi.StringWidth(next) > width {
			break
		}
		line = next
	}
	return line
}

// middle shortens s in the middle, because addresses differ most at their ends.
func middle(s string, width int) string {
	w := textWidth(s)
	if w <= width {
		return s
	}
	room := max(width-1, 0)
	head := room - room/2
	return ansi.Truncate(s, head, "") + "…" + ansi.TruncateLeft(s, w-room/2, "")
}

// cut shortens a line that may contain styles.
func cut(s string, width int) string {
	if len(s) <= width {
		return s
	}
	return ansi.Truncate(s, width, "")
}
