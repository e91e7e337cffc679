package cmd

import (
	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/choose"
	"github.com/pktstat/pktstat/registry"
)

// mountedLabel is a label with its options on the command line.
type mountedLabel struct {
	name    string
	label   registry.Label
	config  registry.LabelConfig
	toggle  *toggle   // nil if it has none
	options []*option // --NAME-OPTION
}

// mountLabels adds the labels' options to the command line.
func (cl *commandLine) mountLabels(a *App) {
	for name, l := range a.Labels.All() {
		m := &mountedLabel{name: name, label: l, config: l.New()}
		m.options = optionsOf(name+"-", m.config.Flags)
		if l.Toggle != "" {
			m.toggle = &toggle{}
			cl.labelToggles = append(cl.labelToggles, &option{name: l.Toggle, usage: l.Usage, value: m.toggle})
		}
		cl.labels = append(cl.labels, m)
	}
}

// chosenLabels returns the labels, with what the command line asks of them.
func (cl *commandLine) chosenLabels(by []flow.Dims) *choose.Labels {
	l := &choose.Labels{By: by, Sort: cl.sort}
	for _, m := range cl.labels {
		c := &choose.Label{Name: m.name, Plugin: m.label, Config: m.config}
		if m.toggle != nil {
			c.On, c.Off = m.toggle.on, m.toggle.off
		}
		for _, o := range m.options {
			c.On = c.On || o.given != "" && o.where == "" && !c.Off
		}
		l.All = append(l.All, c)
	}
	return l
}
