package main

import (
	"fmt"
	"html"
	"iter"
	"strings"

	"github.com/pktstat/pktstat/registry"
)

// station is a place on the way of a packet through Linux.
type station struct {
	title, note string
	is          func(*registry.Backend) bool // nil: no backend counts there
	outOnly     bool                         // only packets that leave pass it
	apart       bool                         // it is not on the way
}

// at returns which backends are at a station of live traffic.
func at(c registry.Cost) func(*registry.Backend) bool {
	return func(b *registry.Backend) bool { return b.Caps.Has(registry.CapLive) && b.Cost == c }
}

// stations are in the order of Linux, from the process to the wire.
var stations = []station{
	{title: "Socket", note: "of a process", is: at(registry.CostSocket)},
	{title: "IP layer", note: "forwards packets, too", is: at(registry.CostProbe)},
	{title: "tc", note: "traffic control hooks", is: at(registry.CostQdisc)},
	{title: "Queue", note: "may drop", outOnly: true},
	{title: "Packet sockets", note: "get copies", is: at(registry.CostCopy)},
	{title: "Driver", note: "XDP here or right above", is: at(registry.CostDriver)},
	{title: "Wire"},
	{title: "Capture file", note: "of another program", apart: true, is: func(b *registry.Backend) bool {
		return b.Caps.Has(registry.CapFile)
	}},
}

// Places in the drawing: the stack is in the middle, backends are on both sides.
const (
	whereWidth           = 480
	stackLeft, stackSpan = 128, 224
	badgeSpan, badgeHigh = 108, 30
	stationHigh, gapHigh = 54, 18
	whereTop             = 46
)

// whereStyle has colours for light and dark schemes. The drawing has a background of its
// own: a page may be light where the system is dark.
const whereStyle = `<style>
text{font:18px system-ui,"Segoe UI",Helvetica,Arial,sans-serif;fill:#1f2328;text-anchor:middle}
.note{font-size:16px;fill:#57606a}.paper{fill:#fff}.box{fill:#f0f3f6;stroke:#8c959f}.arrow{fill:#57606a}.line{stroke:#0a69c7;stroke-width:2}
.badge{fill:#0a69c7}.name{fill:#fff;font-weight:600}.apart{stroke-dasharray:5 4}
@media (prefers-color-scheme:dark){text{fill:#e6edf3}.note{fill:#a5afba}.paper{fill:#12171e}.box{fill:#1f2630;stroke:#6b7683}.arrow{fill:#a5afba}.line{stroke:#4a9bf5}.badge{fill:#4a9bf5}.name{fill:#0b1016}}
</style>
`

// where is docs/where.svg: where each of the backends sees packets.
func where(backends iter.Seq2[string, registry.Backend]) string {
	w := &whereDrawing{backends: backends, y: whereTop}
	w.text(64, 28, "", "coming in")
	w.text(whereWidth-64, 28, "", "going out")
	for i, s := range stations {
		if i > 0 {
			w.gap(&stations[i-1], &s)
		}
		w.station(&s)
	}
	high := w.y + 14
	return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %[1]d %[2]d" role="img">
<title>Where each backend sees packets</title>
<!-- Made by tools/plugintables from the registry: run make generate. -->
%[3]s<rect class="paper" width="%[1]d" height="%[2]d" rx="8"/>
%[4]s</svg>
`, whereWidth, high, whereStyle, w.b.String())
}

type whereDrawing struct {
	backends iter.Seq2[string, registry.Backend]
	b        strings.Builder
	y        int // where the next thing begins
}

func (w *whereDrawing) text(x, y int, class, text string) {
	if class != "" {
		class = ` class="` + class + `"`
	}
	fmt.Fprintf(&w.b, "<text x=\"%d\" y=\"%d\"%s>%s</text>\n", x, y, class, html.EscapeString(text))
}

// gap draws arrows between two stations.
func (w *whereDrawing) gap(from, to *station) {
	if !to.apart {
		in, out := stackLeft+stackSpan/4, stackLeft+3*stackSpan/4
		if !from.outOnly { // the way in passes by a station of the way out
			high := gapHigh
			if to.outOnly {
				high += stationHigh + gapHigh
			}
			w.arrow(in, w.y+3, w.y+high-3, true)
		}
		w.arrow(out, w.y+3, w.y+gapHigh-3, false)
	}
	w.y += gapHigh
}

// arrow draws a vertical arrow from top to bottom, or the other way.
func (w *whereDrawing) arrow(x, top, bottom int, up bool) {
	tip, base, end := bottom, bottom-9, top
	if up {
		tip, base, end = top, top+9, bottom
	}
	fmt.Fprintf(&w.b, "<path class=\"arrow\" d=\"M%d %dL%d %dH%dzM%d %dH%dV%dH%dz\"/>\n", x, tip, x-7, base, x+7, x-1, base, x+1, end, x-1)
}

func (w *whereDrawing) station(s *station) {
	in, out := w.seenAt(s)
	high := max(stationHigh, max(len(in), len(out))*(badgeHigh+6)+8)
	left, span, class := stackLeft, stackSpan, "box"
	if s.outOnly {
		left, span = stackLeft+stackSpan/2, stackSpan/2
	}
	if s.apart {
		class += " apart"
	}
	fmt.Fprintf(&w.b, "<rect class=\"%s\" x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" rx=\"6\"/>\n", class, left, w.y, span, high)
	x, middle := left+span/2, w.y+high/2
	if s.note == "" {
		w.text(x, middle+6, "", s.title)
	} else {
		w.text(x, middle-4, "", s.title)
		w.text(x, middle+17, "note", s.note)
	}
	w.badges(in, 10, middle, stackLeft)
	w.badges(out, whereWidth-10-badgeSpan, middle, stackLeft+stackSpan)
	w.y += high
}

// badges draws the names of backends, with a line to the stack's edge.
func (w *whereDrawing) badges(names []string, left, middle, edge int) {
	y := middle - (len(names)*(badgeHigh+6)-6)/2
	for _, name := range names {
		fmt.Fprintf(&w.b, "<path class=\"line\" d=\"M%d %dH%d\"/>\n", left+badgeSpan/2, y+badgeHigh/2, edge)
		fmt.Fprintf(&w.b, "<rect class=\"badge\" x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" rx=\"15\"/>\n", left, y, badgeSpan, badgeHigh)
		w.text(left+badgeSpan/2, y+badgeHigh/2+6, "name", name)
		y += badgeHigh + 6
	}
}

// seenAt returns the backends that count at a station, by the direction of packets.
func (w *whereDrawing) seenAt(s *station) (in, out []string) {
	for name, b := range w.backends {
		if s.is == nil || !s.is(&b) {
			continue
		}
		if s.apart || b.Caps.Has(registry.CapIngress) {
			in = append(in, name)
		}
		if b.Caps.Has(registry.CapEgress) {
			out = append(out, name)
		}
	}
	return in, out
}
