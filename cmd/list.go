package cmd

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/render/termsafe"
	"github.com/pktstat/pktstat/registry"
)

// listing is the result of a sub-command that lists.
type listing interface {
	json() any
	text() string
}

// listCommand returns a sub-command that lists a part of this build.
func (s *session) listCommand(name, usage, what string, list func(*commandLine) listing, w io.Writer, cl *commandLine) *cli.Command {
	var asJSON toggle
	own := []*option{{name: "json", short: "j", usage: "as JSON", value: &asJSON}}
	return s.subCommand(name, usage, own, func(c *cli.Context) error {
		if err := alone(c, name, cl); err != nil {
			return err
		}
		l := list(cl)
		if asJSON.on {
			return writeJSON(w, l.json())
		}
		_, err := io.WriteString(w, l.text())
		return ignoreReported(err)
	}, "pktstat "+name+" lists the "+name+" of "+what+".")
}

// alone returns an error if the sub-command has an argument, or options before it.
func alone(c *cli.Context, name string, cl *commandLine) error {
	if c.Args().Present() {
		err := fmt.Errorf("%w: %s takes no argument: %q", registry.ErrUsage, name, c.Args().First())
		takesOne := slices.ContainsFunc(c.Command.Flags, func(f cli.Flag) bool { return slices.Contains(f.Names(), "iface") })
		if takesOne && isInterface(c.Args().First()) {
			err = fmt.Errorf("%w; for this interface: %s -i %s", err, name, c.Args().First())
		}
		return err
	}
	return cl.noneGiven(name)
}

// noneGiven returns an error if options precede a sub-command that takes none.
func (cl *commandLine) noneGiven(name string) error {
	for _, o := range cl.all() {
		if o.given != "" && o.value != &cl.debug {
			return fmt.Errorf("%w: %s makes no sense before %s", registry.ErrUsage, o.given, name)
		}
	}
	return nil
}

// ignoreReported drops a write error, because dispatch gets it from the writer.
func ignoreReported(error) error { return nil }

// writeJSON writes v as indented JSON.
func writeJSON(w io.Writer, v any) error {
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("encode as JSON: %w", err)
	}
	_, err = w.Write(append(termsafe.JSON(text), '\n'))
	return ignoreReported(err)
}

// plugins is the listing of a registry.
type plugins struct {
	Schema  string   `json:"schema"`
	Plugins []plugin `json:"plugins"`
}

func (l plugins) json() any { return l }

type plugin struct {
	Name       string         `json:"name"`
	Summary    string         `json:"summary"`
	Abilities  []string       `json:"abilities,omitempty"`
	Cost       string         `json:"cost,omitempty"`
	Layers     []string       `json:"layers,omitempty"`
	Clock      string         `json:"clock,omitempty"`
	When       []string       `json:"when,omitempty"`
	Terminal   bool           `json:"terminal,omitempty"`
	Top        int            `json:"top,omitempty"`
	Fields     []string       `json:"fields,omitempty"`
	Needs      []string       `json:"needs,omitempty"`
	Shorthands []listedOption `json:"shorthands,omitempty"`
	Options    []listedOption `json:"options,omitempty"`

	facts [][2]string // for text
}

type listedOption struct {
	Name    string `json:"name"`
	Short   string `json:"short,omitempty"`
	Value   string `json:"value,omitempty"`
	Usage   string `json:"usage"`
	Default string `json:"default,omitempty"`
	Selects bool   `json:"selects,omitempty"` // the option selects the plugin

	option *option
}

func listed(options []*option, dash bool) []listedOption {
	var l []listedOption
	for _, o := range options {
		lo := listedOption{Name: o.name, Value: o.arg, Usage: o.usage, Default: o.initial, option: o}
		if dash {
			lo.Name = dashed(o.name)
			if o.short != "" {
				lo.Short = dashed(o.short)
			}
		}
		l = append(l, lo)
	}
	return l
}

func (s *session) listBackends(cl *commandLine) listing {
	l := plugins{Schema: "pktstat.backends/v1"}
	for _, m := range cl.backends {
		b := m.backend
		p := plugin{
			Name: m.name, Summary: b.Summary,
			Abilities: b.Caps.Strings(), Cost: b.Cost.String(), Layers: layerNames(b.Layers), Clock: "wall",
			Shorthands: listed(m.shorthands, true), Options: listed(m.options, true),
		}
		if b.Clock == registry.ClockSource {
			p.Clock = "source"
		}
		for i, o := range m.options {
			for _, w := range m.wants {
				if o == w {
					p.Options[i].Selects = true
				}
			}
		}
		p.facts = [][2]string{
			{"abilities", strings.Join(p.Abilities, ", ")},
			{"cost", p.Cost}, {"bytes", strings.Join(p.Layers, ", ")}, {"clock", p.Clock},
		}
		l.Plugins = append(l.Plugins, p)
	}
	return l
}

func (s *session) listOutputs(cl *commandLine) listing {
	l := plugins{Schema: "pktstat.outputs/v1"}
	for name, out := range s.Outputs.All() {
		p := plugin{
			Name: name, Summary: out.Summary, When: whenNames(out.When), Terminal: out.TTY, Top: out.Top,
			Options: listed(optionsOf("", out.New().Flags), false),
		}
		for _, o := range cl.outputShorthands {
			if sh, ok := o.value.(*outputShorthand); ok && sh.name == name {
				p.Shorthands = append(p.Shorthands, listed([]*option{o}, true)...)
			}
		}
		p.facts = [][2]string{{"writes", whenText(out.When)}}
		if out.TTY {
			p.facts = append(p.facts, [2]string{"needs", "a terminal"})
		}
		if out.By != 0 {
			_, many := out.By.Nouns()
			p.facts = append(p.facts, [2]string{"rows are", many + ", or --by"})
		}
		if out.Top > 0 {
			p.facts = append(p.facts, [2]string{"rows", fmt.Sprintf("%d, or --top", out.Top)})
		}
		l.Plugins = append(l.Plugins, p)
	}
	return l
}

func (s *session) listLabels(cl *commandLine) listing {
	l := plugins{Schema: "pktstat.labels/v1"}
	for i, label := range cl.chosenLabels(nil).All {
		p := plugin{
			Name: label.Name, Summary: label.Plugin.Summary, Fields: label.FieldNames(), Needs: label.Plugin.Needs,
			Options: listed(cl.labels[i].options, true),
		}
		for _, o := range cl.labelToggles {
			if o.name == label.Plugin.Toggle {
				p.Shorthands = listed([]*option{o}, true)
			}
		}
		p.facts = [][2]string{{"fields", strings.Join(p.Fields, ", ")}, {"needs", strings.Join(p.Needs, ", ")}}
		l.Plugins = append(l.Plugins, p)
	}
	return l
}

func layerNames(l flow.Layer) []string {
	var names []string
	for _, one := range []flow.Layer{flow.LayerIP, flow.LayerFrame} {
		if l&one != 0 {
			names = append(names, one.String())
		}
	}
	return names
}

func whenNames(w registry.When) []string {
	var names []string
	if w&registry.WhenInterval != 0 {
		names = append(names, "interval")
	}
	if w&registry.WhenFinal != 0 {
		names = append(names, "final")
	}
	return names
}

func whenText(w registry.When) string {
	switch w {
	case registry.WhenInterval:
		return "a report every --refresh"
	case registry.WhenInterval | registry.WhenFinal:
		return "a report every --refresh, then the final one"
	}
	return "the final report"
}

// text returns the listing for people.
func (l plugins) text() string {
	h := helpText{width: helpWidth}
	for i, p := range l.Plugins {
		if i > 0 {
			h.line("")
		}
		h.line(p.Name + ": " + p.Summary)
		for _, f := range p.facts {
			if f[1] != "" {
				h.line(fmt.Sprintf("  %-10s %s", f[0], f[1]))
			}
		}
		for _, o := range append(append([]listedOption{}, p.Shorthands...), p.Options...) {
			explanation := o.option.explanation()
			if o.Selects {
				explanation += "; selects the backend"
			}
			h.entry(o.term(), explanation)
		}
	}
	return h.String()
}

// term returns the option's spelling: on the command line, or in --output.
func (o listedOption) term() string {
	if strings.HasPrefix(o.Name, "-") {
		return o.option.term()
	}
	if o.Value == "" {
		return "    " + o.Name
	}
	return "    " + o.Name + "=" + o.Value
}
