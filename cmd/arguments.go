package cmd

import (
	"fmt"
	"net"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/cli/describe"
	"github.com/pktstat/pktstat/registry"
)

// arguments is a command line taken apart: the library reads no options behind the first word
// that is none.
type arguments struct {
	words  []word   // that are no options: captures
	rest   []string // what the library reads: the program's name, options, a sub-command
	unread bool     // the words are no captures: values of an unknown option, or before --help
	err    error    // what the library would not see
}

// word is an argument that is no option.
type word struct {
	text         string
	after        *option // whose value is right before it; nil if none is
	given, value string  // that option as it was given, and its value
}

// arguments splits the command line into words and options.
func (cl *commandLine) arguments(args, commands []string) arguments {
	known := map[string]*option{}
	for _, o := range cl.all() {
		for _, n := range o.names() {
			known[n] = o
		}
	}
	a := arguments{rest: args[:1:1]}
	var before word // has the option that came last
	for args = args[1:]; len(args) > 0; args = args[1:] {
		text := args[0]
		switch {
		case text == "--":
			for _, w := range args[1:] {
				a.words = append(a.words, word{text: w})
			}
			return a
		case text == "-" || !strings.HasPrefix(text, "-"):
			if len(a.words) == 0 && slices.Contains(commands, text) {
				a.rest = append(a.rest, args...)
				return a
			}
			before.text = text
			a.words, before = append(a.words, before), word{}
			continue
		}
		a.rest = append(a.rest, text)
		name, value, given := optionName(text)
		o := known[name]
		before = word{}
		switch {
		case slices.Contains([]string{"h", "help", "?"}, name):
			// What follows is a topic. The library would stop at a word before it.
			topic := args[1:]
			if given { // --help=tc
				a.rest[len(a.rest)-1], topic = "--help", []string{value}
			}
			if len(topic) == 1 && len(topic[0]) > 1 { // an option
				topic = []string{strings.TrimLeft(topic[0], "-")}
			}
			a.rest, a.unread = append(a.rest, topic...), true
			return a
		case o == nil:
			a.unread = true
		case !given && !isBool(o.value) && len(args) > 1:
			args = args[1:]
			if next, _, _ := optionName(args[0]); known[next] != nil && a.err == nil {
				a.err = fmt.Errorf("%w: option %s needs a value, and %s is an option", registry.ErrUsage, text, args[0])
			}
			a.rest = append(a.rest, args[0])
			before = word{after: o, given: text, value: args[0]}
		}
	}
	return a
}

// optionName is the name of an option that is typed, "" if the text is none, and its value
// if that is part of the text.
func optionName(text string) (name, value string, given bool) {
	if !strings.HasPrefix(text, "-") {
		return "", "", false
	}
	return strings.Cut(strings.TrimPrefix(text[1:], "-"), "=")
}

// reader is the backend that takes captures as arguments, nil if there is none, and its
// option that has them.
func (cl *commandLine) reader() (*mountedBackend, *option) {
	for _, m := range cl.backends {
		if m.backend.Files != "" {
			return m, mustFind(m.options, m.name, m.backend.Files)
		}
	}
	return nil, nil
}

// theCapture stands for arguments in messages.
const theCapture = "the capture"

// takeCaptures takes the words for captures.
func (cl *commandLine) takeCaptures(words []word, commands []string) error {
	_, o := cl.reader()
	for i, w := range words {
		if o == nil || !looksLikeFile(w.text) || cl.reportName(w.text) != "" {
			return cl.strayArgument(words, i, commands)
		}
	}
	for _, w := range words {
		if err := (&form{option: o, as: theCapture}).Set(w.text); err != nil {
			return err
		}
	}
	return nil
}

// looksLikeFile reports whether a word can only be meant as the name of a file.
func looksLikeFile(word string) bool {
	if _, err := os.Stat(word); err == nil || word == "-" {
		return true
	}
	return strings.ContainsAny(word, "/.") && !isFilter(word) && !isInterface(word)
}

// reportName is the output that writes files of this name, if there is no such file.
func (cl *commandLine) reportName(name string) string {
	_, err := os.Stat(name)
	output := strings.TrimPrefix(path.Ext(name), ".")
	if err == nil || !slices.Contains(cl.outputNames, output) {
		return ""
	}
	return output
}

func isInterface(name string) bool {
	_, err := net.InterfaceByName(name)
	return err == nil
}

// strayArgument says that a word means nothing, and what may have been meant.
func (cl *commandLine) strayArgument(words []word, i int, commands []string) error {
	w := words[i]
	hint := "a capture is named by its file, and an interface with -i"
	near := nearest(w.text, commands)
	fields := flow.Fields.Find(w.text) != nil || w.text == "flow"
	switch {
	case w.after != nil && w.after.values.Kind == describe.Words && fields: // --by src dst
		hint = fmt.Sprintf("fields are joined by commas: %s %s,%s", w.given, w.value, w.text)
	case slices.ContainsFunc(words, func(w word) bool { return isFilter(w.text) }):
		hint = noFilter
	case cl.reportName(w.text) != "":
		hint = fmt.Sprintf("there is no such file; to write one: --output %s=%s", cl.reportName(w.text), w.text)
	case slices.Contains(commands, w.text):
		hint = fmt.Sprintf("it is a command of its own: %s %s", program, w.text)
	case w.after != nil && w.after.list() && (near == "" || isInterface(w.text)):
		hint = fmt.Sprintf("each has an option of its own: %s %s %s %s", w.given, w.value, w.given, w.text)
	case isInterface(w.text):
		hint = "to count on this interface: -i " + w.text
	case near != "":
		hint = "is " + near + " meant?"
	case w.after != nil && w.after.arg == anyText:
		hint = fmt.Sprintf("text of several words needs quotes: %s '%s %s'", w.given, w.value, w.text)
	case len(w.text) > 1 && cl.habitOf(w.text) != "":
		hint = cl.habitOf(w.text)
	}
	return fmt.Errorf("%w: unexpected argument %q: %s", registry.ErrUsage, w.text, hint)
}

// usage is how a count is asked for.
func (cl *commandLine) usage() string {
	if m, _ := cl.reader(); m != nil {
		return program + " [options] [CAPTURE...]"
	}
	return program + " [options]"
}
