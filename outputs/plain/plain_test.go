package plain

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/render/termsafe"
	"github.com/pktstat/pktstat/plugintest/sinktest"
)

func TestConformance(t *testing.T) {
	sinktest.Run(t, sinktest.Options{
		Name:     "plain",
		Variants: []sinktest.Variant{{Name: "intervals", Args: []string{"intervals=true"}, Goldens: []string{"intervals"}}},
	})
}

// counters reads the counters of a line, as awk would.
func counters(t *testing.T, line string) flow.Counters {
	t.Helper()
	value := func(name string) uint64 {
		for _, word := range strings.Fields(line) {
			if v, ok := strings.CutPrefix(word, name+"="); ok {
				n, err := strconv.ParseUint(v, 10, 64)
				if err != nil {
					t.Errorf("%s in %q: %v", name, line, err)
				}
				return n
			}
		}
		t.Errorf("no %s in %q", name, line)
		return 0
	}
	return flow.Counters{Packets: value("packets"), Bytes: value("bytes"), FrameBytes: value("frame_bytes")}
}

// TestReadsBack: the first six words of a flow's line have fixed meanings, and the lines add up to
// the total.
func TestReadsBack(t *testing.T) {
	for _, g := range sinktest.Goldens() {
		r := g.Reports[len(g.Reports)-1]
		lines := strings.Split(strings.TrimSuffix(string(sinktest.Render(t, "plain", sinktest.Variant{}, g.Reports...)), "\n"), "\n")
		var sum flow.Counters
		for row := range r.Rows() {
			words := strings.Fields(lines[0])
			between := ">"
			if r.Dims.Paired() {
				between = "<>"
			}
			if words[4] != between || strings.Contains(words[5], "=") || !strings.Contains(words[6], "=") {
				t.Errorf("%s: %q has not six words before its numbers", g.Name, lines[0])
			}
			if r.Dims == flow.DimsFlow && row.HasPorts() && row.Src.Port() != 0 && words[3] != row.Src.String() {
				t.Errorf("%s: source %q, want %v", g.Name, words[3], row.Src)
			}
			if got := counters(t, lines[0]); got != row.Counters {
				t.Errorf("%s: %q, want %v", g.Name, lines[0], row.Counters)
			}
			sum.Add(row.Counters)
			lines = lines[1:]
		}
		links := r.Links
		for i, line := range lines {
			kind, _, _ := strings.Cut(line, " ")
			switch {
			case kind == "total" && i == len(lines)-1:
				if got := counters(t, line); got != sum && r.Dims.Copies() == 1 || got != r.Total.Counters {
					t.Errorf("%s: %q, the lines add up to %v", g.Name, line, sum)
				}
			case kind == "rest" || kind == "overflow" || kind == "lost":
				sum.Add(counters(t, line))
			case kind == "link" && len(links) > 0:
				if got := counters(t, line); got != links[0].Counters || len(links[0].StackedOn) > 0 != strings.Contains(line, " stacked_on=") {
					t.Errorf("%s: %q, want %v", g.Name, line, links[0])
				}
				links = links[1:]
			case kind == "link_total" && r.Links != nil && len(links) == 0:
				if got := counters(t, line); got != r.LinkTotal {
					t.Errorf("%s: %q, want %v", g.Name, line, r.LinkTotal)
				}
			case kind == "command" && i == len(lines)-2:
			case kind == "origin" && i == len(lines)-3:
				if host := string(termsafe.AppendWord([]byte(" host="), r.Origin.Host)); !strings.Contains(line, host+" ") {
					t.Errorf("%s: %q, want%s", g.Name, line, host)
				}
			case kind != "note":
				t.Errorf("%s: unexpected line %q", g.Name, line)
			}
		}
	}
}

// TestChosenColumns: columns= sets the fields of a flow's line and their order. The sums do not
// change.
func TestChosenColumns(t *testing.T) {
	for _, g := range sinktest.Goldens() {
		r := g.Reports[len(g.Reports)-1]
		all := strings.Split(string(sinktest.Render(t, "plain", sinktest.Variant{}, g.Reports...)), "\n")
		chosen := strings.Split(string(sinktest.Render(t, "plain", sinktest.Variant{Args: []string{"columns=bytes+comm+dport+rate"}}, g.Reports...)), "\n")
		if len(chosen) != len(all) {
			t.Fatalf("%s: %d lines, want %d", g.Name, len(chosen), len(all))
		}
		rows, ports := slices.Collect(r.Rows()), r.Dims.Has(flow.DimDstPort)
		for i, line := range chosen {
			if i >= len(rows) {
				if line != all[i] {
					t.Errorf("%s: line %q, want %q", g.Name, line, all[i])
				}
				continue
			}
			var want []string
			for _, word := range strings.Fields(all[i]) {
				if name, _, _ := strings.Cut(word, "="); name == "bytes" || name == "comm" || name == "bps" {
					want = append(want, word)
				}
			}
			if port := rows[i].Dst.Port(); ports && port != 0 {
				want = append(want, "dst_port="+strconv.Itoa(int(port)))
			}
			slices.SortStableFunc(want, func(a, b string) int { return place(a) - place(b) })
			if line != strings.Join(want, " ") {
				t.Errorf("%s: line %q, want %q", g.Name, line, want)
			}
		}
	}
}

// place returns the index of a word's field in columns=bytes+comm+dport+rate.
func place(word string) int {
	name, _, _ := strings.Cut(word, "=")
	return slices.Index([]string{"bytes", "comm", "dst_port", "bps"}, name)
}

func BenchmarkPlain(b *testing.B) { sinktest.Benchmark(b, "plain", 100_000) }
