package tui

import (
	"slices"
)

// placed is a column on the screen.
type placed struct {
	*column
	x, width int
	goes     int // order in which columns go; the sorted column goes last
}

const (
	margin   = 1 // left of the table
	gap      = 1 // between columns
	shortest = 6 // the least width of text
)

// candidates returns the columns of the view that have something to show.
func (l *list) candidates(f *format) []placed {
	shown := l.view.shown(l.dims)
	var cols []placed
	for _, c := range l.view.columns {
		sorted := c == l.column
		switch {
		case !c.in(shown):
		case c.field != nil && !c.field.Beside(l.rateLayer) && !sorted:
		case c.name == "iface" && len(l.interfaces) < 2 && !sorted:
		case c.split && !l.view.splits(l.dims, l.had) && !sorted:
		case (c.asked || !c.there(l.had)) && !sorted:
		default:
			p := c.placed(f)
			if sorted && p.goes != 0 {
				p.goes = goesLast
			}
			cols = append(cols, p)
		}
	}
	return cols
}

func (c *column) placed(f *format) placed {
	p := placed{column: c, width: c.usual, goes: c.goes}
	if f.octets && c.numeric() && c.usual == usualRate {
		p.width++ // for "1023 KiB/s"
	}
	return p
}

// fit chooses the columns for a screen: the required ones, and the others while they fit. wanted is
// the width of each column's text. Shortened text gets the rest of the width.
func fit(cols []placed, wanted map[string]int, width int) []placed {
	want := func(c *placed) int {
		if c.numeric() {
			return c.width
		}
		return max(wanted[c.name], textWidth(c.title)+1, shortest)
	}
	for i := range cols {
		if c := &cols[i]; !c.numeric() {
			c.width = min(want(c), max(c.usual, shortest))
		}
	}
	// Shorten addresses to the length of IPv4 addresses before a column goes.
	comfortable := func() int {
		w := margin - gap
		for i := range cols {
			c := &cols[i]
			w += gap + c.width
			if !c.numeric() && c.goes == 0 {
				w += max(min(want(c), ipv4Port)-c.width, 0)
			}
		}
		return w
	}
	for comfortable() > width {
		least := -1
		for i := range cols {
			if g := cols[i].goes; g != 0 && (least < 0 || g <= cols[least].goes) {
				least = i
			}
		}
		if least < 0 {
			break
		}
		cols = slices.Delete(cols, least, least+1)
	}
	return stretch(cols, want, width)
}

// stretch gives every text column its width, or an equal share of the remaining width.
func stretch(cols []placed, want func(*placed) int, width int) []placed {
	left := width - margin + gap
	var texts []*placed
	for i := range cols {
		left -= gap
		if cols[i].numeric() || cols[i].goes != 0 {
			left -= cols[i].width
			continue
		}
		texts = append(texts, &cols[i])
	}
	slices.SortStableFunc(texts, func(a, b *placed) int { return want(a) - want(b) })
	for i, c := range texts {
		c.width = max(min(want(c), left/(len(texts)-i)), 1)
		left -= c.width
	}
	for i := range cols {
		if c := &cols[i]; !c.numeric() && c.goes != 0 && left > 0 {
			more := min(max(want(c)-c.width, 0), left)
			c.width += more
			left -= more
		}
	}
	x := margin
	for i := range cols {
		cols[i].x = x
		x += cols[i].width + gap
	}
	return cols
}
