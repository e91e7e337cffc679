package browser_test

import (
	"context"
	"flag"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/plugintest/sinktest"
	"github.com/pktstat/pktstat/registry"
)

// serve opens the output web and returns the address that it prints.
func serve(t *testing.T, options ...string) (registry.Sink, string) {
	t.Helper()
	out, err := registry.Outputs.Lookup("web")
	if err != nil {
		t.Fatal(err)
	}
	c := out.New()
	fs := flag.NewFlagSet("web", flag.ContinueOnError)
	c.Flags(fs)
	for _, o := range options {
		key, value, _ := strings.Cut(o, "=")
		if err := fs.Set(key, value); err != nil {
			t.Fatal(err)
		}
	}
	address := ""
	s, err := c.Open(t.Context(), registry.OutputEnv{
		Target: "127.0.0.1:0", Now: time.Now,
		Notify: func(format string, args ...any) {
			_, address, _ = strings.Cut(fmt.Sprintf(format, args...), ": ")
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s, address
}

func write(t *testing.T, s registry.Sink, r *flow.Report) {
	t.Helper()
	if err := s.Write(context.Background(), r); err != nil {
		t.Fatal(err)
	}
}

const foot = `document.getElementById("foot").textContent`

func footSays(text string) string { return fmt.Sprintf(`%s.includes(%q)`, foot, text) }

// TestLivePage: a page follows intervals and the run so far, pauses, and shows the end.
func TestLivePage(t *testing.T) {
	b := chromium(t)
	sink, address := serve(t)
	s := show(t, b, desktop, address)
	s.wait(`!document.getElementById("waiting").hidden`)
	reports := history(6)
	write(t, sink, reports[0])
	s.wait(shown)
	write(t, sink, reports[1])
	s.wait(footSays("Interval report 2."))
	s.wait(`document.getElementById("status").textContent === "live"`)
	packets := func() string {
		return value[string](s, `document.querySelector("#flows tfoot tr.total").innerText.replace(/\s+/g, " ")`)
	}
	interval := packets()

	s.click(`[data-span="run"]`)
	s.wait(footSays("The run up to interval 2."))
	if run := packets(); run == interval {
		t.Errorf("the run and its last interval are both %s", run)
	}
	s.run(`const by = document.getElementById("chart-by"); by.value = "proto"; by.dispatchEvent(new Event("change"))`)
	s.wait(`document.querySelectorAll("#chart path.area").length === 2`)
	s.run(`const range = document.getElementById("chart-range"); range.value = "whole"; range.dispatchEvent(new Event("change"))`)
	s.click(`[data-span="interval"]`)
	s.wait(footSays("Interval report 2."))

	// A search and an order stay when new reports arrive.
	s.must(s.Type("#search", "proto:UDP"))
	s.click(`[data-sort="src"]`)
	write(t, sink, reports[2])
	s.wait(footSays("Interval report 3."))
	if text := value[string](s, `document.getElementById("matches").textContent`); !strings.HasPrefix(text, "6 of 12 flows match") {
		t.Errorf("the search became %s", text)
	}
	s.wait(`document.querySelector('th[aria-sort="ascending"] [data-sort="src"]')`)

	s.click("#pause")
	write(t, sink, reports[3])
	other := show(t, b, phone, address)
	other.wait(footSays("Interval report 4."))
	if text := value[string](s, foot); !strings.Contains(text, "Interval report 3.") {
		t.Errorf("a page that pauses shows %s", text)
	}
	s.click("#pause")
	s.wait(footSays("Interval report 4."))

	write(t, sink, reports[4])
	write(t, sink, reports[5])
	write(t, sink, reports[6])
	if err := sink.Close(); err != nil {
		t.Error(err)
	}
	for _, page := range []*tab{s, other} {
		page.wait(footSays("Report of the whole run."))
		page.wait(`document.getElementById("status").textContent.startsWith("ended")`)
		page.check()
	}
	// The final report has all breakdowns, because the server ends with the run.
	for by, areas := range map[string]int{"src": 9, "proto": 2, "dst": 1} {
		s.run(fmt.Sprintf(`const by = document.getElementById("chart-by"); by.value = %q; by.dispatchEvent(new Event("change"))`, by))
		s.wait(fmt.Sprintf(`document.querySelectorAll("#chart path.area").length === %d`, areas))
	}
	s.check()
}

// TestPressOnLivePage: a report that arrives during a press is shown after the release. Else the
// pressed element would be gone before the click.
func TestPressOnLivePage(t *testing.T) {
	b := chromium(t)
	sink, address := serve(t)
	reports := history(3)
	write(t, sink, reports[0])
	s, other := show(t, b, desktop, address), show(t, b, phone, address)
	s.wait(shown)
	at := value[[]float64](s, `(() => {
		const b = document.querySelector('#legend [data-key="rest"]');
		b.scrollIntoView({ block: "center" });
		const r = b.getBoundingClientRect();
		return [r.left + r.width / 2, r.top + r.height / 2];
	})()`)
	s.must(s.Press(at[0], at[1]))
	write(t, sink, reports[1])
	other.wait(footSays("Interval report 2."))
	if text := value[string](s, foot); !strings.Contains(text, "Interval report 1.") {
		t.Errorf("during a press, the page became %s", text)
	}
	s.must(s.Release(at[0], at[1]))
	s.wait(footSays("Interval report 2."))
	s.wait(`document.querySelector('#legend [data-key="rest"][aria-pressed="false"]')`)

	// A redraw keeps the focus on a row, a column and a breakdown.
	for i, selector := range []string{"#flows tbody tr.row:nth-child(3)", `[data-sort="packets"]`, `[data-kind="hosts"] li:nth-child(2) button`} {
		s.run(fmt.Sprintf("document.querySelector(%q).focus()", selector))
		key := value[string](s, "document.activeElement.dataset.key")
		next := *reports[2]
		next.Seq += uint64(i)
		write(t, sink, &next)
		s.wait(footSays(fmt.Sprintf("Interval report %d.", next.Seq)))
		if now := value[string](s, `document.activeElement.dataset.key || ""`); now != key || key == "" {
			t.Errorf("the focus was on %q, and is on %q", key, now)
		}
	}
	s.check()
}

// TestTokenInBrowser: the address with the token opens the page, which removes the token from the
// address. Without it, the page asks for the token.
func TestTokenInBrowser(t *testing.T) {
	b := chromium(t)
	const secret = "0123456789abcdef"
	sink, address := serve(t, "token="+secret)
	write(t, sink, history(1)[0])
	home, _, found := strings.Cut(address, "#")
	if !found {
		t.Fatal(address)
	}

	asks := show(t, b, desktop, home)
	asks.wait(`!document.getElementById("login").hidden`)
	if value[bool](asks, shown) {
		t.Error("the report is shown without the token")
	}
	asks.check()
	asks.must(asks.Type("#token", "not the right token"))
	asks.click("#login button")
	asks.wait(`document.getElementById("login-error").textContent.includes("not the token")`)
	asks.run(`document.getElementById("token").value = ""`)
	asks.must(asks.Type("#token", secret))
	asks.click("#login button")
	asks.wait(shown)
	asks.Close()

	// A browser without a cookie.
	s := show(t, chromium(t), desktop, address)
	s.wait(shown)
	if hash := value[string](s, `location.href + document.cookie`); strings.Contains(hash, secret) || strings.Contains(hash, "#") {
		t.Errorf("the page's address and cookies are %s", hash)
	}
	s.must(s.Open(home)) // the cookie suffices
	s.wait(shown)
	s.check()
}

// TestLiveManyFlows: a live page with 10,000 flows stays responsive.
func TestLiveManyFlows(t *testing.T) {
	sink, address := serve(t)
	r := sinktest.ManyFlows(10_000)
	r.Final, r.Run = false, r.Sums
	write(t, sink, r)
	s := show(t, chromium(t), desktop, address)
	s.wait(shown)
	for i := range 5 {
		next := *r
		next.Seq += uint64(i + 1)
		next.Start, next.End = r.Start.Add(time.Duration(i+1)*time.Second), r.End.Add(time.Duration(i+1)*time.Second)
		write(t, sink, &next)
		s.click(`[data-sort="packets"]`)
		s.run(`document.getElementById("scroller").scrollTop = 1e6`)
		s.wait(footSays(fmt.Sprintf("Interval report %d.", next.Seq)))
	}
	s.must(s.Type("#search", "port:443"))
	s.wait(`document.getElementById("matches").textContent.includes("of 10,000 flows match")`)
	if n := value[int](s, `document.querySelectorAll("#flows tbody tr").length`); n > 100 {
		t.Errorf("%d rows in the document", n)
	}
	s.check()
}

func TestLiveHostileNames(t *testing.T) {
	sink, address := serve(t)
	r := hostileReport()
	r.Final, r.Run = false, r.Sums
	write(t, sink, r)
	s := show(t, chromium(t), desktop, address)
	s.wait(shown)
	s.click(`[data-span="run"]`)
	s.wait(footSays("The run up to interval"))
	s.run(`document.querySelector("#flows tbody tr.row").click()`)
	for _, bad := range value[[]string](s, inert) {
		t.Error(bad)
	}
	s.check()
}
