package tui

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/charmbracelet/x/ansi"

	"github.com/pktstat/pktstat/flow"
)

// extraFields tells a process of this test to register fields without a layout. It needs its own
// process, because all tests of a process share the table of fields.
const extraFields = "PKTSTAT_TEST_EXTRA_FIELDS"

func registerExtra() {
	flow.Fields.Register(flow.Field{Name: "site", Title: "Site", Role: flow.Label, Kind: flow.Text,
		By: flow.DimSrc, Known: func(r *flow.Row) bool { return r.Src.Addr().Is4() },
		Text: func(r *flow.Row) string { return "Hall\x1b-" + r.Src.Addr().String() }})
	flow.Fields.Register(flow.Field{Name: "floor", Title: "Floor", Role: flow.Label, By: flow.DimVLAN,
		Known: func(*flow.Row) bool { return false }, Num: func(*flow.Row) uint64 { return 7 }})
	flow.Fields.Register(flow.Field{Name: "triples", Title: "Triples", Role: flow.Measure,
		Sum: func(t *flow.Totals) uint64 { return 3 * t.Packets }})
	flow.Fields.Register(flow.Field{Name: "wasted", Title: "Wasted", Role: flow.Measure, Kind: flow.Bytes, Sparse: true,
		Sum: func(t *flow.Totals) uint64 { return 1024 * t.Retransmits }})
}

// TestUnknownFields: fields without a layout have plain columns, and lines in the details.
func TestUnknownFields(t *testing.T) {
	if os.Getenv(extraFields) != "" {
		registerExtra()
		t.Run("columns", unknownColumnsShow)
		t.Run("sort", unknownFieldsSort)
		t.Run("narrow", unknownFieldsGoFirst)
		t.Run("order of reports", reportsSortByUnknown)
		return
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestUnknownFields$", "-test.v")
	cmd.Env = append(os.Environ(), extraFields+"=1")
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "PASS: TestUnknownFields/columns") {
		t.Errorf("%v\n%s", err, out)
	}
}

// extraScreen shows a run in which only the first row has retransmits.
func extraScreen(width int) (*model, *network) {
	m, w := screenOf(width, 50, office(), 40)
	r := w.next()
	r.Sides = make([]flow.Side, len(r.Packed))
	r.Sides[0].Health = flow.Spans[flow.Health]{Delta: flow.Health{Retransmits: 5}, Total: flow.Health{Retransmits: 5}}
	r.Total.Retransmits, r.Run.Total.Retransmits = 5, 5
	report(m, r)
	return m, w
}

// words returns the lines of the screen, with one space between words.
func words(m *model) []string {
	var lines []string
	for line := range strings.SplitSeq(ansi.Strip(m.frame()), "\n") {
		lines = append(lines, strings.Join(strings.Fields(line), " "))
	}
	return lines
}

func lineWith(lines []string, text string) string {
	for _, line := range lines {
		if strings.Contains(line, text) {
			return line
		}
	}
	return ""
}

func unknownColumnsShow(t *testing.T) {
	m, _ := extraScreen(230)
	lines := words(m)
	const want = "Proto Source Destination Info Dir Iface Site Rate▼ Pkts/s Packets L2 bytes Retrans Share Triples Wasted"
	if got := lineWith(lines, "Proto Source"); got != want {
		t.Errorf("columns %s, want %s", got, want)
	}
	if got := lineWith(lines, "1 of 11"); got == "" {
		t.Error("the screen shows no table")
	}
	row := lineWith(lines, "TCP 198.51.100.20:443")
	if !strings.Contains(row, `eth0 Hall\x1b-198.51.100.20 `) || !strings.HasSuffix(row, " 5.00 KiB") {
		t.Errorf("the first row is %q", row)
	}
	if row := lineWith(lines, "UDP 192.0.2.10:40000"); !strings.HasSuffix(row, "% 123") { // 41 packets
		t.Errorf("a row without waste is %q", row)
	}
	if head := lineWith(lines, "total "); !strings.Contains(head, "5 retransmits") || !strings.Contains(head, "5.00 KiB wasted") {
		t.Errorf("the sums are %q", head)
	}
	press(m, "[enter]")
	details := strings.Join(words(m), "\n")
	for _, want := range []string{`Site Hall\x1b-198.51.100.20`, "Triples ", "Wasted 5,120 (5.00 KiB)"} {
		if !strings.Contains(details, want) {
			t.Errorf("no %q in the details:\n%s", want, details)
		}
	}
	if strings.Contains(details, "Floor") {
		t.Error("the details have a field that no row has")
	}
	press(m, "[esc]H")
	if got := lineWith(words(m), "Host "); !strings.HasSuffix(got, "Share Triples Wasted") {
		t.Errorf("columns of hosts: %s", got)
	}
	press(m, "Ff198.51.100.53[enter]")
	if n := len(m.list.order); n != 2 { // once as the label, once as the destination
		t.Errorf("%d rows pass the filter", n)
	}
	press(m, "[esc]fhall\\x1b-198.51.100.53[enter]")
	if n := len(m.list.order); n == 0 {
		t.Errorf("%d rows pass the filter of the label", n)
	}
}

func unknownFieldsSort(t *testing.T) {
	m, _ := extraScreen(230)
	for _, name := range []string{"triples", "wasted", "site"} {
		c := m.list.view.columnOf(name)
		m.sortBy(c)
		m.list.sortAll()
		for i := 1; i < len(m.list.order); i++ {
			d := compareShown(m, c, m.list.place(i-1), m.list.place(i))
			if m.list.descending && d < 0 || !m.list.descending && d > 0 {
				t.Errorf("by %s: rows %d and %d are in the wrong order", name, i-1, i)
			}
		}
		if m.list.descending != (name != "site") {
			t.Errorf("by %s: descending %t", name, m.list.descending)
		}
	}
}

func unknownFieldsGoFirst(t *testing.T) {
	m, _ := extraScreen(230)
	all := len(m.columns)
	for width := 229; width > 0 && len(m.columns) > all-3; width-- {
		resize(m, width, 50)
		known := 0
		for i := range m.columns {
			if n := m.columns[i].name; n != "site" && n != "triples" && n != "wasted" {
				known++
			}
		}
		if known != all-3 {
			t.Fatalf("at %d columns %d of %d known fields are there, and %d in all", width, known, all-3, len(m.columns))
		}
	}
}

func reportsSortByUnknown(t *testing.T) {
	w := newNetwork(office())
	w.base.Sort = "triples"
	m := newModel(newStore(), newTheme(false), format{})
	report(m, w.next())
	if m.list.column.name != "triples" || !m.list.descending {
		t.Errorf("by %s, descending %t", m.list.column.name, m.list.descending)
	}
}
