// Package tui shows a run on the terminal: rates, and the top rows by flow, host, port or process.
//
//   - tui.go, sink.go: the output, and the program on the terminal
//   - store.go, seen.go, history.go: data of the run
//   - views.go, list.go, ranks.go, filter.go: the shown rows and their order
//   - layout.go, columns.go: the layout of fields
//   - model.go, update.go, sort.go: the screen's state, keys and mouse
//   - header.go, graph.go, table.go, fit.go, details.go, help.go, footer.go: parts of the screen
//   - theme.go, format.go: styles and numbers
package tui

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"slices"
	"strings"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/render/units"
	"github.com/pktstat/pktstat/registry"
)

func init() {
	registry.Outputs.Register("tui", registry.Output{
		Summary:    "an interactive view on the terminal while counting",
		When:       registry.WhenInterval | registry.WhenFinal,
		TTY:        true,
		By:         flow.DimsConversation,
		Shorthands: []registry.Shorthand{{Name: "g", Long: "tui", Usage: "watch on the terminal: short for --output tui"}},
		New:        func() registry.OutputConfig { return &config{mouse: true} },
	})
}

type config struct {
	format     format
	view       string
	cumulative bool
	mouse      bool
}

var (
	_ registry.OutputConfig = (*config)(nil)
	_ registry.Grouper      = (*config)(nil)
)

// By implements [registry.Grouper]: the view of flows has rows of one direction.
func (c *config) By() flow.Dims {
	if strings.EqualFold(c.view, "flows") {
		return flow.DimsFlow
	}
	return flow.DimsConversation
}

func (c *config) Flags(fs *flag.FlagSet) {
	fs.Func("units", "`PREFIXES` of byte counts: iec (KiB, MiB; the default) or si (kB, MB)", c.setUnits)
	fs.BoolVar(&c.format.octets, "octets", c.format.octets, "rates in bytes a second instead of bits")
	fs.StringVar(&c.view, "view", c.view, "`NAME` of the view to open, conversations at first: "+viewNames())
	fs.BoolVar(&c.cumulative, "cumulative", c.cumulative, "begin with the whole run instead of current rates")
	fs.BoolVar(&c.mouse, "mouse", c.mouse, "use the mouse: wheel, and clicks on rows, titles and views")
}

func viewNames() string {
	var names []string
	for _, v := range allViews() {
		if name := strings.ToLower(v.name); !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return strings.Join(names, ", ")
}

func (c *config) setUnits(s string) error {
	switch s {
	case "iec":
		c.format.system = units.IEC
	case "si":
		c.format.system = units.SI
	default:
		return errors.New("use iec or si")
	}
	return nil
}

func (c *config) Open(ctx context.Context, env registry.OutputEnv) (registry.Sink, error) {
	if env.TTY == nil {
		return nil, fmt.Errorf("%w: standard output is not a terminal", registry.ErrUsage)
	}
	if slices.Contains(env.TTY.Environ, "TERM=dumb") {
		return nil, fmt.Errorf("%w: the terminal cannot move its cursor (TERM=dumb)", registry.ErrUsage)
	}
	m := newModel(newStore(), newTheme(env.Terminal.Color), c.format)
	m.ascii = env.Terminal.ASCII
	m.mouse, m.list.cumulative, m.keeps = c.mouse, c.cumulative, env.Clock == registry.ClockSource
	if err := m.openNamed(c.view); err != nil {
		return nil, err
	}
	return open(ctx, env, m)
}

// openNamed opens a view when it is offered.
func (m *model) openNamed(name string) error {
	if name == "" {
		return nil
	}
	for _, v := range m.all {
		if strings.EqualFold(v.name, name) {
			m.wish = name
			return nil
		}
	}
	return fmt.Errorf("%w: unknown view %q: there are %s", registry.ErrUsage, name, viewNames())
}
