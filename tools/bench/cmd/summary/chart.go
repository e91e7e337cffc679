package main

import (
	"fmt"
	"html"
	"strings"
)

// Places in the chart.
const (
	chartWidth       = 480
	barLeft, barSpan = 16, 380 // the longest bar; its value is behind it
	barHigh, barStep = 15, 19
	legendTop        = 64
	groupGap         = 14
)

// chartStyle has colours for light and dark schemes. The chart has a background of its
// own: a page may be light where the system is dark.
const chartStyle = `<style>
text{font:17px system-ui,"Segoe UI",Helvetica,Arial,sans-serif;fill:#1f2328}
.head{font-weight:600}.note,.value{font-size:15px}.note{fill:#57606a}.paper{fill:#fff}
.p0{fill:#afb8c1}.p1{fill:#6e7781}.p2{fill:#0a69c7}.p3{fill:#d4860b}
@media (prefers-color-scheme:dark){text{fill:#e6edf3}.note{fill:#a5afba}.paper{fill:#12171e}.p0{fill:#4b5563}.p1{fill:#8b949e}.p2{fill:#4a9bf5}.p3{fill:#e3a23a}}
</style>
`

// draw returns the chart: what a packet costs by hook, traffic and program.
func draw(r run) (string, error) {
	first, _, err := manyFlows(r, hooks[0], patterns[0])
	if err != nil {
		return "", err
	}
	programs := []string{"empty", "floor", ours}
	if other := first.other(); other != "" {
		programs = append(programs, other)
	}
	c := &chart{y: legendTop}
	c.text(barLeft, 30, "head", "Nanoseconds a packet")
	c.text(barLeft, 50, "note", "UDP over IPv4; without what the empty program costs")
	c.legend(programs)
	longest, err := longestOf(r, programs)
	if err != nil {
		return "", err
	}
	for _, hook := range hooks {
		for _, p := range patterns {
			t, row, err := manyFlows(r, hook, p)
			if err != nil {
				return "", err
			}
			c.y += groupGap
			c.text(barLeft, c.y+14, "head", hook+", "+p.name)
			c.y += 22
			for i, name := range programs {
				c.bar(i, t.cell(row, name), longest)
			}
		}
	}
	high := c.y + 16
	return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %[1]d %[2]d" role="img">
<title>What a packet costs, by program</title>
<!-- Made by tools/bench/cmd/summary of what make bench has measured. -->
%[3]s<rect class="paper" width="%[1]d" height="%[2]d" rx="8"/>
%[4]s</svg>
`, chartWidth, high, chartStyle, c.b.String()), nil
}

// longestOf returns the highest cost of all bars.
func longestOf(r run, programs []string) (longest float64, err error) {
	for _, hook := range hooks {
		for _, p := range patterns {
			t, row, err := manyFlows(r, hook, p)
			if err != nil {
				return 0, err
			}
			for _, name := range programs {
				v, err := number(t.cell(row, name))
				if err != nil {
					return 0, fmt.Errorf("%s, %s, %s: %w", hook, p.name, name, err)
				}
				longest = max(longest, v)
			}
		}
	}
	return longest, nil
}

type chart struct {
	b strings.Builder
	y int // where the next thing begins
}

func (c *chart) text(x, y int, class, text string) {
	fmt.Fprintf(&c.b, "<text class=\"%s\" x=\"%d\" y=\"%d\">%s</text>\n", class, x, y, html.EscapeString(text))
}

// legend names the programs, two a line.
func (c *chart) legend(programs []string) {
	for i, name := range programs {
		if i == 0 {
			name = "empty program"
		}
		x, y := barLeft+i%2*220, c.y+i/2*24
		fmt.Fprintf(&c.b, "<rect class=\"p%d\" x=\"%d\" y=\"%d\" width=\"16\" height=\"16\" rx=\"3\"/>\n", i, x, y)
		c.text(x+24, y+14, "value", name)
	}
	c.y += (len(programs) + 1) / 2 * 24
}

// bar draws a cost of the program with that number.
func (c *chart) bar(program int, cell string, longest float64) {
	v, _ := number(cell) // longestOf has read it
	long := max(1, int(v/longest*barSpan+0.5))
	fmt.Fprintf(&c.b, "<rect class=\"p%d\" x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\"/>\n", program, barLeft, c.y, long, barHigh)
	c.text(barLeft+long+6, c.y+13, "value", fmt.Sprintf("%.0f", v))
	c.y += barStep
}
