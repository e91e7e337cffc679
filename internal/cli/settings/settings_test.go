package settings

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// TestParse: values have the texts of a command line, and settings know their lines.
func TestParse(t *testing.T) {
	got, err := parse([]byte("# x\na = \"b\"\n\nnumbers = [\n 1,\n 2.5, true ]\n'quoted key' = 0x10\nempty = []\nd.e = 1\n[after]\nf = 1\n"), "x.toml")
	if err != nil {
		t.Fatal(err)
	}
	want := []Setting{
		{Key: "a", Values: []string{"b"}, Where: "x.toml:2"},
		{Key: "numbers", Values: []string{"1", "2.5", "true"}, Array: true, Where: "x.toml:4"},
		{Key: "quoted key", Values: []string{"16"}, Where: "x.toml:7"},
		{Key: "empty", Array: true, Where: "x.toml:8"},
		{Key: "d", Table: true, Where: "x.toml:9"},
		{Key: "after", Table: true, Where: "x.toml:10"},
	}
	if !slices.EqualFunc(got, want, func(a, b Setting) bool { return fmt.Sprintf("%+v", a) == fmt.Sprintf("%+v", b) }) {
		t.Errorf("\n%+v, want\n%+v", got, want)
	}
}

// TestVariable: only a TOML array becomes several values.
func TestVariable(t *testing.T) {
	for value, want := range map[string][]string{
		"a,b": {"a,b"}, `["a", 1]`: {"a", "1"}, "[ev]th0": {"[ev]th0"}, `["a"`: {`["a"`}, "[1]\nx = [2]": {"[1]\nx = [2]"}, "": {""},
	} {
		if got := Variable("k", "K", value); !slices.Equal(got.Values, want) || got.Where != "K" || got.Array != (value == `["a", 1]`) {
			t.Errorf("%q: %+v", value, got)
		}
	}
}

// FuzzParse: any text gives settings with a line number, or an error that names the file.
func FuzzParse(f *testing.F) {
	for _, text := range []string{"a = 1", "[a]\nb = 1", "[[a]]", "a.b.c = [[1]]", "\xef\xbb\xbfa = '''\n'''", "\"\\u0041\" = {b = 1}", "a = 1979-05-27", "x = [nan, inf]"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		all, err := parse([]byte(text), "f")
		if wrong := (*Error)(nil); err != nil && (!errors.As(err, &wrong) || !strings.HasPrefix(wrong.Where, "f")) {
			t.Errorf("error %v", err)
		}
		for _, s := range all {
			var line int
			if _, err := fmt.Sscanf(s.Where, "f:%d", &line); err != nil || line < 1 || line > strings.Count(text, "\n")+1 {
				t.Errorf("%+v", s)
			}
		}
	})
}
