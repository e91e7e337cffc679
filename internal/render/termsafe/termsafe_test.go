package termsafe

import (
	"encoding/json"
	"errors"
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

// TestLine: Line does not change its own result.
func TestLine(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"", ""},
		{`open "a\x1bb"`, `open "a\x1bb"`},
		{"größe \x1b[31m\u009b\u202e\n", `größe \x1b[31m\u009b\u202e\n`},
		{"bad\xff", `bad\xff`},
	} {
		got := Line(c.in)
		if got != c.want || Line(got) != got {
			t.Errorf("Line(%q) = %q, want %q", c.in, got, c.want)
		}
	}
}

// TestJSON: the value stays the same, and no unsafe character remains.
func TestJSON(t *testing.T) {
	for _, s := range []string{"eth0", "größe", "\x1b[31m", "\x7f\u009b\u202e\ufeff", "tag\U000e0041", `"\`, "\xff"} {
		plain, err := json.MarshalIndent(map[string]string{"name": s}, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		safe := JSON(plain)
		for _, r := range string(safe) {
			if r != '\n' && !unicode.IsPrint(r) {
				t.Errorf("%q: %U in %q", s, r, safe)
			}
		}
		var want, got map[string]string
		if err := errors.Join(json.Unmarshal(plain, &want), json.Unmarshal(safe, &got)); err != nil || got["name"] != want["name"] {
			t.Errorf("%q: %q, want %q, %v", s, got["name"], want["name"], err)
		}
	}
}

// FuzzString: the result is printable, and unquotes to the input.
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
