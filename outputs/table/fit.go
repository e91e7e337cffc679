package table

import (
	"cmp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/olekukonko/tablewriter/pkg/twwidth"
)

const (
	gap      = 2 // between columns
	shortest = 6 // the least width of addresses
)

// fit makes the table at most width columns wide. It keeps the required columns, and adds the
// others by importance while they fit. Then it shortens addresses in the middle. It returns the
// names of the omitted columns. A width of 0 means no limit. With all, every column is required.
func (g *grid) fit(width int, all bool) (left []string) {
	if width <= 0 {
		return nil
	}
	kept := map[*column]bool{}
	var optional []*column
	for _, c := range g.columns {
		if all || c.goes == 0 {
			kept[c.column] = true
		} else {
			optional = append(optional, c.column)
		}
	}
	slices.SortFunc(optional, func(a, b *column) int { return cmp.Compare(b.goes, a.goes) })
	for _, c := range optional {
		kept[c] = true
		if g.width(kept, cmp.Or(c.squeeze, width)) > width {
			delete(kept, c)
			left = append(left, c.name)
		}
	}
	g.columns = slices.DeleteFunc(g.columns, func(c filled) bool { return !kept[c.column] })

	limit := shortest
	for limit < width && g.width(kept, limit+1) <= width {
		limit++
	}
	g.shrink(limit)
	return left
}

// width returns the width of the table with the kept columns, and addresses shortened to limit.
func (g *grid) width(kept map[*column]bool, limit int) int {
	w := -gap
	for _, c := range g.columns {
		switch {
		case !kept[c.column]:
		case c.shrinks:
			w += gap + min(c.width, limit)
		default:
			w += gap + c.width
		}
	}
	return w
}

// shrink shortens to limit the columns whose layout allows it.
func (g *grid) shrink(limit int) {
	for i := range g.columns {
		c := &g.columns[i]
		if !c.shrinks || c.width <= limit {
			continue
		}
		c.title = shorten(c.title, limit)
		for j, cell := range c.cells {
			c.cells[j] = shorten(cell, limit)
		}
		c.measure()
	}
}

func (c *filled) measure() {
	c.width = displayWidth(c.title)
	for _, cell := range c.cells {
		c.width = max(c.width, displayWidth(cell))
	}
}

// displayWidth returns the number of terminal columns that s takes.
func displayWidth(s string) int {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return twwidth.Width(s)
		}
	}
	return len(s)
}

// shorten replaces the middle of s by an ellipsis if s is wider than width, because addresses
// differ most at their ends.
func shorten(s string, width int) string {
	if displayWidth(s) <= width {
		return s
	}
	const ellipsis = "…"
	room := width - displayWidth(ellipsis)
	head, tail := 0, len(s)
	for left := room - room/2; ; { // the head gets the odd column
		_, n := utf8.DecodeRuneInString(s[head:])
		w := displayWidth(s[head : head+n])
		if w > left {
			break
		}
		left -= w
		head += n
	}
	for left := room / 2; ; {
		_, n := utf8.DecodeLastRuneInString(s[:tail])
		w := displayWidth(s[tail-n : tail])
		if w > left {
			break
		}
		left -= w
		tail -= n
	}
	var b strings.Builder
	b.WriteString(s[:head])
	b.WriteString(ellipsis)
	b.WriteString(s[tail:])
	return b.String()
}
