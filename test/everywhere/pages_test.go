package everywhere

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pktstat/pktstat/internal/test/browser"
	"github.com/pktstat/pktstat/internal/test/testenv"
)

func chromium(t *testing.T) *browser.Browser {
	t.Helper()
	if testing.Short() {
		t.Skip("starts a browser: not with -short")
	}
	b, err := browser.Start(t.Context(), testenv.Tool(t, "chromium", "chromium"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	return b
}

// tab is a page that shows a report.
type tab struct {
	*browser.Page
	t *testing.T
}

func show(t *testing.T, b *browser.Browser, address string) tab {
	t.Helper()
	p, err := b.Page(browser.View{Width: 1600, Height: 900})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	s := tab{p, t}
	s.must(p.Open(address))
	s.must(p.Wait(`!document.getElementById("report").hidden && document.querySelector("#flows tbody tr.row")`))
	return s
}

func (s tab) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func value[T any](s tab, expression string) T {
	s.t.Helper()
	v, err := browser.Eval[T](s.Page, expression)
	s.must(err)
	return v
}

// columns returns the fields by which the user can sort the table.
func (s tab) columns() []string {
	s.t.Helper()
	return value[[]string](s, `[...document.querySelectorAll("#flows th button")].map((b) => b.dataset.sort)`)
}

// cell returns the text of a column, in the first line that matches a selector.
func (s tab) cell(line, column string) string {
	s.t.Helper()
	at := slices.Index(s.columns(), column)
	if at < 0 {
		s.t.Errorf("no column %s", column)
		return ""
	}
	return value[string](s, fmt.Sprintf(`document.querySelector("#flows %s").children[%d].textContent`, line, at))
}

// details returns the fields and values of the first row.
func (s tab) details() string {
	s.t.Helper()
	value[bool](s, `(document.querySelector("#flows tbody tr.row").click(), true)`)
	s.must(s.Wait(`document.getElementById("details").open`))
	defer value[bool](s, `(document.getElementById("details").close(), true)`)
	return value[string](s, `document.getElementById("details-list").innerText`)
}

// check fails unless the page shows the three fields of this test.
func (s tab) check(want *report) {
	s.t.Helper()
	first := want.Flows[0]
	for column, text := range map[string]string{
		"port_class": first.PortClass, "doubled": fmt.Sprint(first.Doubled), "realm": `old\x1b world`,
	} {
		if got := s.cell("tbody tr.row", column); got != text {
			s.t.Errorf("%s is %q, want %q", column, got, text)
		}
	}
	for line, packets := range map[string]uint64{"rest": want.Rest.Doubled, "total": want.Total.Doubled} {
		if got := strings.ReplaceAll(s.cell("tfoot tr."+line, "doubled"), ",", ""); got != fmt.Sprint(packets) || packets == 0 {
			s.t.Errorf("%s of the measure is %q, want %d", line, got, packets)
		}
		if got := s.cell("tfoot tr."+line, "port_class"); got != "" {
			s.t.Errorf("%s of the dimension is %q", line, got)
		}
	}
	details := s.details()
	for _, text := range []string{"port_class\n" + first.PortClass, fmt.Sprintf("doubled\n%d", first.Doubled), "realm\nold"} {
		if !strings.Contains(details, text) {
			s.t.Errorf("no %q in the details %q", text, details)
		}
	}
	if got := value[string](s, `document.querySelector('[data-kind="realm"] h2').textContent`); got != "Realm" {
		s.t.Errorf("the card of the label has the title %q", got)
	}
	for _, problem := range s.Problems() {
		s.t.Error(problem)
	}
}

// save writes a page to a file and returns its address.
func save(t *testing.T, page string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "report.html")
	if err := os.WriteFile(path, []byte(page), 0o600); err != nil {
		t.Fatal(err)
	}
	return "file://" + path
}

func TestHTML(t *testing.T) {
	b := chromium(t)
	show(t, b, save(t, count(t, "--top", "9", "--output", "html"))).check(counted(t, "--top", "9"))
}

// TestHTMLByLabel: a page with rows by the label, sorted by the measure.
func TestHTMLByLabel(t *testing.T) {
	args := []string{"--by", "realm", "--sort", "doubled", "--output", "html"}
	s := show(t, chromium(t), save(t, count(t, args...)))
	if got := s.columns(); !slices.Contains(got, "realm") || slices.Contains(got, "port_class") {
		t.Errorf("columns %q", got)
	}
	s.must(s.Wait(`document.querySelector('th[aria-sort="descending"] [data-sort="doubled"]')`))
}

func TestKindsInHTML(t *testing.T) {
	b := chromium(t)
	s := show(t, b, save(t, countKinds(t, "html")))
	columns := s.columns()
	for name := range kinds {
		if !slices.Contains(columns, name) {
			t.Errorf("no column of %s in %q", name, columns)
		}
	}
	// A row's identity contains no measure, no time and no mark.
	key := value[string](s, `document.querySelector("#flows tbody tr.row").dataset.key`)
	if !strings.Contains(key, "dim_uint 4711") || !strings.Contains(key, "label_uint 4712") {
		t.Errorf("the key of a row is %q", key)
	}
	for _, name := range []string{"sum_", "mark_", "rate_", "at "} {
		if strings.Contains(key, " "+name) {
			t.Errorf("the key of a row has %s: %q", name, key)
		}
	}
	details := s.details()
	for _, name := range append(rates, "dim_text", "mark_flags", "at", "label_addr") {
		if !strings.Contains(details, name+"\n") {
			t.Errorf("no %s in the details %q", name, details)
		}
	}
	for _, problem := range s.Problems() {
		t.Error(problem)
	}
}

// TestWeb covers the live page and its API.
func TestWeb(t *testing.T) {
	b := chromium(t)
	c := command(t, "--pcap-file", capture, "--top", "9", "--by", "flow", "--output", "web=127.0.0.1:0,linger=1h")
	stderr, err := c.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = c.Process.Kill() // it lingers
		_ = c.Wait()
	}()
	address := ""
	for lines := bufio.NewScanner(stderr); address == "" && lines.Scan(); {
		if before, after, ok := strings.Cut(lines.Text(), "live page: "); ok && before == "" {
			address = after
		}
	}
	go func() { _, _ = io.Copy(io.Discard, stderr) }()
	s := show(t, b, address)
	s.must(s.Wait(`document.getElementById("foot").textContent.includes("Report of the whole run")`))
	response, err := http.Get(address + "api/report")
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(response.Body)
	_ = response.Body.Close()
	if err != nil {
		t.Fatal(err)
	}
	r := parse(t, string(text))
	for _, f := range r.Flows {
		if f.Doubled != 2*f.Packets || f.Realm == "" || f.PortClass == "" {
			t.Errorf("row %+v", f)
		}
	}
	r.checkSums(t)
	s.check(r)
}
