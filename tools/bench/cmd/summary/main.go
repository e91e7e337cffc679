// Command summary draws the chart of docs/performance.md and fills its tables, from a
// run that `make bench` has written as Markdown. `make bench-summary` runs it.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
)

//go:generate go run github.com/pktstat/pktstat/tools/bench/cmd/summary -page ../../../../docs/performance.md -chart ../../../../docs/performance.svg ../../../../docs/performance/run.md

func main() {
	page := flag.String("page", "", "fill the tables of this `FILE`")
	chart := flag.String("chart", "", "write the chart to this `FILE`")
	flag.Parse()
	if flag.NArg() != 1 {
		fmt.Fprintln(os.Stderr, "usage: summary [-page FILE] [-chart FILE] RUN")
		os.Exit(2)
	}
	if err := write(flag.Arg(0), *page, *chart); err != nil {
		fmt.Fprintln(os.Stderr, "summary:", err)
		os.Exit(1)
	}
}

// write summarizes a run. An empty name leaves that part out.
func write(runFile, page, chart string) error {
	text, err := os.ReadFile(filepath.Clean(runFile))
	if err != nil {
		return err
	}
	r := parse(string(text))
	if chart != "" {
		drawing, err := draw(r)
		if err != nil {
			return fmt.Errorf("%s: %w", runFile, err)
		}
		if err := os.WriteFile(chart, []byte(drawing), 0o644); err != nil {
			return err
		}
	}
	if page == "" {
		return nil
	}
	old, err := os.ReadFile(filepath.Clean(page))
	if err != nil {
		return err
	}
	filled, err := fill(old, r)
	if err != nil {
		return fmt.Errorf("%s with %s: %w", page, runFile, err)
	}
	return os.WriteFile(page, filled, 0o644)
}

// fill replaces the tables of a page, each between a line with its name and a line that
// ends it.
func fill(page []byte, r run) ([]byte, error) {
	for _, s := range summaries {
		text, err := s.table(r)
		if err != nil {
			return nil, err
		}
		begin, end := []byte("<!-- "+s.name+" -->\n"), []byte("<!-- end -->\n")
		before, rest, ok := bytes.Cut(page, begin)
		_, after, ended := bytes.Cut(rest, end)
		if !ok || !ended {
			return nil, fmt.Errorf("the page has no table %q", s.name)
		}
		page = bytes.Join([][]byte{before, begin, []byte(text), end, after}, nil)
	}
	return page, nil
}
