package tui

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/pktstat/pktstat/flow"
)

// field is a line of the details.
type field struct{ name, value string }

// details returns all that is known of the selected row, with its graph.
func (m *model) details(height int) []string {
	var lines []string
	r := m.detailed
	if r == nil {
		return []string{"", "  The row is gone. Esc goes back."}
	}
	fields := m.fieldsOf(r)
	columns := 1
	if m.width >= 76 {
		columns = 2
	}
	per := (len(fields) + columns - 1) / columns
	lines = append(lines, " "+m.theme.head.Render(pad(m.list.view.name+": "+m.title(r), m.width-1)))
	for i := range per {
		line := " "
		for c := range columns {
			if j := i + c*per; j < len(fields) {
				cell := m.theme.faint.Render(pad(fields[j].name, 12)) + " " + middle(fields[j].value, m.width/columns-15)
				line += pad(cell, m.width/columns-1)
			}
		}
		lines = append(lines, strings.TrimRight(line, " "))
	}
	graph := min(max(height-len(lines)-1, 4), 12)
	lines = append(lines, "")
	lines = append(lines, m.graph(m.samples, graph, bothWays(m.samples))...)
	m.scroll = max(min(m.scroll, len(lines)-height), 0)
	return lines[m.scroll:]
}

// bothWays reports whether there was incoming and outgoing traffic.
func bothWays(samples []sample) bool {
	in, out := false, false
	for i := range samples {
		in = in || samples[i].in > 0
		out = out || samples[i].out > 0
	}
	return in && out
}

// title returns the row's main text columns.
func (m *model) title(r *row) string {
	m.cell.set(&m.list, r)
	var parts []string
	for _, c := range m.list.view.columns {
		if c.numeric() || !c.always {
			continue
		}
		if text := string(c.appendText(nil, &m.cell)); text != "" && text != "-" {
			parts = append(parts, text)
		}
	}
	return strings.Join(parts, " ")
}

// fieldsOf returns all that is known of a row.
func (m *model) fieldsOf(r *row) []field {
	l := &m.list
	var fields []field
	add := func(name, value string) { fields = append(fields, field{name, value}) }
	m.cell.set(l, r)
	for _, c := range l.view.columns {
		if c.numeric() || c.asked || !c.there(m.list.had) || !c.in(m.cell.dims) {
			continue
		}
		if text := string(c.appendText(nil, &m.cell)); text != "" && text != "-" {
			add(c.title, text)
		}
	}
	run := l.end.Sub(l.start)
	layer := l.rateLayer
	add("Rate", m.format.rate(r.now.At(layer), l.length)+"; "+plainRate(perSecond(r.now.Packets, l.length))+" pkts/s")
	if l.view.splits(l.dims, l.had) {
		add("In", m.format.rate(r.in, l.length)+"; "+m.format.bytes(r.inTotal))
		add("Out", m.format.rate(r.out, l.length)+"; "+m.format.bytes(r.outTotal))
	}
	add("Average", m.format.rate(r.total.At(layer), run)+" over the run")
	for _, f := range flow.Fields.All() {
		if f.Role == flow.Measure && !f.Undirected() && f.Sum != nil && (f.Name != "frame_bytes" || l.layers&flow.LayerFrame != 0) {
			if v := f.Sum(&r.total); v != 0 || !f.Sparse {
				add(m.measured(f, v))
			}
		}
	}
	if r.total.Packets > 0 {
		add("Packet size", grouped(r.total.At(layer)/r.total.Packets)+" bytes on average")
	}
	if all := l.run.Total.At(layer); all > 0 {
		add("Share", fmt.Sprintf("%.1f%% of all", 100*float64(r.total.At(layer))/float64(all)))
	}
	add("First seen", m.when(r.first))
	add("Last seen", m.when(r.last))
	return fields
}

// ofLayer are titles that distinguish the bytes of two layers.
var ofLayer = map[string]string{"bytes": "Bytes, IP", "frame_bytes": "Bytes, frame"}

// measured returns the line of a measure.
func (m *model) measured(f *flow.Field, v uint64) (name, value string) {
	name, value = cmp.Or(ofLayer[f.Name], f.Title), grouped(v)
	if f.Kind == flow.Bytes {
		value += " (" + m.format.bytes(v) + ")"
	}
	return name, value
}

// when formats a time, and how long before the end of counting it was.
func (m *model) when(ns int64) string {
	t := time.Unix(0, ns).UTC()
	ago := m.list.end.Sub(t).Round(time.Second)
	return t.Format("15:04:05 MST") + ", " + max(ago, 0).String() + " ago"
}
