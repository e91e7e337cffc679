package tui

import (
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/render/charset"
)

// model is the state of the screen. Only the program's goroutine uses it. View depends only on the
// model.
type model struct {
	store  *store
	frozen *store // a copy from the moment of the pause; nil: not paused
	theme  theme
	format format
	mouse  bool
	ascii  bool // the terminal shows only ASCII
	keeps  bool // after the run, the screen stays until the user closes it
	ended  bool // the screen has handled the end of the run

	width, height int

	views  []*view // the offered ones
	all    []*view
	wish   string // name of the view to be opened once it is offered
	list   list
	sorted bool   // the order is set, by the user or by the reports
	last   sample // the newest rates

	// The selection is a place. After the user has moved it, it follows its row.
	place    int
	offset   int // place of the first visible row
	selected flow.Packed
	follows  bool

	mode     mode
	scroll   int // of the help and the details
	detailed *row
	samples  []sample // of the detailed row
	message  string
	until    time.Time // when the message disappears; zero: at the next key press
	prompt   *prompt
	sought   string // the last search
	clicked  int    // place of the last click, to detect double clicks

	columns []placed
	wanted  map[string]int // widths of text columns
	cell    cell
	buf     []byte
}

// mode is what the screen shows below the header.
type mode uint8

const (
	showTable mode = iota
	showDetails
	showHelp
)

func newModel(s *store, t theme, f format) *model {
	m := &model{store: s, theme: t, format: f, mouse: true, width: 80, height: 24, all: allViews(), clicked: -1}
	m.open(m.all[0])
	m.refresh()
	return m
}

func (m *model) Init() tea.Cmd { return nil }

// source returns the shown store: live, or paused.
func (m *model) source() *store {
	if m.frozen != nil {
		return m.frozen
	}
	return m.store
}

// open switches to a view.
func (m *model) open(v *view) {
	if m.list.view == v {
		return
	}
	m.list.view = v
	m.wanted = nil
	m.mode = showTable
	keep := m.list.column
	m.list.column = nil
	for _, c := range v.columns {
		if c == keep {
			m.list.column = keep
		}
	}
	if m.list.column == nil {
		m.list.column, m.list.descending = v.columnOf("bps"), true
	}
	m.top()
}

// top selects the first row, also if another row becomes the first.
func (m *model) top() {
	m.place, m.offset, m.follows = 0, 0, false
}

// refresh groups and sorts the store's rows again.
func (m *model) refresh() {
	s := m.source()
	m.readHeading(s)
	var keep *flow.Packed
	if m.follows {
		keep = &m.selected
	}
	m.list.fill(s, keep)
	m.rearrange()
	if m.mode == showDetails {
		m.detailed, _ = m.list.find(&m.selected)
		s.mu.Lock()
		m.samples = s.samplesOf(m.list.view, &m.selected)
		s.mu.Unlock()
	}
}

// firstView returns the view of the reports' rows.
func (m *model) firstView(h *heading) *view {
	conversations, flows := m.all[0], m.all[1]
	first := conversations
	if h.backend != "" && !h.dims.Paired() {
		first = flows
	}
	conversations.name, flows.name = "Conversations", "Flows"
	if h.backend != "" && !h.dims.Has(flow.DimsFlow) && !h.dims.Has(flow.DimsConversation) {
		first.name = "Rows"
	}
	return first
}

func (m *model) readHeading(s *store) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := len(s.rates.samples); n > 0 {
		m.last = s.rates.samples[n-1]
	}
	first := m.firstView(&s.heading)
	m.views = m.views[:0]
	offered := false
	for _, v := range m.all {
		if v == first || !v.whole && v.offered(s.dims, s.seen.names) {
			m.views = append(m.views, v)
			offered = offered || v == m.list.view
		}
	}
	for _, v := range m.views {
		if strings.EqualFold(v.name, m.wish) && s.intervals > 0 {
			m.open(v)
			m.wish, offered = "", true
		}
	}
	if !offered {
		m.open(first)
	}
	if s.backend != "" {
		m.sortAsReports(s.sort)
	}
	if !m.until.IsZero() && s.end.After(m.until) {
		m.message, m.until = "", time.Time{}
	}
	if s.final && m.keeps && !m.ended {
		m.ended, m.list.cumulative = true, true
		m.say("End of the capture. q quits, c shows its last interval")
	}
}

// rearrange applies a new filter or order, and finds the selected row.
func (m *model) rearrange() {
	m.list.choose()
	if m.follows {
		if _, i := m.list.find(&m.selected); i >= 0 {
			if n := m.list.rank(i); n >= 0 {
				m.place = n
			}
		}
	}
	m.show()
}

// show puts the visible rows in order.
func (m *model) show() {
	height := m.tableHeight()
	last := len(m.list.order) - 1
	m.place = max(min(m.place, last), 0)
	m.offset = max(min(m.offset, m.place, last-height+1), m.place-height+1, 0)
	m.list.window(m.offset, m.offset+height)
	if last >= 0 {
		m.selected = m.list.place(m.place).key
	}
	m.measure()
}

// say shows a message in the last line until the next key press.
func (m *model) say(text string) { m.message, m.until = text, time.Time{} }

// tell shows a message of the run for some time.
func (m *model) tell(text string) {
	const shown = 10 * time.Second
	m.message = text
	if m.until = m.list.end.Add(shown); m.list.end.IsZero() {
		m.until = time.Time{}
	}
}

// move selects another row. From then on, the selection follows that row.
func (m *model) move(to int) {
	m.place, m.follows = to, true
	m.show()
}

// Heights of the parts of the screen. On a small screen, the least important parts go first.

func (m *model) headerHeight() int {
	switch {
	case m.height >= 10:
		return 3
	case m.height >= 6:
		return 2
	}
	return 0
}

func (m *model) graphHeight() int {
	switch {
	case m.height < 18:
		return 0
	case m.height < 32:
		return 4
	case m.height < 45:
		return 6
	}
	return 8
}

func (m *model) tabsHeight() int {
	if m.height >= 5 {
		return 1
	}
	return 0
}

func (m *model) tableTop() int {
	return m.headerHeight() + m.graphHeight() + m.tabsHeight() + 1
}

func (m *model) tableHeight() int { return max(m.height-m.tableTop()-1, 1) }

// View draws the screen.
func (m *model) View() tea.View {
	v := tea.NewView(m.frame())
	v.AltScreen = true
	if m.mouse {
		v.MouseMode = tea.MouseModeCellMotion
	}
	if m.prompt != nil {
		v.Cursor = tea.NewCursor(m.prompt.cursor(m.width), m.height-1)
	}
	return v
}

// frame returns the text of the screen: exactly height lines, none wider than width.
func (m *model) frame() string {
	lines := m.header()
	if n := m.graphHeight(); n > 0 && m.mode == showTable {
		s := m.source()
		s.mu.Lock()
		samples := s.rates.samples
		s.mu.Unlock()
		lines = append(lines, m.graph(samples, n, m.directions())...)
	}
	body := m.height - len(lines) - 1
	switch m.mode {
	case showHelp:
		lines = append(lines, m.help(body)...)
	case showDetails:
		lines = append(lines, m.details(body)...)
	default:
		if m.tabsHeight() > 0 {
			_, line := m.tabs()
			lines = append(lines, line)
		}
		lines = append(lines, m.tableHead())
		lines = append(lines, m.tableRows()...)
	}
	for len(lines) < m.height-1 {
		lines = append(lines, "")
	}
	lines = append(lines[:max(m.height-1, 0)], m.footer())
	for i, line := range lines {
		lines[i] = cut(line, m.width)
	}
	frame := strings.Join(lines, "\n")
	if m.ascii {
		return charset.ToASCII(frame)
	}
	return frame
}
