// Package table writes a report as an aligned table for people.
package table

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"strings"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/render/charset"
	"github.com/pktstat/pktstat/internal/render/units"
	"github.com/pktstat/pktstat/plugintest/outputkit"
	"github.com/pktstat/pktstat/registry"
)

// shownRows is one or two screenfuls.
const shownRows = 40

func init() {
	registry.Outputs.Register("table", registry.Output{
		Summary: "the final report as a table for people",
		When:    registry.WhenFinal,
		Top:     shownRows,
		By:      flow.DimsConversation,
		New:     func() registry.OutputConfig { return &config{} },
	})
}

type config struct {
	units     units.System
	columns   []*flow.Field // chosen by name; nil: all that the report has
	intervals bool
	color     bool // of the terminal that it writes to
}

var (
	_ registry.OutputConfig = (*config)(nil)
	_ registry.Chooser      = (*config)(nil)
	_ registry.Grouper      = (*config)(nil)
)

func (c *config) Flags(fs *flag.FlagSet) {
	fs.Func("units", "`PREFIXES` of byte counts: iec (KiB, MiB; the default) or si (kB, MB)", c.setUnits)
	fs.Func("columns", "`NAMES` of the fields to show, joined by +; see `pktstat fields`", c.setColumns)
	fs.BoolVar(&c.intervals, "intervals", c.intervals, "write the interval reports too")
}

func (c *config) setUnits(s string) error {
	switch s {
	case "iec":
		c.units = units.IEC
	case "si":
		c.units = units.SI
	default:
		return errors.New("use iec or si")
	}
	return nil
}

func (c *config) setColumns(s string) error {
	cols, err := flow.Fields.ParseColumns(s)
	if err != nil {
		return err
	}
	c.columns = cols
	return nil
}

func (c *config) When() registry.When {
	if c.intervals {
		return registry.WhenInterval | registry.WhenFinal
	}
	return registry.WhenFinal
}

// By implements [registry.Grouper]: columns of one direction are asked for by name.
func (c *config) By() flow.Dims {
	for _, f := range c.columns {
		if !f.In(flow.DimsConversation) && f.In(flow.DimsFlow) {
			return flow.DimsFlow
		}
	}
	return flow.DimsConversation
}

func (c *config) Open(_ context.Context, env registry.OutputEnv) (registry.Sink, error) {
	width := 0 // no limit
	if env.Terminal.IsTTY {
		width = env.Terminal.Width
	}
	c.color = env.Terminal.Color
	first := true // a terminal shows the command already, and a file needs it once
	return outputkit.Open(env, func(w *bufio.Writer, r *flow.Report) error {
		if !first {
			if err := w.WriteByte('\n'); err != nil {
				return err
			}
		}
		origin := first && !env.Terminal.IsTTY
		first = false
		if !env.Terminal.ASCII {
			return c.write(w, r, width, origin)
		}
		var text strings.Builder
		all := bufio.NewWriter(&text)
		if err := errors.Join(c.write(all, r, width, origin), all.Flush()); err != nil {
			return err
		}
		_, err := w.WriteString(charset.ToASCII(text.String()))
		return err
	})
}

func (c *config) write(w *bufio.Writer, r *flow.Report, width int, origin bool) error {
	if err := writeHeading(w, r, c.intervals, origin); err != nil {
		return err
	}
	g := newGrid(r, c.columns, c.units)
	hidden := g.fit(width, c.columns != nil)
	if err := g.renderFor(w, c.color); err != nil {
		return err
	}
	if err := c.writeLinks(w, r, width); err != nil {
		return err
	}
	return writeFooting(w, r, hidden)
}
