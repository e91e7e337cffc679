package termsafe

import (
	"strconv"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestString(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"eth0", "eth0"},
		{"", ""},
		{"two words", "two words"},
		{"größe 日本", "größe 日本"},
		{"\x1b[31mred\x1b[0m", `\x1b[31mred\x1b[0m`},
		{"a\x00b\x7f\n\r\t", `a\x00b\x7f\n\r\t`},
		{"\u009b31m", `\u009b31m`},                     // C1 CSI
		{"abc\u202edcba\u202c", `abc\u202edcba\u202c`}, // right-to-left override
		{"\u2066x\u2069\u200f", `\u2066x\u2069\u200f`}, // isolates, RLM
		{"zero\u200bwidth\ufeff", `zero\u200bwidth\ufeff`},
		{"line\u2028sep\u00a0nbsp", `line\u2028sep\u00a0nbsp`},
		{"tag\U000e0041", `tag\U000e0041`},
		{"bad\xff\xc3", `bad\xff\xc3`},
		{"\ufffd", "\ufffd"},
		{`\x1b`, `\\x1b`},
	} {
		if got := String(c.in); got != c.want {
			t.Errorf("String(%q) = %q, want %q", c.in, got, c.want)
		}
	}
}

func TestAppendWord(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"", "-"}, {"eth0", "eth0"}, {"a b", `a\x20b`}, {"a\tb", `a\tb`},
	} {
		if got := string(AppendWord([]byte("x"), c.in)); got != "x"+c.want {
			t.Errorf("AppendWord(%q) = %q, want %q", c.in, got[1:], c.want)
		}
	}
}

// What comes out is printable, and unquotes to what went in.
func FuzzString(f *testing.F) {
	for _, s := range []string{"eth0", "\x1b]0;x\a", "\u202e", "\xff", `\\`, "\U000e0041 x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		out := String(s)
		for _, r := range out {
			if !unicode.IsPrint(r) {
				t.Fatalf("%q contains %U", out, r)
			}
		}
		if !utf8.ValidString(out) {
			t.Fatalf("%q is not UTF-8", out)
		}
		if word := AppendWord(nil, s); strings.ContainsRune(string(word), ' ') || len(word) == 0 {
			t.Fatalf("AppendWord(%q) = %q", s, word)
		}
		back, err := strconv.Unquote(`"` + strings.ReplaceAll(out, `"`, `\"`) + `"`)
		if err != nil || back != s {
			t.Fatalf("%q unquotes to %q, %v", out, back, err)
		}
	})
}
