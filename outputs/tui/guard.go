package tui

import (
	"fmt"
	"runtime/debug"
	"strings"

	tea "charm.land/bubbletea/v2"
)

// guard is the model, with which a mistake in the screen's own code ends the screen as q
// does: in order, with the terminal as it was, and without ending the run.
type guard struct {
	model *model
	quit  func()
	err   error // the first mistake
}

func (g *guard) Init() tea.Cmd { return g.model.Init() }

// Update does nothing after a mistake: the model may be in any state.
func (g *guard) Update(msg tea.Msg) (next tea.Model, cmd tea.Cmd) {
	if g.err != nil {
		return g, nil
	}
	defer func() { g.failed(recover()); next = g }()
	return g.model.Update(msg)
}

// View draws nothing after a mistake.
func (g *guard) View() (v tea.View) {
	if g.err != nil {
		return tea.View{}
	}
	defer func() { g.failed(recover()) }()
	return g.model.View()
}

func (g *guard) failed(mistake any) {
	if mistake != nil {
		g.err = fmt.Errorf("internal error: %v (%s)", mistake, where(string(debug.Stack())))
		go g.quit() // this is the loop that takes it
	}
}

// where is the place of a panic in a stack: that in this package, when it is in a
// function of another one.
func where(stack string) string {
	_, after, _ := strings.Cut(stack, "\npanic(")
	lines := strings.Split(after, "\n")
	for _, line := range lines {
		if strings.HasPrefix(line, "\t") && strings.Contains(line, "/outputs/tui/") {
			return strings.TrimSpace(line)
		}
	}
	if len(lines) > 3 {
		return strings.TrimSpace(lines[3])
	}
	return "unknown place"
}
