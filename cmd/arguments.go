package cmd

import (
	"fmt"
	"net"
	"os"
	"slices"
	"strings"

	"github.com/pktstat/pktstat/registry"
)

// arguments is a command line taken apart: the library reads no options behind the first word
// that is none.
type arguments struct {
	words   []string // that are no options: captures
	rest    []string // what the library reads: the program's name, options, a sub-command
	unknown bool     // one of the options is unknown: the words may be values of it
}

// arguments splits the command line into words and options.
func (cl *commandLine) arguments(args, commands []string) arguments {
	known := map[string]*option{}
	for _, o := range cl.all() {
		for _, n := range o.names() {
			known[n] = o
		}
	}
	whole := arguments{rest: args}
	a := arguments{rest: args[:1:1]}
	for args = args[1:]; len(args) > 0; args = args[1:] {
		word := args[0]
		switch {
		case word == "--":
			a.words = append(a.words, args[1:]...)
			return a
		case word == "-" || !strings.HasPrefix(word, "-"):
			if len(a.words) == 0 && slices.Contains(commands, word) {
				a.rest = append(a.rest, args...)
				return a
			}
			a.words = append(a.words, word)
			continue
		}
		a.rest = append(a.rest, word)
		name, _, given := strings.Cut(strings.TrimPrefix(word[1:], "-"), "=")
		o := known[name]
		switch {
		case slices.Contains([]string{"h", "help", "?"}, name):
			return whole // the words are topics
		case o == nil:
			a.unknown = true
		case !given && !isBool(o.value) && len(args) > 1:
			args = args[1:]
			a.rest = append(a.rest, args[0])
		}
	}
	return a
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
func (cl *commandLine) takeCaptures(words, commands []string) error {
	_, o := cl.reader()
	for _, w := range words {
		if o == nil || !looksLikeFile(w) {
			return strayArgument(w, words, commands)
		}
	}
	for _, w := range words {
		if err := (&form{option: o, as: theCapture}).Set(w); err != nil {
			return err
		}
	}
	return nil
}

// looksLikeFile reports whether a word can only be meant as the name of a file.
func looksLikeFile(word string) bool {
	if word == "-" || strings.ContainsAny(word, "/.") {
		return true
	}
	_, err := os.Stat(word)
	return err == nil
}

// strayArgument says that a word means nothing, and what may have been meant.
func strayArgument(word string, words, commands []string) error {
	hint := "a capture is named by its file, and an interface with -i"
	_, ifaceErr := net.InterfaceByName(word)
	near := nearest(word, commands)
	switch {
	case slices.ContainsFunc(words, isFilterWord):
		hint = noFilter
	case ifaceErr == nil:
		hint = "to count on this interface: -i " + word
	case near != "":
		hint = "is " + near + " meant?"
	}
	return fmt.Errorf("%w: unexpected argument %q: %s", registry.ErrUsage, word, hint)
}

// usage is how a count is asked for.
func (cl *commandLine) usage() string {
	if m, _ := cl.reader(); m != nil {
		return program + " [options] [CAPTURE...]"
	}
	return program + " [options]"
}
