package tui

import (
	"fmt"
	"runtime/debug"
	"strings"

	tea "charm.land/bubbletea/v2"
)

// guard wraps the model. It turns a panic of the screen into an error and ends the screen as q
// does. The terminal is restored, and the run continues.
type guard struct {
	model *model
	quit  func()
	err   error // of the first panic
}

func (g *guard) Init() tea.Cmd { return g.model.Init() }

// Update does nothing after a panic, because the model's state may be inconsistent.
func (g *guard) Update(msg tea.Msg) (next tea.Model, cmd tea.Cmd) {
	if g.err != nil {
		return g, nil
	}
	defer func() { g.failed(recover()); next = g }()
	return g.model.Update(msg)
}

// View draws nothing after a panic.
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
		go g.quit() // Quit would block: this goroutine reads its message
	}
}

// where returns the source line of a panic from its stack. If a function of another package
// panicked, it returns the line in this package.
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
