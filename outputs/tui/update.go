package tui

import (
	"strings"

	tea "charm.land/bubbletea/v2"

	"github.com/pktstat/pktstat/internal/render/termsafe"
)

// Messages of the sink to the screen.
type (
	updated struct{}     // the store has changed
	notice  string       // a message for the user
	call    func(*model) // a function to call
)

// Update handles a key, a mouse event or a message.
func (m *model) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case updated:
		if m.frozen == nil {
			m.refresh()
		}
	case notice:
		m.tell(termsafe.String(string(msg)))
	case call:
		msg(m)
	case tea.WindowSizeMsg:
		m.width, m.height = max(msg.Width, 1), max(msg.Height, 1)
		m.wanted = nil
		m.show()
	case tea.PasteMsg:
		if m.prompt != nil {
			return m, m.typed(msg)
		}
	case tea.KeyPressMsg:
		return m, m.press(msg)
	case tea.MouseWheelMsg:
		m.wheel(msg)
	case tea.MouseClickMsg:
		m.click(msg)
	}
	return m, nil
}

// press handles a key.
func (m *model) press(msg tea.KeyPressMsg) tea.Cmd {
	key := msg.String()
	if key == "ctrl+c" {
		return tea.Quit
	}
	if m.prompt != nil {
		return m.typed(msg)
	}
	m.say("")
	switch key {
	case "q", "Q", "x", "X":
		return tea.Quit
	case "ctrl+z":
		return tea.Suspend
	case "ctrl+l", "r":
		m.top()
		m.refresh()
		return tea.ClearScreen
	case "?", "f1":
		m.toggle(showHelp)
		return nil
	case "esc":
		m.escape()
		return nil
	case "p", "space", " ":
		m.pause()
		return nil
	case "u":
		m.format = m.format.next()
		m.say(m.format.String())
		m.show()
		return nil
	case "m":
		m.mouse = !m.mouse
		m.say(map[bool]string{true: "The mouse selects rows.", false: "The terminal uses the mouse again."}[m.mouse])
		return nil
	case "c":
		m.list.cumulative = !m.list.cumulative
		m.refresh()
		return nil
	}
	if m.mode == showHelp {
		m.scrollHelp(key)
		return nil
	}
	m.navigate(key)
	return nil
}

// navigate handles keys that move, switch views and sort.
func (m *model) navigate(key string) {
	page := max(m.tableHeight()-1, 1)
	switch key {
	case "up", "k":
		m.step(-1)
	case "down", "j":
		m.step(1)
	case "pgup", "ctrl+b":
		m.page(-page)
	case "pgdown", "ctrl+f":
		m.page(page)
	case "home", "g":
		m.top()
		m.show()
	case "end", "G":
		m.step(len(m.list.order))
	case "enter":
		m.toggle(showDetails)
	case "left", "h":
		m.sortBeside(-1)
	case "right", "l":
		m.sortBeside(1)
	case "s":
		m.list.descending = !m.list.descending
		m.rearrange()
	case "0", "1", "2", "3", "4":
		m.sortByNumber(key)
	case "/":
		m.prompt = newPrompt("/", "")
		m.prompt.origin = m.place
	case "n":
		m.search(m.place+1, 1)
	case "N":
		m.search(m.place-1, -1)
	case "f":
		m.prompt = newPrompt("filter: ", m.list.filter.text)
		m.prompt.filter = true
	case "tab":
		m.nextView(1)
	case "shift+tab":
		m.nextView(-1)
	default:
		for _, v := range m.views {
			if v.key == key {
				m.open(v)
				m.refresh()
			}
		}
	}
}

// step moves the selection, and with it the details.
func (m *model) step(by int) {
	if len(m.list.order) == 0 {
		return
	}
	m.move(max(m.place+by, 0))
	if m.mode == showDetails {
		m.refresh()
	}
}

// page moves by a screenful of rows. It scrolls the details.
func (m *model) page(by int) {
	if m.mode == showDetails {
		m.scroll = max(m.scroll+by, 0)
		return
	}
	m.step(by)
}

func (m *model) toggle(to mode) {
	if m.mode == to {
		m.mode = showTable
		return
	}
	if to == showDetails {
		if len(m.list.order) == 0 {
			return
		}
		m.follows = true
	}
	m.mode, m.scroll = to, 0
	if to == showDetails {
		m.refresh()
	}
}

// escape closes what is open, else clears the filter, else goes to the top.
func (m *model) escape() {
	switch {
	case m.mode != showTable:
		m.mode = showTable
	case !m.list.filter.empty():
		m.setFilter("")
	default:
		m.top()
		m.show()
	}
}

func (m *model) pause() {
	if m.frozen != nil {
		m.frozen = nil
	} else {
		m.frozen = m.store.clone()
	}
	m.refresh()
}

func (m *model) nextView(by int) {
	for i, v := range m.views {
		if v == m.list.view {
			m.open(m.views[(i+by+len(m.views))%len(m.views)])
			m.refresh()
			return
		}
	}
}

func (m *model) scrollHelp(key string) {
	switch key {
	case "up", "k":
		m.scroll--
	case "down", "j":
		m.scroll++
	case "pgup":
		m.scroll -= m.height / 2
	case "pgdown":
		m.scroll += m.height / 2
	case "home", "g":
		m.scroll = 0
	case "end", "G":
		m.scroll = len(m.bindings())
	default:
		m.mode = showTable
	}
	m.scroll = max(m.scroll, 0)
}

// typed handles a key in the prompt. Every change takes effect at once.
func (m *model) typed(msg tea.Msg) tea.Cmd {
	p := m.prompt
	if key, ok := msg.(tea.KeyPressMsg); ok {
		switch key.String() {
		case "enter":
			m.prompt = nil
			if !p.filter {
				m.sought = p.input.Value()
			}
			return nil
		case "esc":
			m.prompt = nil
			if p.filter {
				m.setFilter(p.before)
			} else {
				m.move(p.origin)
			}
			return nil
		case "up", "down":
			m.step(map[string]int{"up": -1, "down": 1}[key.String()])
			return nil
		}
	}
	before := p.input.Value()
	p.input, _ = p.input.Update(msg)
	text := p.input.Value()
	if text == before {
		return nil
	}
	if p.filter {
		m.setFilter(text)
		return nil
	}
	m.sought = text
	p.failed = false
	if strings.TrimSpace(text) != "" {
		p.failed = !m.search(p.origin, 1)
	}
	return nil
}

func (m *model) setFilter(text string) {
	m.list.filter = parseFilter(text)
	m.rearrange()
}

// search selects the next row whose text matches. It starts at a place, and wraps around at the
// end.
func (m *model) search(from, by int) bool {
	f := parseFilter(m.sought)
	n := len(m.list.order)
	if f.empty() || n == 0 {
		return false
	}
	m.list.sortAll()
	for i := range n {
		place := ((from+i*by)%n + n) % n
		if f.passes(m.list.text.of(&m.list, m.list.place(place))) {
			m.move(place)
			return true
		}
	}
	m.say("Not found: " + termsafe.String(m.sought))
	return false
}
