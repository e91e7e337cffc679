// Package charset finds out which characters a terminal can show, and converts text to ASCII.
package charset

import (
	"strings"
	"unicode/utf8"

	"github.com/charmbracelet/x/ansi"
)

// ASCIIOnly reports whether text for a terminal must be ASCII. That is the case if the
// environment's locale does not use UTF-8, or if the terminal's font has neither arrows nor
// Braille. locale(7) gives the order of the variables.
func ASCIIOnly(getenv func(string) string) bool {
	switch getenv("TERM") {
	case "linux", "dumb":
		return true
	}
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if locale := getenv(name); locale != "" {
			return !isUTF8(locale)
		}
	}
	return true // no variable is set: the locale is C
}

// isUTF8 reports whether a locale, like de_DE.UTF-8@euro, has the character set UTF-8.
func isUTF8(locale string) bool {
	_, set, _ := strings.Cut(locale, ".")
	set, _, _ = strings.Cut(set, "@")
	return strings.EqualFold(set, "UTF-8") || strings.EqualFold(set, "UTF8")
}

// ToASCII replaces each character beyond ASCII by ASCII characters of the same width. It keeps
// escape sequences.
func ToASCII(s string) string {
	var b strings.Builder
	for s != "" {
		plain, other := len(s), 0
		for i := range len(s) {
			if s[i] >= utf8.RuneSelf {
				plain = i
				break
			}
		}
		b.WriteString(s[:plain])
		s = s[plain:]
		for other < len(s) && s[other] >= utf8.RuneSelf {
			other++
		}
		replace(&b, s[:other])
		s = s[other:]
	}
	return b.String()
}

// replace writes the substitutes for a text without ASCII characters.
func replace(b *strings.Builder, s string) {
	for s != "" {
		r, n := utf8.DecodeRuneInString(s)
		if c, ok := drawn(r); ok {
			b.WriteByte(c)
			s = s[n:]
			continue
		}
		// Combining characters have no width, so the rest is converted as one text.
		text := s
		if i := strings.IndexFunc(s, func(r rune) bool { _, ok := drawn(r); return ok }); i >= 0 {
			text = s[:i]
		}
		b.WriteString(strings.Repeat("?", ansi.StringWidth(text)))
		s = s[len(text):]
	}
}

// drawn returns the substitute for a character of drawings and tables.
func drawn(r rune) (c byte, ok bool) {
	switch r {
	case '…':
		return '~', true
	case '▲', '↑':
		return '^', true
	case '▼', '↓':
		return 'v', true
	case '←':
		return '<', true
	case '→':
		return '>', true
	}
	if r >= 0x2800 && r <= 0x28ff {
		return braille(r & 0xff), true
	}
	return 0, false
}

// rows are the dots in each row of a Braille pattern, from the top (Unicode, U+2800).
var rows = [4]rune{0x01 | 0x08, 0x02 | 0x10, 0x04 | 0x20, 0x40 | 0x80}

// braille returns a character about as high as the dots, at the same edge of its cell.
func braille(dots rune) byte {
	height := 0
	for _, row := range rows {
		if dots&row != 0 {
			height++
		}
	}
	if dots&rows[0] != 0 && dots&rows[3] == 0 { // the dots hang from the top
		return " '\"!"[height]
	}
	return " .:|#"[height]
}
