package tui

import (
	"bytes"
	"strings"
)

// filter accepts rows whose text has all of its words, without regard to case. A word after an
// exclamation mark must not occur. ":22" means a port, not a part of a longer number.
type filter struct {
	text  string
	words []word
}

type word struct {
	text []byte // lower case
	not  bool
}

func parseFilter(s string) filter {
	f := filter{text: s}
	for _, w := range strings.Fields(s) {
		text, not := strings.CutPrefix(w, "!")
		if port, ok := strings.CutPrefix(text, ":"); ok && port != "" && strings.Trim(port, "0123456789") == "" {
			text += " " // the end of a column
		}
		if text != "" {
			f.words = append(f.words, word{[]byte(strings.ToLower(text)), not})
		}
	}
	return f
}

func (f *filter) empty() bool { return len(f.words) == 0 }

// passes reports whether the filter accepts a text in lower case.
func (f *filter) passes(text []byte) bool {
	for i := range f.words {
		if bytes.Contains(text, f.words[i].text) == f.words[i].not {
			return false
		}
	}
	return true
}

// texts makes the text of rows for filters and searches.
type texts struct {
	buf  []byte
	cell cell
}

// of returns the text of all text columns, in lower case, with spaces around each. It is valid
// until the next call.
func (t *texts) of(l *list, r *row) []byte {
	t.cell.set(l, r)
	b := t.buf[:0]
	b = append(b, ' ')
	for _, c := range l.words {
		n := len(b)
		if c.name == "port" {
			b = append(b, ':') // as after an address
		}
		colon := len(b)
		if b = c.appendText(b, &t.cell); len(b) > colon {
			b = append(b, ' ')
		} else {
			b = b[:n]
		}
	}
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	t.buf = b
	return b
}
