package charset

import (
	"testing"
	"unicode/utf8"
)

func TestASCIIOnly(t *testing.T) {
	for _, tc := range []struct {
		env  map[string]string
		want bool
	}{
		{nil, true},
		{map[string]string{"LANG": "C"}, true},
		{map[string]string{"LANG": "POSIX"}, true},
		{map[string]string{"LANG": "C.UTF-8"}, false},
		{map[string]string{"LANG": "en_US.utf8"}, false},
		{map[string]string{"LANG": "de_DE.UTF-8@euro"}, false},
		{map[string]string{"LANG": "de_DE"}, true}, // ISO-8859-1
		{map[string]string{"LANG": "de_DE.ISO-8859-1"}, true},
		{map[string]string{"LANG": "ja_JP.EUC-JP"}, true},
		{map[string]string{"LC_ALL": "C", "LC_CTYPE": "C.UTF-8", "LANG": "C.UTF-8"}, true},
		{map[string]string{"LC_ALL": "", "LC_CTYPE": "C.UTF-8", "LANG": "C"}, false},
		{map[string]string{"LC_CTYPE": "C", "LANG": "C.UTF-8"}, true},
		{map[string]string{"LC_MESSAGES": "C", "LANG": "C.UTF-8"}, false},
		{map[string]string{"LANG": "C.UTF-8", "TERM": "linux"}, true},
		{map[string]string{"LANG": "C.UTF-8", "TERM": "dumb"}, true},
		{map[string]string{"LANG": "C.UTF-8", "TERM": "xterm-256color"}, false},
	} {
		if got := ASCIIOnly(func(name string) string { return tc.env[name] }); got != tc.want {
			t.Errorf("%v: %t", tc.env, got)
		}
	}
}

func TestToASCII(t *testing.T) {
	for _, tc := range []struct{ in, want string }{
		{"", ""},
		{"eth0", "eth0"},
		{"\x1b[1mRate▼\x1b[0m", "\x1b[1mRatev\x1b[0m"},
		{"2001:db8…:10", "2001:db8~:10"},
		{"↑ ↓ ← →", "^ v < >"},
		{"größe 日本", "gr??e ????"},
		{"e\u0301", "e"}, // a combining accent has no width
		{"日…本", "??~??"},
		{"\u2840\u28c4\u28e6\u28ff", ".:|#"},  // upwards
		{"\u2809\u281b\u283f\u28ff", "'\"!#"}, // downwards
		{"\u2800", " "},
	} {
		if got := ToASCII(tc.in); got != tc.want {
			t.Errorf("ToASCII(%q) = %q, want %q", tc.in, got, tc.want)
		}
	}
}

// FuzzToASCII: the result is ASCII.
func FuzzToASCII(f *testing.F) {
	for _, s := range []string{"eth0", "größe…", "日本▼", "\u28ff\u2840", "\x1b[31m→"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		out := ToASCII(s)
		for i := range len(out) {
			if out[i] >= utf8.RuneSelf {
				t.Fatalf("%q of %q is not ASCII", out, s)
			}
		}
	})
}
