package cmd

import (
	"fmt"
	"strings"

	"github.com/pktstat/pktstat/internal/render/termsafe"
	"github.com/pktstat/pktstat/registry"
)

const (
	helpIndent = 2
	helpColumn = 29 // where the explanations begin
	helpWidth  = 100
)

// help is the text of --help, for the terminal it is printed on.
func (s *session) help(cl *commandLine) string {
	h := helpText{width: s.textWidth()}
	h.line("pktstat counts network traffic by flow: packets and bytes of every conversation,")
	h.line("on live interfaces or from captures.")
	h.heading("Usage")
	h.entry("pktstat [options]", "count until --timeout, a signal or the end of the capture, then report")
	h.entry("pktstat probe [--json] [-i NAME]", "what works here, what does not and why, and what to do about it")
	h.entry("pktstat backends [--json]", "ways to see packets, and their options")
	h.entry("pktstat outputs [--json]", "ways to report, and their options")
	h.entry("pktstat labels [--json]", "what pktstat knows of flows from outside the packets")
	h.entry("pktstat fields [--json]", "fields of the rows, for --by, --sort and the columns of outputs")
	h.heading("Examples")
	s.examples(&h, cl)
	h.options("Options", append(cl.general, &option{name: "help", short: "h", usage: "print this help (also -?)"}))
	h.options("Grouping", cl.grouping)
	h.options("Outputs", append(cl.output, cl.outputShorthands...))
	labels := append([]*option{}, cl.labelToggles...)
	for _, l := range cl.labels {
		labels = append(labels, l.options...)
	}
	h.options("Labels", labels)
	for _, m := range cl.backends {
		h.options("Backend "+m.name+": "+m.backend.Summary, append(append([]*option{}, m.shorthands...), m.options...))
	}
	h.heading("Exit code")
	h.line("  0 done; 1 failed at run time; 2 wrong usage; 3 not supported by the kernel or the NIC;")
	h.line("  4 permission missing; 5 counted, but an output failed; 10 --exit-over was exceeded")
	return h.String()
}

// textWidth is how wide text may be.
func (s *session) textWidth() int {
	if t := terminalOf(s.Stdout, s.Getenv); t.IsTTY {
		return min(helpWidth, max(t.Width, 2*helpColumn))
	}
	return helpWidth
}

// examples shows the common uses; those of plugins only where they are built in.
func (s *session) examples(h *helpText, cl *commandLine) {
	h.example("sudo pktstat -t 10s", "ten seconds of the interface of the default route")
	h.example("sudo pktstat -i eth0 --by src,dst --top 20", "the busiest pairs of addresses, until Ctrl-C or 10 minutes")
	for _, m := range cl.backends {
		if m.backend.Caps.Has(registry.CapFile) && len(m.wants) > 0 {
			h.example("pktstat "+dashed(m.wants[0].name)+" "+m.wants[0].arg, "from a capture; needs no privileges")
			break
		}
	}
	for name, out := range s.Outputs.All() {
		if name != defaultOutput && !out.TTY && out.When == registry.WhenFinal {
			h.example(fmt.Sprintf("sudo pktstat --output %s --output %s=FILE", defaultOutput, name), "two reports of one count")
			break
		}
	}
}

// helpText is aligned and wrapped text.
type helpText struct {
	strings.Builder
	width int
}

// line writes a line. All text of the sub-commands passes here, so names from outside are
// made harmless here.
func (h *helpText) line(s string) {
	h.WriteString(termsafe.Line(s))
	h.WriteByte('\n')
}

func (h *helpText) heading(s string) {
	h.line("")
	h.line(s + ":")
}

// example is a command with its comment on the line below.
func (h *helpText) example(command, comment string) {
	h.line(strings.Repeat(" ", helpIndent) + command)
	h.line(strings.Repeat(" ", helpIndent+4) + comment)
}

// entry is a term and its explanation.
func (h *helpText) entry(term, explanation string) {
	lead := strings.Repeat(" ", helpIndent) + term
	if len(lead)+2 > helpColumn {
		h.line(lead)
		lead = ""
	}
	lead += strings.Repeat(" ", helpColumn-len(lead))
	for _, l := range wrap(explanation, h.width-helpColumn) {
		h.line(strings.TrimRight(lead+l, " "))
		lead = strings.Repeat(" ", helpColumn)
	}
}

func (h *helpText) options(heading string, options []*option) {
	if len(options) == 0 {
		return
	}
	h.heading(heading)
	for _, o := range options {
		h.entry(o.term(), o.explanation())
	}
}

// term is how the option is written: "-i, --iface NAME".
func (o *option) term() string {
	term := "    " + dashed(o.name)
	switch {
	case o.short != "":
		term = dashed(o.short) + ", " + dashed(o.name)
	case len(o.name) == 1:
		term = dashed(o.name)
	}
	if o.arg != "" {
		term += " " + o.arg
	}
	return term
}

func (o *option) explanation() string {
	text := o.usage
	if o.initial != "" {
		text += " (default: " + o.initial + ")"
	}
	return text
}

// wrap breaks text at spaces into lines of at most width, longer words excepted. What
// [helpText.line] escapes counts with its escapes.
func wrap(text string, width int) []string {
	lines := []string{""}
	for _, word := range strings.Fields(termsafe.Line(text)) {
		last := &lines[len(lines)-1]
		switch {
		case *last == "":
			*last = word
		case len(*last)+1+len(word) <= width:
			*last += " " + word
		default:
			lines = append(lines, word)
		}
	}
	return lines
}
