// Package termsafe makes untrusted text harmless on a terminal. An interface name or a label must
// not move the cursor, change colours or reorder text.
package termsafe

import (
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// String returns s with unsafe characters escaped as in Go strings. It keeps visible characters and
// plain spaces. It escapes:
//
//   - control characters (C0, C1, DEL), and with them ANSI sequences
//   - bidirectional and other format controls
//   - line separators and spaces other than U+0020
//   - unassigned code points and bytes that are not UTF-8
//   - backslashes, so that names cannot contain forged escapes
func String(s string) string {
	if isPlain(s) {
		return s
	}
	return string(Append(nil, s))
}

// Line is String without the escaping of backslashes. It is for whole lines of text, whose names
// may already be escaped.
func Line(s string) string {
	return string(appendEscaped(nil, s, false, false))
}

// JSON escapes unsafe characters in JSON text, and keeps the value. The standard library's encoder
// escapes only C0 controls.
func JSON(text []byte) []byte {
	out := make([]byte, 0, len(text))
	for len(text) > 0 {
		r, n := utf8.DecodeRune(text)
		switch {
		case r == '\n' || strconv.IsPrint(r):
			out = append(out, text[:n]...)
		case r < 0x10000:
			out = appendHex(append(out, '\\', 'u'), uint32(r), 4)
		default:
			hi, lo := utf16.EncodeRune(r)
			out = appendHex(append(out, '\\', 'u'), uint32(hi), 4)
			out = appendHex(append(out, '\\', 'u'), uint32(lo), 4)
		}
		text = text[n:]
	}
	return out
}

// Append appends String(s) to b.
func Append(b []byte, s string) []byte { return appendEscaped(b, s, false, true) }

// AppendWord is Append that also escapes spaces, for formats with space-separated fields. It
// appends "-" for an empty s.
func AppendWord(b []byte, s string) []byte {
	if s == "" {
		return append(b, '-')
	}
	return appendEscaped(b, s, true, true)
}

func appendEscaped(b []byte, s string, word, backslash bool) []byte {
	for s != "" {
		r, n := utf8.DecodeRuneInString(s)
		switch {
		case r == utf8.RuneError && n == 1: // not UTF-8
			b = appendHex(append(b, '\\', 'x'), uint32(s[0]), 2)
		case r == '\\' && backslash:
			b = append(b, '\\', '\\')
		case r == ' ' && word:
			b = append(b, `\x20`...)
		case strconv.IsPrint(r):
			b = append(b, s[:n]...)
		case r == '\n':
			b = append(b, '\\', 'n')
		case r == '\r':
			b = append(b, '\\', 'r')
		case r == '\t':
			b = append(b, '\\', 't')
		case r < 0x80:
			b = appendHex(append(b, '\\', 'x'), uint32(r), 2)
		case r < 0x10000:
			b = appendHex(append(b, '\\', 'u'), uint32(r), 4)
		default:
			b = appendHex(append(b, '\\', 'U'), uint32(r), 8)
		}
		s = s[n:]
	}
	return b
}

func appendHex(b []byte, v uint32, digits int) []byte {
	for shift := 4 * (digits - 1); shift >= 0; shift -= 4 {
		b = append(b, "0123456789abcdef"[v>>shift&0xf])
	}
	return b
}

func isPlain(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '\\' {
			return false
		}
	}
	return true
}
