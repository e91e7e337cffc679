package tui

import (
	"strings"
	"testing"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"github.com/pktstat/pktstat/flow"
)

func TestQuit(t *testing.T) {
	for _, key := range []string{"q", "x", "Q", "X", "[ctrl+c]", "/[ctrl+c]", "fabc[ctrl+c]", "?q", "[enter]q", "pq"} {
		if m, _ := screenOf(80, 24, office(), 3); !press(m, key) {
			t.Errorf("%s does not quit", key)
		}
	}
	for _, key := range []string{"/qx", "fqx", "[esc]", "1", "[enter]", "z"} {
		if m, _ := screenOf(80, 24, office(), 3); press(m, key) {
			t.Errorf("%s quits", key)
		}
	}
}

// TestSelectionStays: after a move, the selection stays on its row, even if the row moves. Before,
// it is always the first row.
func TestSelectionStays(t *testing.T) {
	m, w := screenOf(80, 24, crowd(500), 1)
	tops := map[flow.Packed]bool{}
	for range 10 {
		report(m, w.next())
		if m.place != 0 || m.offset != 0 {
			t.Fatalf("the untouched selection went to %d", m.place)
		}
		tops[m.selected] = true
	}
	if len(tops) < 3 {
		t.Fatal("the first row did not change: this test tests nothing")
	}
	press(m, "[down][down][down]")
	key := m.selected
	places := map[int]bool{}
	for range 20 {
		report(m, w.next())
		if m.selected != key || m.list.place(m.place).key != key {
			t.Fatal("the selection left its row")
		}
		if m.place < m.offset || m.place >= m.offset+m.tableHeight() {
			t.Fatal("the selected row is not visible")
		}
		places[m.place] = true
	}
	if len(places) < 3 {
		t.Fatal("the row did not move: this test tests nothing")
	}
	for _, keys := range []string{"c", "1", "2", "s", "3", "[left]", "u"} {
		press(m, keys)
		if m.selected != key {
			t.Fatalf("%s moved the selection", keys)
		}
	}
	press(m, "[home]")
	if m.place != 0 || m.follows {
		t.Error("after Home, the selection still follows the row")
	}
}

// TestSelectedRowPauses: a selected row without traffic stays.
func TestSelectedRowPauses(t *testing.T) {
	talks := office()
	once := flowKey(flow.TCP, "192.0.2.99:1", "192.0.2.10:25", flow.Ingress)
	talks = append(talks, talk{once, func(n int) uint64 { return map[bool]uint64{true: 9_000_000}[n == 0] }})
	m, w := screenOf(80, 24, talks, 1)
	press(m, "[down][up]")
	for range 30 {
		report(m, w.next())
	}
	if m.selected != flow.Pack(once) || !strings.Contains(m.frame(), "192.0.2.99:1") {
		t.Error("the selected row is gone")
	}
}

func TestMoving(t *testing.T) {
	m, _ := screenOf(80, 24, crowd(500), 2)
	page := m.tableHeight() - 1
	for _, c := range []struct {
		keys string
		want int
	}{
		{"[down]", 1}, {"j", 2}, {"[up]", 1}, {"k", 0}, {"k", 0}, {"[pgdown]", page}, {"[pgdown]", 2 * page},
		{"[pgup]", page}, {"[end]", 499}, {"j", 499}, {"[home]", 0}, {"G", 499}, {"g", 0},
	} {
		press(m, c.keys)
		if m.place != c.want {
			t.Errorf("%s: place %d, want %d", c.keys, m.place, c.want)
		}
	}
	m.Update(tea.MouseWheelMsg{Button: tea.MouseWheelDown})
	m.Update(tea.MouseWheelMsg{Button: tea.MouseWheelDown})
	m.Update(tea.MouseWheelMsg{Button: tea.MouseWheelUp})
	if m.place != wheelRows {
		t.Errorf("wheel: place %d", m.place)
	}
}

func TestMouse(t *testing.T) {
	m, _ := screenOf(80, 24, office(), 40)
	click := func(x, y int) { m.Update(tea.MouseClickMsg{Button: tea.MouseLeft, X: x, Y: y}) }
	click(5, m.tableTop()+3)
	if m.place != 3 || m.mode != showTable {
		t.Errorf("click on a row: place %d", m.place)
	}
	click(5, m.tableTop()+3)
	if m.mode != showDetails {
		t.Error("a second click does not open the details")
	}
	press(m, "[esc]")
	for i := range m.columns {
		c := m.columns[i]
		click(c.x, m.tableTop()-1)
		if m.list.column != c.column {
			t.Errorf("click on the title %s sorts by %s", c.title, m.list.column.title)
		}
	}
	tabs, _ := m.tabs()
	for _, tab := range tabs {
		click(tab.from, m.tableTop()-2)
		if m.list.view != tab.view {
			t.Errorf("click on %s opens %s", tab.view.name, m.list.view.name)
		}
	}
	click(500, 500)
	click(0, 0)
}

// TestSorting covers the digit keys of pktstat-bpf, and the neighbouring columns.
func TestSorting(t *testing.T) {
	m, _ := screenOf(120, 24, office(), 40)
	for _, c := range []struct {
		keys, column string
		descending   bool
	}{
		{"1", "packets", true}, {"2", "frame_bytes", true}, {"3", "src", false}, {"4", "dst", false}, {"0", "bps", true},
		{"0", "bps", false}, {"s", "bps", true}, {"[right]", "pps", true}, {"l", "packets", true}, {"h", "pps", true},
		{"[left]", "bps", true}, {"2H", "frame_bytes", true}, {"3", "host", false}, {"FR", "bps", true},
	} {
		press(m, c.keys)
		if m.list.column.name != c.column || m.list.descending != c.descending {
			t.Errorf("%s: by %s, descending %t; want %s, %t", c.keys, m.list.column.name, m.list.descending, c.column, c.descending)
		}
	}
	if press(m, "4"); m.list.column.name != "bps" || !strings.Contains(m.frame(), "has no destination") {
		t.Error("a digit without a column is not explained")
	}
	for range 40 { // through all columns
		press(m, "[right]")
		checkFrame(t, m.frame(), 120, 24)
	}
}

func TestSearch(t *testing.T) {
	m, _ := screenOf(80, 24, office(), 95)
	selected := func() string {
		lines := strings.Split(ansi.Strip(m.frame()), "\n")
		return lines[m.tableTop()+m.place-m.offset]
	}
	for _, c := range []struct{ keys, want string }{
		{"/udp", "203.0.113.7:51820"},     // the first match, while typing
		{"[enter]n", "198.51.100.53:53"},  // the next match
		{"n", "192.0.2.10:40000"},         // and the next one
		{"n", "203.0.113.7:51820"},        // wraps around
		{"N", "192.0.2.10:40000"},         // backwards
		{"/arp[esc]", "192.0.2.10:40000"}, // cancelled: back to the start
		{"/ARP[enter]", "ARP"},            // ignores case
		{"/nowhere[enter]", "ARP"},        // no match: stays
	} {
		press(m, c.keys)
		if got := selected(); !strings.Contains(got, c.want) {
			t.Errorf("%s: selected %q, want %s", c.keys, got, c.want)
		}
	}
	if press(m, "n"); !strings.Contains(m.frame(), "Not found: nowhere") {
		t.Error("no message for a search without a match")
	}
}

// TestPause: a paused screen does not change, and allows other views.
func TestPause(t *testing.T) {
	m, w := screenOf(80, 24, office(), 40)
	press(m, "p")
	before := m.frame()
	for range 10 {
		report(m, w.next())
	}
	if m.frame() != before {
		t.Error("the paused screen moved")
	}
	press(m, "H")
	if !strings.Contains(m.frame(), "PAUSED") || m.list.run.Total == w.run.Total {
		t.Error("another view does not show the moment of the pause")
	}
	press(m, "F[space]")
	if m.list.run.Total != w.run.Total || strings.Contains(m.frame(), "PAUSED") {
		t.Error("the screen did not continue")
	}
}

// TestEscape: Esc closes what is open, then clears the filter, then goes to the top.
func TestEscape(t *testing.T) {
	m, _ := screenOf(80, 24, office(), 40)
	press(m, "f192[enter]jj[enter]")
	if m.mode != showDetails {
		t.Fatal("no details")
	}
	press(m, "[esc]")
	if m.mode != showTable || m.list.filter.empty() || m.place != 2 {
		t.Error("Esc closes more than the details")
	}
	press(m, "[esc]")
	if !m.list.filter.empty() || !m.follows {
		t.Error("Esc clears more than the filter")
	}
	press(m, "[esc]")
	if m.follows || m.place != 0 {
		t.Error("Esc does not go to the top")
	}
}

// TestLiveFilter: a filter takes effect while the user types. Esc restores the old filter.
func TestLiveFilter(t *testing.T) {
	m, _ := screenOf(80, 24, office(), 95)
	all := len(m.list.order)
	press(m, "fud")
	if n := len(m.list.order); n >= all || n == 0 {
		t.Errorf("while typing: %d of %d rows", n, all)
	}
	press(m, "p[enter]")
	udp := len(m.list.order)
	press(m, "f 203[esc]")
	if len(m.list.order) != udp {
		t.Error("Esc does not bring the old filter back")
	}
}

// TestCaptureEnds: at the end of a capture, the screen switches once to the whole run.
func TestCaptureEnds(t *testing.T) {
	m, w := screenOf(80, 24, office(), 40)
	m.keeps = true
	report(m, w.final())
	if !m.list.cumulative || m.list.run.Total != w.run.Total {
		t.Error("the whole run is not shown")
	}
	press(m, "c")
	m.Update(updated{})
	if m.list.cumulative {
		t.Error("the screen switched to the whole run twice")
	}
}
