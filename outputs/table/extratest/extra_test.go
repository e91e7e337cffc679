// Package extratest registers fields that the table has no layout for. It is a package of its own,
// because the table of fields belongs to the whole process.
package extratest

import (
	"strings"
	"testing"

	"github.com/pktstat/pktstat/flow"
	_ "github.com/pktstat/pktstat/outputs/table"
	"github.com/pktstat/pktstat/plugintest/sinktest"
	"github.com/pktstat/pktstat/registry"
)

func init() {
	flow.Fields.Register(flow.Field{Name: "site", Aliases: []string{"place"}, Title: "Site", Role: flow.Label, Kind: flow.Text,
		By: flow.DimSrc, Known: func(r *flow.Row) bool { return r.Src.Port() == 443 },
		Text: func(r *flow.Row) string { return "hall\x1b-" + r.Src.Addr().String() }})
	flow.Fields.Register(flow.Field{Name: "floor", Title: "Floor", Role: flow.Label, By: flow.DimVLAN,
		Known: func(*flow.Row) bool { return false }, Num: func(*flow.Row) uint64 { return 7 }})
	flow.Fields.Register(flow.Field{Name: "triples", Title: "Triples", Role: flow.Measure,
		Sum: func(t *flow.Totals) uint64 { return 3 * t.Packets }})
	flow.Fields.Register(flow.Field{Name: "wasted", Title: "Wasted", Role: flow.Measure, Kind: flow.Bytes, Sparse: true,
		Sum: func(t *flow.Totals) uint64 { return 1024 * t.Retransmits }})
}

func golden(t *testing.T, name string) *flow.Report {
	t.Helper()
	for _, g := range sinktest.Goldens() {
		if g.Name == name {
			return g.Reports[len(g.Reports)-1]
		}
	}
	t.Fatalf("no golden reports %q", name)
	return nil
}

func render(t *testing.T, r *flow.Report, width int, args ...string) string {
	t.Helper()
	v := sinktest.Variant{Args: args}
	if width > 0 {
		v.Terminal = registry.Terminal{IsTTY: true, Width: width}
	}
	return string(sinktest.Render(t, "table", v, r))
}

// titles returns the words above the first rule.
func titles(out string) string {
	lines := strings.Split(out, "\n")
	for i, line := range lines[1:] {
		if strings.HasPrefix(line, "---") {
			return strings.Join(strings.Fields(lines[i]), " ")
		}
	}
	return ""
}

// words returns the lines, with one space between words.
func words(out string) string {
	lines := strings.Split(out, "\n")
	for i := range lines {
		lines[i] = strings.Join(strings.Fields(lines[i]), " ")
	}
	return strings.Join(lines, "\n")
}

// TestUnknownFields: an unknown label follows the labels, an unknown measure follows the measures,
// in rows and in sums.
func TestUnknownFields(t *testing.T) {
	out := render(t, golden(t, "sockets"), 0)
	const want = "Proto Source Destination Dir PID Process UID Cgroup Match NetNS Site Packets Bytes Retrans Triples Wasted Rate"
	if got := titles(out); got != want {
		t.Errorf("columns %s, want %s", got, want)
	}
	for start, want := range map[string]string{
		"TCP       192.0.2.2:50000": "11 1.46 KiB 3 33 3.00 KiB 1.20 kbps",
		"TCP       192.0.2.1:443":   `4026531833 hall\x1b-192.0.2.1 9 11.7 KiB 27 9.60 kbps`,
		"rest":                      "20 2.34 KiB 6 60 6.00 KiB 1.92 kbps",
		"total":                     "45 15.8 KiB 10 135 10.0 KiB 13.0 kbps",
	} {
		_, line, found := strings.Cut(out, "\n"+start)
		line, _, _ = strings.Cut(line, "\n")
		if words := strings.Join(strings.Fields(line), " "); !found || !strings.HasSuffix(words, want) {
			t.Errorf("%s: %q does not end with %q", start, words, want)
		}
	}
}

// TestNothingToShow: the table omits a sparse measure without a value, and a label that no row has.
func TestNothingToShow(t *testing.T) {
	if got, want := titles(render(t, golden(t, "sums"), 0)), "Proto Source Destination Dir Site Packets L2 bytes Triples Rate"; got != want {
		t.Errorf("columns %s, want %s", got, want)
	}
}

// TestGoesFirst: on a narrow terminal, unknown fields go first.
func TestGoesFirst(t *testing.T) {
	r := golden(t, "sockets")
	all := 0
	for width := 200; width > 40; width-- {
		_, left, found := strings.Cut(render(t, r, width), "not shown for lack of width: ")
		if !found {
			continue
		}
		known, unknown := 0, 0
		for name := range strings.SplitSeq(strings.TrimSpace(left), ", ") {
			switch {
			case name == "site" || name == "triples" || name == "wasted":
				unknown++
			case unknown > 0:
				t.Errorf("at %d: %s went before an unknown field: %s", width, name, left)
			default:
				known++
			}
		}
		if all++; all == 1 && known > 0 {
			t.Errorf("at %d the first to go are %s", width, left)
		}
	}
	if all == 0 {
		t.Fatal("everything fits: this test tests nothing")
	}
}

// TestInterfaces: the table of interfaces has the measure, but none that only flows have.
func TestInterfaces(t *testing.T) {
	out := render(t, golden(t, "links"), 0)
	_, links, _ := strings.Cut(out, "\nInterface")
	head, _, _ := strings.Cut(links, "\n")
	if got, want := strings.Join(strings.Fields(head), " "), "Stacked on Packets L2 bytes Triples Rate"; got != want {
		t.Errorf("columns %s, want %s", got, want)
	}
}

// TestColumns: columns= accepts names and aliases.
func TestColumns(t *testing.T) {
	for columns, want := range map[string]string{
		"place+triples+source":       "Site Triples Source",
		"src+sport+wasted":           "Source Source port Wasted",
		"saddr+dport+first+floor":    "Source Destination port First seen Floor",
		"rate+packet_rate+ethertype": "Rate Packet rate EtherType",
	} {
		got := titles(render(t, golden(t, "sockets"), 0, "columns="+columns))
		if got != want {
			t.Errorf("%s: columns %q, want %q", columns, got, want)
		}
	}
	row := render(t, golden(t, "sockets"), 0, "columns=src+src_port+first+last")
	if want := "\n192.0.2.2 50000 2026-11-22 09:30:00.123 2026"; !strings.Contains(words(row), want) {
		t.Errorf("no line %q in\n%s", want, row)
	}
}
