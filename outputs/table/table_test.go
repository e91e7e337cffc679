package table

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/olekukonko/tablewriter/pkg/twwidth"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/plugintest/sinktest"
	"github.com/pktstat/pktstat/registry"
)

// TestMain sets the width of ambiguous characters, which tablewriter takes from the locale. The
// golden files are for a locale that is not East Asian.
func TestMain(m *testing.M) {
	twwidth.SetOptions(twwidth.Options{})
	os.Exit(m.Run())
}

func terminal(width int) registry.Terminal { return registry.Terminal{IsTTY: true, Width: width} }

func TestConformance(t *testing.T) {
	narrow := []string{"mixed", "ipv6", "sums", "sockets", "processes", "by-src"}
	sinktest.Run(t, sinktest.Options{Name: "table", Variants: []sinktest.Variant{
		{Name: "intervals", Args: []string{"intervals=true"}, Goldens: []string{"intervals"}},
		{Name: "si", Args: []string{"units=si"}, Goldens: []string{"sums"}},
		{
			Name: "columns", Args: []string{"columns=packets+frame_bytes+pps+destination+proto+iface"},
			Goldens: []string{"mixed", "by-src", "empty"},
		},
		{Name: "120", Terminal: terminal(120), Goldens: narrow},
		{Name: "80", Terminal: terminal(80), Goldens: narrow},
		{Name: "50", Terminal: terminal(50), Goldens: narrow},
	}})
}

// TestASCIITerminal: on an ASCII terminal, the table is ASCII and as wide as otherwise.
func TestASCIITerminal(t *testing.T) {
	for _, g := range sinktest.Goldens() {
		for _, width := range []int{40, 50, 80, 120} {
			fine := terminal(width)
			plain := fine
			plain.ASCII = true
			want := strings.Split(string(sinktest.Render(t, "table", sinktest.Variant{Terminal: fine}, g.Reports...)), "\n")
			got := strings.Split(string(sinktest.Render(t, "table", sinktest.Variant{Terminal: plain}, g.Reports...)), "\n")
			if len(got) != len(want) {
				t.Fatalf("%s at %d: %d lines, want %d", g.Name, width, len(got), len(want))
			}
			for i := range got {
				if strings.ContainsFunc(got[i], func(r rune) bool { return r > '~' }) {
					t.Fatalf("%s at %d: %q", g.Name, width, got[i])
				}
				if w := twwidth.Width(want[i]); len(got[i]) != w {
					t.Errorf("%s at %d: %d columns, want %d: %q", g.Name, width, len(got[i]), w, got[i])
				}
			}
		}
	}
}

// TestFitsTerminal: from 40 columns on, no line is wider than the terminal, and every flow has a
// line with its numbers.
func TestFitsTerminal(t *testing.T) {
	for _, g := range sinktest.Goldens() {
		if g.Name == "huge" {
			continue // the numbers alone are wider
		}
		for width := 40; width <= 200; width += 3 {
			out := string(sinktest.Render(t, "table", sinktest.Variant{Terminal: terminal(width)}, g.Reports...))
			lines := tableLines(out)
			last := g.Reports[len(g.Reports)-1]
			if want := len(last.Packed); len(lines) < want {
				t.Fatalf("%s at %d: %d lines for %d flows", g.Name, width, len(lines), want)
			}
			for _, line := range lines {
				if w := twwidth.Width(line); w > width {
					t.Fatalf("%s: %d columns wide on a terminal of %d:\n%s", g.Name, w, width, out)
				}
			}
		}
	}
}

// tableLines returns the lines of the table without heading and notes.
func tableLines(out string) []string {
	_, out, _ = strings.Cut(out, "\n\n")
	var lines []string
	for line := range strings.Lines(out) {
		if !strings.HasPrefix(line, "note: ") && !strings.HasPrefix(line, "not shown ") {
			lines = append(lines, strings.TrimSuffix(line, "\n"))
		}
	}
	return lines
}

// TestEveryFlowOnce: the table has each flow with its numbers, in the report's order.
func TestEveryFlowOnce(t *testing.T) {
	r := sinktest.ManyFlows(500)
	lines := tableLines(string(sinktest.Render(t, "table", sinktest.Variant{}, r)))[2:]
	i := 0
	for row := range r.Rows() {
		for _, want := range []string{row.Src.String(), row.Dst.String(), fmt.Sprintf(" %d ", row.Packets), row.Protocol()} {
			if !strings.Contains(lines[i], want) {
				t.Fatalf("line %d is %q, want %q in it", i, lines[i], want)
			}
		}
		i++
	}
	if !strings.HasPrefix(lines[i+1], "total  500 flows ") {
		t.Errorf("after the flows and a rule: %q, want the total", lines[i+1])
	}
}

// TestOneLayer: the table has the bytes of the rate layer, and the bytes that rows are sorted by.
func TestOneLayer(t *testing.T) {
	for _, c := range []struct {
		rates flow.Layer
		sort  string
		want  string
	}{
		{flow.LayerFrame, "bps", "Packets L2 bytes Rate"},
		{flow.LayerIP, "bps", "Packets Bytes Rate"},
		{flow.LayerFrame, "bytes", "Packets Bytes L2 bytes Rate"},
	} {
		r := sinktest.ManyFlows(1)
		r.RateLayer, r.Sort = c.rates, c.sort
		head := tableLines(string(sinktest.Render(t, "table", sinktest.Variant{}, r)))[0]
		if got := strings.Join(strings.Fields(head), " "); !strings.HasSuffix(got, " Dir "+c.want) {
			t.Errorf("layer %s, sorted by %s: columns %s, want %s", c.rates, c.sort, got, c.want)
		}
	}
}

// TestSortedColumn: the table has the column that rows are sorted by, on a narrow terminal, too.
func TestSortedColumn(t *testing.T) {
	i := slices.IndexFunc(sinktest.Goldens(), func(g sinktest.Golden) bool { return g.Name == "conversations" })
	r := sinktest.Goldens()[i].Reports[0]
	for _, c := range []struct{ sort, title, value string }{
		{"retransmits", "Retrans", " 3 "}, {"retransmit_bytes", "Retransmitted bytes", " 3.91 KiB "}, {"resets", "Resets", " 2 "},
		{"connect_failed", "Connect failed", " 1 "}, {"rtt", "RTT", "12.3 ms"}, {"tcp_state", "State", "fin"}, {"ends_by", "Ends by", "direction"},
		{"remote_port", "Remote ", ":443 "},
	} {
		r.Sort = c.sort
		lines := tableLines(string(sinktest.Render(t, "table", sinktest.Variant{Terminal: terminal(100)}, r)))
		if !strings.Contains(lines[0]+" ", c.title) || !strings.Contains(lines[2]+" ", c.value) {
			t.Errorf("sorted by %s: no %s with %s in\n%s", c.sort, c.title, c.value, strings.Join(lines[:3], "\n"))
		}
	}
}

// TestCommandLine: a file's heading has the command line once, a terminal's has none.
func TestCommandLine(t *testing.T) {
	for _, g := range sinktest.Goldens() {
		if g.Name != "intervals" {
			continue
		}
		for _, c := range []struct {
			to   registry.Terminal
			want int
		}{{registry.Terminal{}, 1}, {terminal(120), 0}} {
			out := string(sinktest.Render(t, "table", sinktest.Variant{Terminal: c.to, Args: []string{"intervals=true"}}, g.Reports...))
			if n := strings.Count(out, "pktstat v0.0.0-test: pktstat --pcap-file trace.pcap\n"); n != c.want {
				t.Errorf("the command line occurs %d times, want %d:\n%s", n, c.want, out)
			}
		}
	}
}

func TestNoTrailingSpaces(t *testing.T) {
	for _, g := range sinktest.Goldens() {
		for line := range strings.Lines(string(sinktest.Render(t, "table", sinktest.Variant{}, g.Reports...))) {
			if line = strings.TrimSuffix(line, "\n"); strings.TrimRight(line, " ") != line {
				t.Errorf("%s: %q ends with spaces", g.Name, line)
			}
		}
	}
}

func TestOptions(t *testing.T) {
	for _, c := range []struct{ option, value, want string }{
		{"units", "bits", `use iec or si`},
		{"columns", "proto+nothing", `unknown column "nothing": there are proto, src, src_port, `},
		{"columns", "", `unknown column ""`},
		{"units", "si", ""},
		{"columns", "rate+proto", ""},
	} {
		config := &config{}
		set := config.setUnits
		if c.option == "columns" {
			set = config.setColumns
		}
		err := set(c.value)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.HasPrefix(err.Error(), c.want)) {
			t.Errorf("%s=%s: error %v, want %q", c.option, c.value, err, c.want)
		}
	}
}

func TestShorten(t *testing.T) {
	for _, c := range []struct {
		in    string
		width int
		want  string
	}{
		{"192.0.2.1:443", 13, "192.0.2.1:443"},
		{"192.0.2.1:443", 12, "192.0.…1:443"},
		{"[2001:db8:1:2:3:4:5:6]:50000", 15, "[2001:d…]:50000"},
		{"abc", 1, "…"},
		{"日本語日本語", 7, "日…語"}, // a wide character is not split
		{"日本語日本語", 9, "日本…本語"},
	} {
		got := shorten(c.in, c.width)
		if got != c.want {
			t.Errorf("shorten(%q, %d) = %q, want %q", c.in, c.width, got, c.want)
		}
		if w := twwidth.Width(got); w > c.width {
			t.Errorf("shorten(%q, %d) is %d wide", c.in, c.width, w)
		}
	}
}

// BenchmarkTable renders the default number of flows, and far more.
func BenchmarkTable(b *testing.B) {
	for _, n := range []int{shownRows, 100_000} {
		b.Run(strconv.Itoa(n), func(b *testing.B) { sinktest.Benchmark(b, "table", n) })
	}
}

// TestColor: a terminal in colour gets the same table, with styles on whole lines.
func TestColor(t *testing.T) {
	sgr := regexp.MustCompile("\x1b\\[[0-9]*m")
	seen := map[string]bool{}
	for _, g := range sinktest.Goldens() {
		look := terminal(120)
		want := string(sinktest.Render(t, "table", sinktest.Variant{Terminal: look}, g.Reports...))
		look.Color = true
		got := string(sinktest.Render(t, "table", sinktest.Variant{Terminal: look}, g.Reports...))
		if without := sgr.ReplaceAllString(got, ""); without != want {
			t.Errorf("%s: without colours\n%s\nwant\n%s", g.Name, without, want)
		}
		for line := range strings.Lines(got) {
			for style, word := range map[string]string{dim: "rest", yellow: "overflow", red: "lost", bold: "total"} {
				if rest, ok := strings.CutPrefix(line, "\x1b["+style+"m"); ok && strings.HasPrefix(rest, word) {
					seen[word] = true
					if !strings.HasSuffix(line, "\x1b[0m\n") {
						t.Errorf("%s: the colour goes on: %q", g.Name, line)
					}
				}
			}
		}
	}
	if len(seen) != len(sumStyles) {
		t.Errorf("saw colours of %v only", seen)
	}
}
