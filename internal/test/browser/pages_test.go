package browser_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/test/browser"
	"github.com/pktstat/pktstat/internal/test/testenv"
	"github.com/pktstat/pktstat/plugintest/sinktest"

	_ "github.com/pktstat/pktstat/outputs/html"
	_ "github.com/pktstat/pktstat/outputs/web"
)

var (
	desktop = browser.View{Width: 1280, Height: 900}
	phone   = browser.View{Width: 390, Height: 844, Mobile: true}
	narrow  = browser.View{Width: 320, Height: 640, Mobile: true, Dark: true}
)

// chromium starts a browser for the test.
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

// tab is a page in a test. An error ends the test.
type tab struct {
	*browser.Page
	t       *testing.T
	address string
}

func show(t *testing.T, b *browser.Browser, v browser.View, address string) *tab {
	t.Helper()
	p, err := b.Page(v)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	s := &tab{p, t, address}
	s.must(p.Open(address))
	return s
}

func (s *tab) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *tab) wait(expression string) {
	s.t.Helper()
	s.must(s.Wait(expression))
}

func (s *tab) click(selector string) {
	s.t.Helper()
	s.must(s.Click(selector))
}

// run runs a script for its effect.
func (s *tab) run(script string) {
	s.t.Helper()
	value[bool](s, "(() => {"+script+"; return true})()")
}

func value[T any](s *tab, expression string) T {
	s.t.Helper()
	v, err := browser.Eval[T](s.Page, expression)
	s.must(err)
	return v
}

// check fails the test if anything went wrong in the page.
func (s *tab) check() {
	s.t.Helper()
	for _, problem := range s.Problems() {
		s.t.Error(problem)
	}
	left, err := s.LeftOrigin(s.address)
	s.must(err)
	for _, request := range left {
		s.t.Errorf("a request left the page: %s", request)
	}
	if over := value[int](s, "document.documentElement.scrollWidth - innerWidth"); over > 0 {
		s.t.Errorf("the page is %d pixels wider than the window", over)
	}
	if overlaps := value[[]string](s, overlapping); len(overlaps) > 0 {
		s.t.Errorf("labels overlap: %q", overlaps)
	}
}

// overlapping returns the labels of the chart that overlap.
const overlapping = `(() => {
  const all = [...document.querySelectorAll("#chart text")].map((n) => [n.textContent, n.getBoundingClientRect()]);
  const bad = [];
  for (const [i, [a, p]] of all.entries())
    for (const [b, q] of all.slice(i + 1))
      if (p.left < q.right && q.left < p.right && p.top < q.bottom - 2 && q.top < p.bottom - 2) bad.push(a + " and " + b);
  return bad;
})()`

// file writes an HTML report to a file, and returns its address.
func file(t *testing.T, reports ...*flow.Report) string {
	t.Helper()
	return save(t, sinktest.Render(t, "html", sinktest.Variant{}, reports...))
}

func save(t *testing.T, page []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "report.html")
	if err := os.WriteFile(path, page, 0o600); err != nil {
		t.Fatal(err)
	}
	return "file://" + path
}

const shown = `!document.getElementById("report").hidden`
