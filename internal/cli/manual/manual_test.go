package manual

import (
	"strings"
	"testing"

	"github.com/pktstat/pktstat/internal/cli/describe"
)

// TestMarkup: the page shows the text of options unchanged, and code can be copied.
func TestMarkup(t *testing.T) {
	p := &describe.Program{Name: "prog", Groups: []describe.Group{{Title: "Options", Options: []describe.Option{
		{Name: "a-b", Arg: "X|Y", Usage: "*all* of <it>, 'veth*' and [this](x), see `prog --a-b`; src_port_a \\n"},
	}}}}
	roff := string(Pages("prog")["prog"].Roff(p))
	for _, want := range []string{
		".SH OPTIONS\n.SS Options\n.TP\n", `\fB\-\-a\-b\fP \fIX|Y\fP`, `*all* of <it>`, `[this](x)`, `\fBprog \-\-a\-b\fR; src_port_a`, `\\n.`,
	} {
		if !strings.Contains(roff, want) {
			t.Errorf("no %s in\n%s", want, roff)
		}
	}
}

// TestBroken: breaking a line keeps its words, and makes no request of them.
func TestBroken(t *testing.T) {
	line := strings.Repeat("word ", 15) + "wo .rd 'x " + strings.Repeat("word ", 20) + "\n"
	got := broken(line)
	for l := range strings.Lines(got) {
		if len(l) > lineWidth+1 || l[0] == '.' || l[0] == '\'' {
			t.Errorf("line %q", l)
		}
	}
	if words := strings.Join(strings.Fields(strings.ReplaceAll(got, `\&`, "")), " "); words != strings.TrimSpace(line) {
		t.Errorf("words %q", words)
	}
}
