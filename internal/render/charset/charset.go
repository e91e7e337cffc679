// Package charset finds out what a terminal can show, and makes ASCII of text for one
// that shows nothing else.
package charset

import (
	"strings"
	"unicode/utf8"

	"github.com/charmbracelet/x/ansi"
)

// ASCIIOnly reports whether text for a terminal has to be ASCII: the locale of the
// environment has another character set than UTF-8, or the terminal is one whose font has
// neither arrows nor Braille. The locale's variables are read in the order of locale(7).
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
	return true // the locale is C
}

// isUTF8 reports whether a locale, like de_DE.UTF-8@euro, has the character set UTF-8.
func isUTF8(locale string) bool {
	_, set, _ := strings.Cut(locale, ".")
	set, _, _ = strings.Cut(set, "@")
	return strings.EqualFold(set, "UTF-8") || strings.EqualFold(set, "UTF8")
}

// ToASCII replaces each character beyond ASCII by ASCII characters of the same width.
// Escape sequences stay as they are.
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

// replace writes what stands for characters none of which is ASCII.
func replace(b *strings.Builder, s string) {
	for s != "" {
		r, n := utf8.DecodeRuneInString(s)
		if c, ok := drawn(r); ok {
			b.WriteByte(c)
			s = s[n:]
			continue
		}
		// Combining characters have no width of their own, so the rest goes in one piece.
		text := s
		if i := strings.IndexFunc(s, func(r rune) bool { _, ok := drawn(r); return ok }); i >= 0 {
			text = s[:i]
		}
		b.WriteString(strings.Repeat("?", ansi.StringWidth(text)))
		s = s[len(text):]
	}
}

// drawn returns what stands for a character of drawings and tables.
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

// rows of a Braille pattern, from the top (Unicode, U+2800).
var rows = [4]rune{0x01 | 0x08, 0x02 | 0x10, 0x04 | 0x20, 0x40 | 0x80}

// braille returns a character about as high as the dots, at the same edge of its cell.
func braille(dots rune) byte {
	height := 0
	for _, row := range rows {
		if dots&row != 0 {
			height++
		}
	}
	if dots&rows[0] != 0 && dots&rows[3] == 0 { // from the top downwards
		return " '\"!"[height]
	}
	return " .:|#"[height]
}
