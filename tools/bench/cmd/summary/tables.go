package main

import (
	"errors"
	"fmt"
	"strings"
)

// summaries are the tables of the page.
var summaries = []struct {
	name  string
	table func(run) (string, error)
}{
	{"ratios", ratios}, {"reports", reports}, {"sockets", sockets},
}

// errAlone: the page compares pktstat with another tool.
var errAlone = errors.New("no other tool was measured in the run: make bench takes -peer")

// pattern is traffic that the summary shows: with the table in which it was measured.
type pattern struct{ name, flows, table string }

var patterns = []pattern{{"1 flow", "1", "default"}, {"64k flows", "64k", "default"}, {"1M flows", "1M", "fit"}}

var hooks = []string{"tc", "xdp"}

// manyFlows returns the row of a hook and pattern: UDP over IPv4, flows in equal shares.
func manyFlows(r run, hook string, p pattern) (*table, []string, error) {
	t, err := r.titled("Many flows")
	if err != nil {
		return nil, nil, err
	}
	rows := t.find(where{"hook": hook, "packet": "UDP4", "flows": p.flows, "packets over flows": "uniform", "table": p.table, "flows are": "warm"})
	if len(rows) != 1 {
		return nil, nil, fmt.Errorf("the run has %d rows for %s and %s", len(rows), hook, p.name)
	}
	return t, rows[0], nil
}

// ratios compares costs and packet rates.
func ratios(r run) (string, error) {
	rates, err := r.titled("Live frames")
	if err != nil {
		return "", err
	}
	var b strings.Builder
	for _, hook := range hooks {
		for _, p := range patterns {
			t, row, err := manyFlows(r, hook, p)
			if err != nil {
				return "", err
			}
			other := t.other()
			if other == "" {
				return "", errAlone
			}
			if b.Len() == 0 {
				line(&b, "hook, traffic", "cost / floor", "cost / "+other, "rate of the floor", "rate of pktstat", "rate of "+other)
				b.WriteString("|---|--:|--:|--:|--:|--:|\n")
			}
			live := rates.find(where{"hook": hook, "flows": p.flows})
			if len(live) != 1 {
				return "", fmt.Errorf("the run has %d rates for %s and %s", len(live), hook, p.name)
			}
			line(&b, hook+", "+p.name, t.cell(row, "pktstat / floor"), t.cell(row, "pktstat / "+other),
				short(rates.cell(live[0], "floor")), short(rates.cell(live[0], ours)), short(rates.cell(live[0], other)))
		}
	}
	return b.String(), nil
}

// reports shows what a report of a million flows takes.
func reports(r run) (string, error) {
	t, err := r.titled("From the table to a report")
	if err != nil {
		return "", err
	}
	other, compared := strings.CutPrefix(t.header[len(t.header)-1], "pktstat / ")
	if !compared {
		return "", errAlone
	}
	var b strings.Builder
	line(&b, "1M flows", "unit", ours, other, "pktstat / "+other)
	b.WriteString("|---|---|--:|--:|--:|\n")
	for _, step := range []string{"first report", "next report", "next report, 40 rows"} {
		for _, unit := range []string{"ms of CPU", "MB"} {
			for _, row := range t.find(where{"flows": "1M", "step": step, "unit": unit}) {
				line(&b, step, unit, t.cell(row, ours), t.cell(row, other), t.cell(row, "pktstat / "+other))
			}
		}
	}
	return b.String(), nil
}

// sockets shows what counting takes where two sockets talk: the least and the most of
// the kinds of traffic.
func sockets(r run) (string, error) {
	calls, err := r.titled("Sockets that talk")
	if err != nil {
		return "", err
	}
	exchanges, err := r.titled("The same, as exchanges")
	if err != nil {
		return "", err
	}
	var b strings.Builder
	line(&b, "hook", "ns a packet", "with `--process`", "/ application bytes", "exchanges left", "with `--process`", "with application bytes")
	b.WriteString("|---|--:|--:|--:|--:|--:|--:|\n")
	for i, row := range calls.rows {
		hook := row[0]
		if i > 0 && calls.rows[i-1][0] == hook {
			continue
		}
		cost, left := calls.find(where{"hook": hook}), exchanges.find(where{"hook": hook})
		line(&b, hook, calls.span(cost, ours, "%.0f"), calls.span(cost, processes, "%.0f"), calls.span(cost, "pktstat / application bytes", "%.1f"),
			exchanges.span(left, ours, "%.2f"), exchanges.span(left, processes, "%.2f"), exchanges.span(left, "application bytes", "%.2f"))
	}
	return b.String(), nil
}

const processes = "pktstat, processes"

// span is the least and the most that rows have in a column.
func (t *table) span(rows [][]string, column, format string) string {
	var least, most float64
	seen := 0
	for _, row := range rows {
		v, err := number(t.cell(row, column))
		if err != nil { // an empty cell: it was not measured
			continue
		}
		if seen++; seen == 1 {
			least, most = v, v
		}
		least, most = min(least, v), max(most, v)
	}
	from, to := fmt.Sprintf(format, least), fmt.Sprintf(format, most)
	switch {
	case seen == 0:
		return ""
	case from == to:
		return from
	}
	return from + "–" + to
}

func line(b *strings.Builder, cells ...string) {
	fmt.Fprintf(b, "| %s |\n", strings.Join(cells, " | "))
}
