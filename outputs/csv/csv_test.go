package csv

import (
	"bytes"
	"encoding/csv"
	"flag"
	"io"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/plugintest/sinktest"
)

func TestConformance(t *testing.T) {
	sinktest.Run(t, sinktest.Options{
		Name:     "csv",
		Variants: []sinktest.Variant{{Name: "intervals", Args: []string{"intervals=true"}, Goldens: []string{"intervals"}}},
	})
}

// read returns the lines below the header, by column.
func read(t *testing.T, text []byte) []map[string]string {
	t.Helper()
	records, err := csv.NewReader(bytes.NewReader(text)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var lines []map[string]string
	for _, r := range records[1:] {
		line := map[string]string{}
		for i, cell := range r {
			line[records[0][i]] = cell
		}
		lines = append(lines, line)
	}
	return lines
}

func counters(t *testing.T, line map[string]string) flow.Counters {
	t.Helper()
	var v [3]uint64
	for i, name := range []string{"packets", "bytes", "frame_bytes"} {
		var err error
		if v[i], err = strconv.ParseUint(line[name], 10, 64); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	return flow.Counters{Packets: v[0], Bytes: v[1], FrameBytes: v[2]}
}

// TestReadsBack: the file has each flow and each sum once, and flows + rest + overflow + lost =
// total.
func TestReadsBack(t *testing.T) {
	for _, g := range sinktest.Goldens() {
		r := g.Reports[len(g.Reports)-1]
		lines := read(t, sinktest.Render(t, "csv", sinktest.Variant{}, g.Reports...))
		var sum flow.Counters
		for row := range r.Rows() {
			line := lines[0]
			lines = lines[1:]
			if line["row"] != "flow" || counters(t, line) != row.Counters || line["first"] != row.First.Format(time.RFC3339Nano) {
				t.Errorf("%s: line %v of row %+v", g.Name, line, row)
			}
			if r.Dims.Has(flow.DimSrc) && row.Src.Addr().IsValid() && line["src"] != row.Src.Addr().String() {
				t.Errorf("%s: src %q, want %v", g.Name, line["src"], row.Src)
			}
			sum.Add(row.Counters)
		}
		if r.Links != nil {
			for i, l := range append(slices.Clone(r.Links), flow.Link{Counters: r.LinkTotal}) {
				line, want := lines[4+i], "link"
				if i == len(r.Links) {
					want = "link_total"
				}
				if got := counters(t, line); line["row"] != want || got != l.Counters || g.Name != "hostile" && line["iface"] != l.Name {
					t.Errorf("%s: line %v, want %s of %+v", g.Name, line, want, l)
				}
			}
			lines = lines[:len(lines)-len(r.Links)-1]
		}
		if len(lines) != 4 {
			t.Fatalf("%s: %d lines after the flows, want 4", g.Name, len(lines))
		}
		for i, want := range []struct {
			row   string
			c     flow.Counters
			again uint64
		}{{"rest", r.Rest.Counters, r.Rest.Retransmits}, {"overflow", r.Overflow.Counters, r.Overflow.Retransmits}, {"lost", r.Lost.Counters, 0}, {"total", r.Total.Counters, r.Total.Retransmits}} {
			if text := strings.TrimPrefix(strconv.FormatUint(want.again, 10), "0"); lines[i]["retransmits"] != text {
				t.Errorf("%s: line %v, want %d retransmits", g.Name, lines[i], want.again)
			}
			if got := counters(t, lines[i]); lines[i]["row"] != want.row || got != want.c {
				t.Errorf("%s: line %v, want %s %v", g.Name, lines[i], want.row, want.c)
			}
		}
		for _, line := range lines[:3] {
			sum.Add(counters(t, line))
		}
		if total := counters(t, lines[3]); sum != total && r.Dims.Copies() == 1 {
			t.Errorf("%s: the lines add up to %v, total is %v", g.Name, sum, total)
		}
		if unknown := lines[2]["bytes_unknown"]; (unknown == "true") != r.LostBytesUnknown {
			t.Errorf("%s: bytes_unknown %q", g.Name, unknown)
		}
	}
}

// TestNoSums: with sums=false, every line is a flow.
func TestNoSums(t *testing.T) {
	for _, g := range sinktest.Goldens() {
		var want uint64
		for row := range g.Reports[len(g.Reports)-1].Rows() {
			want += row.Packets
		}
		var sum uint64
		for _, line := range read(t, sinktest.Render(t, "csv", sinktest.Variant{Args: []string{"sums=false"}}, g.Reports...)) {
			if line["row"] != "flow" {
				t.Errorf("%s: line %v", g.Name, line)
			}
			sum += counters(t, line).Packets
		}
		if sum != want {
			t.Errorf("%s: the lines have %d packets, want %d", g.Name, sum, want)
		}
	}
}

// TestNoFormulas: no cell starts a formula, and numbers are digits.
func TestNoFormulas(t *testing.T) {
	for _, g := range sinktest.Goldens() {
		for _, line := range read(t, sinktest.Render(t, "csv", sinktest.Variant{Args: []string{"intervals=true"}}, g.Reports...)) {
			for column, cell := range line {
				if cell != "" && strings.ContainsAny(cell[:1], "=+-@\t\r\n") || strings.HasPrefix(cell, "＝") {
					t.Errorf("%s: %s is %q", g.Name, column, cell)
				}
			}
			for _, column := range []string{"packets", "bytes", "frame_bytes", "bps", "pps"} {
				if cell := line[column]; strings.Trim(cell, "0123456789.") != "" || cell == "" {
					t.Errorf("%s: %s is %q", g.Name, column, cell)
				}
			}
		}
	}
}

// TestColumnsAreStable: the columns do not depend on --by.
func TestColumnsAreStable(t *testing.T) {
	var first []string
	for _, g := range sinktest.Goldens() {
		header, _, _ := strings.Cut(string(sinktest.Render(t, "csv", sinktest.Variant{}, g.Reports...)), "\n")
		columns := strings.Split(header, ",")
		if first == nil {
			first = columns
		}
		if !slices.Equal(columns, first) {
			t.Errorf("%s: columns %q, others have %q", g.Name, columns, first)
		}
	}
}

func BenchmarkCSV(b *testing.B) { sinktest.Benchmark(b, "csv", 100_000) }

// TestChosenColumns: columns= sets the fields and their order, for flows and sums.
func TestChosenColumns(t *testing.T) {
	for _, g := range sinktest.Goldens() {
		all := read(t, sinktest.Render(t, "csv", sinktest.Variant{}, g.Reports...))
		text := sinktest.Render(t, "csv", sinktest.Variant{Args: []string{"columns=bytes+sport+comm+rate+retransmits"}}, g.Reports...)
		if head, _, _ := strings.Cut(string(text), "\n"); head != "row,bytes,src_port,comm,bps,retransmits" {
			t.Errorf("%s: the header is %q", g.Name, head)
		}
		chosen := read(t, text)
		if len(chosen) != len(all) {
			t.Fatalf("%s: %d lines, want %d", g.Name, len(chosen), len(all))
		}
		for i, line := range chosen {
			for name, cell := range line {
				if want := all[i][name]; cell != want {
					t.Errorf("%s: line %d: %s is %q, want %q", g.Name, i, name, cell, want)
				}
			}
		}
	}
}

func TestUnknownColumn(t *testing.T) {
	fs := flag.NewFlagSet("csv", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	(&config{}).Flags(fs)
	if err := fs.Set("columns", "bytes+colour"); err == nil || !strings.Contains(err.Error(), `unknown column "colour": there are proto,`) {
		t.Errorf("an unknown column: %v", err)
	}
}
