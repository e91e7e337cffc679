package csv

import (
	"encoding/csv"
	"strings"
	"testing"
)

func TestAppendText(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"", ""},
		{"eth0", "eth0"},
		{"veth-a@if3", "veth-a@if3"},
		{"=1+1", "'=1+1"},
		{"+1", "'+1"},
		{"-1", "'-1"},
		{"@SUM(A1)", "'@SUM(A1)"},
		{"＝1", "'＝1"},
		{"＋1", "'＋1"},
		{"－1", "'－1"},
		{"＠1", "'＠1"},
		{"  =1", "  '=1"},
		{"\t=1", `\t=1`},
		{"\r=1", `\r=1`},
		{"x\n=1", `x\n=1`},
		{`"=1`, `"'=1`},
		{"x;=cmd", "x;'=cmd"},
		{`x;"=cmd`, `x;"'=cmd`},
		{"x,-1", "x,'-1"},
		{"a\u202eb", `a\u202eb`},
	} {
		if got := string(appendText(nil, c.in)); got != c.want {
			t.Errorf("appendText(%q) = %q, want %q", c.in, got, c.want)
		}
	}
}

// FuzzText: for any separator, no cell starts a formula, and a record stays on one line.
func FuzzText(f *testing.F) {
	for _, s := range []string{"=1", `";"=1`, "a\tb", "＝", " \"' =", "|cmd", "\xff=", ":@"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var out strings.Builder
		w := csv.NewWriter(&out)
		text := string(appendText(nil, s))
		if err := w.Write([]string{"flow", text, "1"}); err != nil {
			t.Fatal(err)
		}
		w.Flush()
		if strings.Count(out.String(), "\n") != 1 {
			t.Fatalf("%q is not one line", out.String())
		}
		for _, comma := range []rune{',', ';', '|', ':', '\t'} {
			r := csv.NewReader(strings.NewReader(out.String()))
			r.Comma, r.LazyQuotes = comma, true
			cells, err := r.Read()
			if err != nil {
				t.Fatalf("%q split at %q: %v", out.String(), comma, err)
			}
			if comma == ',' && (len(cells) != 3 || cells[1] != text) {
				t.Fatalf("%q reads as %q", out.String(), cells)
			}
			for _, c := range cells {
				c = strings.TrimLeft(c, ` "`)
				if strings.HasPrefix(c, "=") || strings.HasPrefix(c, "+") || strings.HasPrefix(c, "-") || strings.HasPrefix(c, "@") ||
					strings.HasPrefix(c, "＝") || strings.HasPrefix(c, "＋") || strings.HasPrefix(c, "－") || strings.HasPrefix(c, "＠") {
					t.Fatalf("%q split at %q has the formula %q", out.String(), comma, c)
				}
			}
		}
	})
}
