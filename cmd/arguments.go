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

// arguments is a command line, split into words and options. The library reads no options after the
// first word, so cmd does that itself.
type arguments struct {
	words  []word   // words that are no options: captures
	rest   []string // for the library: the program's name, options, a sub-command
	unread bool     // the words are no captures, but follow an unknown option or precede --help
	err    error    // an error that the library would not find
}

// word is an argument that is not an option.
type word struct {
	text         string
	after        *option // the option whose value is just before it; nil if none
	given, value string  // the spelling and the value of that option
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
	var before word // carries the preceding option
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
			// The rest is a topic. The library would stop at a word before it.
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

// optionName returns the name of an option that was typed, and a value after "=". name is "" if the
// text is not an option.
func optionName(text string) (name, value string, given bool) {
	if !strings.HasPrefix(text, "-") {
		return "", "", false
	}
	return strings.Cut(strings.TrimPrefix(text[1:], "-"), "=")
}

// reader returns the backend that takes captures as arguments, and its option for them. It returns
// nil if there is none.
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

// takeCaptures uses the words as captures.
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

// looksLikeFile reports whether a word can only be the name of a file.
func looksLikeFile(word string) bool {
	if _, err := os.Stat(word); err == nil || word == "-" {
		return true
	}
	return strings.ContainsAny(word, "/.") && !isFilter(word) && !isInterface(word)
}

// reportName returns the output that writes files with such a name, if the file does not exist.
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

// strayArgument returns an error about an unexpected word, with a suggestion.
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

// usage returns the syntax of a count.
func (cl *commandLine) usage() string {
	if m, _ := cl.reader(); m != nil {
		return program + " [options] [CAPTURE...]"
	}
	return program + " [options]"
}
