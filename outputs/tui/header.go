package tui

import (
	"fmt"
	"strings"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/render/termsafe"
)

// header returns what is counted, the current rates, and the totals.
func (m *model) header() []string {
	h := &m.list.heading
	if h.backend == "" {
		return []string{spread(" "+m.theme.strong.Render("pktstat"), "starting ", m.width), "", ""}[:m.headerHeight()]
	}
	how := termsafe.String(h.backend)
	if h.attach != "" {
		how += " (" + termsafe.String(h.attach) + ")"
	}
	state := clock(h.end.Sub(h.start)) + " "
	if m.width >= 60 && !h.final {
		state = "every " + about(h.length) + "  " + state
	}
	switch {
	case m.frozen != nil:
		state = m.theme.warn.Render("PAUSED") + "  " + state
	case h.final:
		state = m.theme.warn.Render("ENDED") + "  " + state
	}
	lines := []string{
		spread(" "+m.theme.strong.Render("pktstat")+"  "+m.counted(how), state, m.width),
		" " + fitting(m.nowParts(), m.between(), m.width-1),
		" " + fitting(m.totalParts(), m.between(), m.width-1),
	}
	return lines[:m.headerHeight()]
}

// atLeast returns the sign of a lower bound.
func (m *model) atLeast() string {
	if m.ascii {
		return ">= "
	}
	return "≥ "
}

func (m *model) narrow() bool { return m.width < 60 }

// between returns the separator of parts of a line.
func (m *model) between() string {
	if m.narrow() {
		return "  "
	}
	return "   "
}

// counted returns "web-3: eth0, wg0 by tc (tcx)", shorter on a narrow screen. It omits the host for
// a capture, which may come from another machine.
func (m *model) counted(how string) string {
	h := &m.list.heading
	text := ""
	if h.kind != flow.SourceFiles && h.host != "" && !m.narrow() {
		text = termsafe.String(h.host) + ": "
	}
	if names := m.sources(); names != "" {
		return text + names + " by " + how
	}
	return text + how
}

// sources names what is counted; "" if that has no name.
func (m *model) sources() string {
	const named = 4
	h := &m.list.heading
	var b strings.Builder
	for i, name := range h.sources[:min(len(h.sources), named)] {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(termsafe.String(name))
	}
	if more := len(h.sources) - named; more > 0 {
		fmt.Fprintf(&b, " and %d more", more)
	}
	return b.String()
}

func (m *model) directions() bool { return m.list.had["direction"] || m.list.dims.TwoSided() }

// nowParts returns the rates of the last interval, the most important first.
func (m *model) nowParts() []string {
	h := &m.list.heading
	rate := func(bytes uint64) string { return m.format.rate(bytes, h.length) }
	parts := []string{m.theme.strong.Render(rate(h.now.Total.At(h.rateLayer)))}
	if !m.narrow() {
		parts[0] = "now    " + parts[0]
	}
	if m.directions() && m.last.length > 0 {
		parts = append(parts, m.theme.in.Render("in "+rate(m.last.in)), m.theme.out.Render("out "+rate(m.last.out)))
	}
	if len(h.stackedOn) > 0 {
		parts = append(parts, "each packet once "+rate(h.once.At(h.rateLayer)))
	}
	parts = append(parts, plainRate(perSecond(h.now.Total.Packets, h.length))+" packets/s")
	return append(parts, "bytes and rates: "+layerName(h.rateLayer))
}

// totalParts returns the sums of the run. Losses come before less important parts.
func (m *model) totalParts() []string {
	h := &m.list.heading
	total := m.theme.strong.Render(m.format.bytes(h.run.Total.At(h.rateLayer)))
	if !m.narrow() {
		total = "total  " + total
	}
	other, lost := m.uncounted("overflow", h.run.Overflow.Packets, h.run.OverflowBy.Reasons()), m.uncounted("lost", h.run.Lost.Packets, "")
	packets := grouped(h.run.Total.Packets) + " packets"
	if h.inexact {
		packets = m.atLeast() + packets
	}
	if m.narrow() {
		return []string{total, other, lost, packets}
	}
	parts := []string{total, other, lost}
	if h.run.Overflow.IsZero() && h.run.Lost.IsZero() {
		parts = []string{total, packets, other, lost}
	} else {
		parts = append(parts, packets)
	}
	for _, f := range flow.Fields.All() {
		if f.Sparse && f.Sum != nil && f.Sum(&h.run.Total) > 0 {
			parts = append(parts, m.format.amount(f, f.Sum(&h.run.Total))+" "+strings.ToLower(f.Title))
		}
	}
	for _, note := range h.notes {
		parts = append(parts, termsafe.String(note))
	}
	return parts
}

// uncounted returns the text about packets that are in no row.
func (m *model) uncounted(what string, packets uint64, why string) string {
	text := what + " " + string(appendCount(nil, packets))
	if packets == 0 {
		return text
	}
	if !m.narrow() {
		text += " packets"
		if why != "" {
			text += " (" + why + ")"
		}
	}
	return m.theme.warn.Render(text)
}

// tab is the position of a view's name on the screen.
type tab struct {
	view     *view
	from, to int
}

// tabs returns the names of the offered views. On a narrow screen, it returns only the open one.
func (m *model) tabs() (tabs []tab, line string) {
	right := m.position()
	free := m.width - textWidth(right) - 2
	x := 1
	for _, v := range m.views {
		tabs = append(tabs, tab{v, x, x + len(v.name) + 2})
		x += len(v.name) + 2
	}
	if x > free {
		v := m.list.view
		tabs = []tab{{v, 1, 1 + len(v.name) + 2}}
		if more := len(m.views) - 1; more > 0 {
			line = m.theme.faint.Render(fmt.Sprintf(" +%d views", more))
		}
	}
	names := " "
	for _, t := range tabs {
		name := " " + t.view.name + " "
		if t.view == m.list.view {
			name = m.theme.tab.Render(name)
		}
		names += name
	}
	return tabs, spread(names+line, right+" ", m.width)
}

// position returns the selected row's place, the number of rows, and the mode.
func (m *model) position() string {
	l := &m.list
	mode := "current"
	if l.cumulative {
		mode = "whole run"
	}
	if m.narrow() {
		return fmt.Sprintf("%d/%d", min(m.place+1, len(l.order)), len(l.order))
	}
	text := fmt.Sprintf("%s of %s %s", grouped(uint64(min(m.place+1, len(l.order)))), grouped(uint64(len(l.order))), l.view.rows(l.dims, len(l.order)))
	if !l.filter.empty() {
		text += " (filtered)"
	}
	return text + "  " + mode
}
