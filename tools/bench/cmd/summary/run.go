package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// run has the tables of a run by their titles.
type run map[string]*table

// table is a table in Markdown.
type table struct {
	header []string
	rows   [][]string
}

// parse reads the tables of a Markdown text, each below a heading.
func parse(text string) run {
	r, title := run{}, ""
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "#"):
			title = strings.TrimLeft(line, "# ")
		case !strings.HasPrefix(line, "| "):
		case r[title] == nil:
			r[title] = &table{header: cells(line)}
		default:
			r[title].rows = append(r[title].rows, cells(line))
		}
	}
	return r
}

func cells(line string) []string {
	parts := strings.Split(strings.Trim(line, "|"), "|")
	for i := range parts {
		parts[i] = strings.TrimSpace(parts[i])
	}
	return parts
}

// titled returns the table whose title begins so.
func (r run) titled(title string) (*table, error) {
	for name, t := range r {
		if strings.HasPrefix(name, title) {
			return t, nil
		}
	}
	return nil, fmt.Errorf("the run has no table %q", title)
}

// where maps columns to what they must have.
type where map[string]string

// find returns the rows that match.
func (t *table) find(w where) [][]string {
	return slices.DeleteFunc(slices.Clone(t.rows), func(row []string) bool {
		for column, want := range w {
			if i := t.column(column); i < 0 || i >= len(row) || row[i] != want {
				return true
			}
		}
		return false
	})
}

// cell returns what a row has in a column: "" if the table has no such column.
func (t *table) cell(row []string, column string) string {
	if i := t.column(column); i >= 0 && i < len(row) {
		return row[i]
	}
	return ""
}

func (t *table) column(name string) int { return slices.Index(t.header, name) }

// programs returns the columns of programs: from the empty one to the first ratio.
func (t *table) programs() []string {
	var names []string
	for _, h := range t.header[max(0, t.column("empty")):] {
		if strings.Contains(h, " / ") {
			break
		}
		names = append(names, h)
	}
	return names
}

// other returns the other tool that was measured: "" if there was none.
func (t *table) other() string {
	for _, name := range t.programs() {
		if !slices.Contains([]string{"empty", "floor", ours, "pktstat, frags"}, name) {
			return name
		}
	}
	return ""
}

const ours = "pktstat"

// number reads a cell. The percentiles behind it are left out.
func number(cell string) (float64, error) {
	value, _, _ := strings.Cut(cell, " ")
	return strconv.ParseFloat(value, 64)
}

// short is a cell without its percentiles.
func short(cell string) string {
	value, _, _ := strings.Cut(cell, " ")
	return value
}
