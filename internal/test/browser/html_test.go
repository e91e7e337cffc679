package browser_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/test/browser"
	"github.com/pktstat/pktstat/plugintest/sinktest"
)

// TestEveryReport shows every kind of report on every size of screen. No script fails, no request
// leaves the page, and nothing overflows the window.
func TestEveryReport(t *testing.T) {
	b := chromium(t)
	for _, g := range sinktest.Goldens() {
		t.Run(g.Name, func(t *testing.T) {
			address := file(t, g.Reports...)
			for _, v := range []browser.View{desktop, phone, narrow} {
				s := show(t, b, v, address)
				s.wait(shown)
				s.wait(`document.querySelectorAll("#flows tbody tr").length > 0`)
				if got, want := value[int](s, `document.querySelectorAll("#flows tbody tr.row").length`), len(g.Reports[len(g.Reports)-1].Packed); got != want {
					t.Errorf("%d rows, want %d", got, want)
				}
				s.check()
				s.Close()
			}
		})
	}
}

// TestEmpty: the page states that there was no traffic.
func TestEmpty(t *testing.T) {
	s := show(t, chromium(t), desktop, file(t, &flow.Report{Final: true, Backend: "tc", RateLayer: flow.LayerFrame, Dims: flow.DimsFlow}))
	for _, place := range []string{"chart", "flows"} {
		s.wait(`document.getElementById("` + place + `").textContent.includes("No traffic was seen.")`)
	}
	s.check()
}

// TestAccounting: the page shows all sums.
func TestAccounting(t *testing.T) {
	b := chromium(t)
	for _, g := range sinktest.Goldens() {
		if !slices.Contains([]string{"sums", "lost-unknown", "mixed", "sockets"}, g.Name) {
			continue
		}
		s := show(t, b, desktop, file(t, g.Reports...))
		s.wait(shown)
		text := value[string](s, `document.body.innerText`)
		want := []string{"adds up, to the byte", "rest", "overflow", "lost", "layer 3", "layer 2", "egress is not seen", "Packets are a lower bound", "320 more, not listed"}
		switch g.Name {
		case "mixed":
			want = []string{"adds up, to the byte", "Not chosen: afpacket (works here too, cost: copy), xdp (egress is not seen)."}
		case "lost-unknown":
			want = []string{"adds up, to the byte", "not known", "The bytes of lost packets are unknown"}
		case "sockets":
			want = []string{"adds up, to the byte", "Retransmits\n10\nretransmitted TCP segments"}
		}
		for _, w := range want {
			if !strings.Contains(text, w) {
				t.Errorf("%s: %q is not on the page", g.Name, w)
			}
		}
		s.check()
	}
}

// TestManyFlows sorts, searches and scrolls 10,000 flows. Only the visible rows are in the
// document.
func TestManyFlows(t *testing.T) {
	const flows = 10_000
	r := sinktest.ManyFlows(flows)
	s := show(t, chromium(t), desktop, file(t, r))
	s.wait(shown)
	rows := func() int { return value[int](s, `document.querySelectorAll("#flows tbody tr").length`) }
	first := func(column string) string {
		return value[string](s, fmt.Sprintf(`(() => {
			const at = [...document.querySelectorAll("#flows th button")].findIndex((b) => b.dataset.sort === %q);
			return document.querySelector("#flows tbody tr.row").children[at].textContent;
		})()`, column))
	}
	if n := rows(); n < 20 || n > 100 {
		t.Errorf("%d rows in the document", n)
	}
	if got := first("packets"); got != "70,000" {
		t.Errorf("the first flow has %s packets", got)
	}
	s.click(`[data-sort="packets"]`)
	s.click(`[data-sort="packets"]`)
	s.wait(`document.querySelector('th[aria-sort="ascending"]')`)
	if got := first("packets"); got != "7" {
		t.Errorf("sorted the other way, the first flow has %s packets", got)
	}
	s.click(`[data-sort="src"]`)
	if got := first("src"); got != "[2001:db8:1:2:3:4::]:1024" {
		t.Errorf("by source, the first flow is from %s", got)
	}

	// Scroll to the end, and click the last row.
	s.run(`document.getElementById("scroller").scrollTop = 1e9`)
	s.wait(`document.getElementById("scroller").scrollTop > 1e5 && [...document.querySelectorAll("#flows tbody tr.row")].pop().getBoundingClientRect().bottom < document.querySelector("#flows tfoot tr").getBoundingClientRect().top + 5`)
	if n := rows(); n > 100 {
		t.Errorf("%d rows in the document after scrolling", n)
	}

	// Compare the matches of searches with the report.
	ports, udp := 0, 0
	for row := range r.Rows() {
		if row.Src.Port() == 443 || row.Dst.Port() == 443 {
			ports++
			if row.Proto == flow.UDP {
				udp++
			}
		}
	}
	for query, want := range map[string]int{
		"port:443": ports, "port:443 proto:UDP": udp, "port:443 -proto:udp": ports - udp, "nothing-like-this": 0, "": flows,
		"src:10.0.0.1": 1, "10.0.0.1:": 1, "[2001:db8:1:2:3:4:0:4]:": 1,
	} {
		s.run(fmt.Sprintf(`const box = document.getElementById("search"); box.value = %q; box.dispatchEvent(new Event("input"))`, query))
		text := value[string](s, `document.getElementById("matches").textContent`)
		if got, _, _ := strings.Cut(text, " "); strings.ReplaceAll(got, ",", "") != fmt.Sprint(want) {
			t.Errorf("%q finds %s, want %d", query, text, want)
		}
	}

	// A click on an entry of a breakdown finds its rows.
	s.click(`[data-kind="ports"] button.item`)
	s.wait(`document.getElementById("search").value.startsWith("port:443")`)
	s.must(s.Type("#search", " -host:198.51.100.1"))
	s.wait(`document.getElementById("matches").textContent.includes("match")`)
	s.run(`document.querySelector("#flows tbody tr.row").click()`)
	s.wait(`document.getElementById("details").open`)
	if text := value[string](s, `document.getElementById("details-list").textContent`); !strings.Contains(text, "frame_bytes") {
		t.Errorf("the details are %s", text)
	}
	s.click("#details-close")
	s.wait(`!document.getElementById("details").open`)
	s.check()
}

// history returns the reports of a run of n seconds in which hosts take turns.
func history(n int) []*flow.Report {
	var reports []*flow.Report
	final := sinktest.ManyFlows(0)
	final.Seq = uint64(n + 1)
	byKey := map[flow.Packed]*flow.PackedRow{}
	for i := range n {
		r := sinktest.ManyFlows(0)
		r.Final, r.Seq = false, uint64(i+1)
		r.Start = r.Start.Add(time.Duration(i) * time.Second)
		r.End = r.Start.Add(time.Second)
		for host := range 12 {
			packets := uint64(10 + (i*(host+3))%97)
			c := flow.Counters{Packets: packets, Bytes: packets * 900, FrameBytes: packets * 914}
			k := flow.Key{
				Src: netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(host)}), 443), Dst: netip.MustParseAddrPort("198.51.100.1:50000"),
				Proto: []flow.Proto{flow.TCP, flow.UDP}[host%2], Dir: flow.Ingress, Ifindex: 2,
			}
			total := byKey[flow.Pack(k)]
			if total == nil {
				total = &flow.PackedRow{Key: flow.Pack(k), First: r.Start.UnixNano()}
				byKey[total.Key] = total
				final.Packed = append(final.Packed, total)
			}
			total.Total.Add(c)
			total.Delta, total.Last = c, r.End.UnixNano()
			row := *total
			r.Packed = append(r.Packed, &row)
			r.Total.Add(flow.Totals{Counters: c})
		}
		r.FlowCount = len(r.Packed)
		final.Total.Add(r.Total)
		r.Run = final.Sums
		final.End = r.End
		reports = append(reports, r)
	}
	final.FlowCount, final.Run = len(final.Packed), final.Sums
	slices.SortFunc(final.Packed, func(a, b *flow.PackedRow) int { return int(b.Total.Packets) - int(a.Total.Packets) })
	return append(reports, final)
}

// TestChartGap: the chart shows no traffic for a gap in time, such as a suspend.
func TestChartGap(t *testing.T) {
	page := sinktest.Render(t, "html", sinktest.Variant{}, history(6)...)
	data := regexp.MustCompile(`id="data-series">(.*?)</script>`).FindSubmatchIndex(page)
	if data == nil {
		t.Fatal("the page has no series")
	}
	var series map[string]any
	if err := json.Unmarshal(page[data[2]:data[3]], &series); err != nil {
		t.Fatal(err)
	}
	for _, edge := range []string{"start", "end"} {
		for i := range 3 {
			series[edge].([]any)[3+i] = series[edge].([]any)[3+i].(float64) + 20_000
		}
	}
	text, err := json.Marshal(series)
	if err != nil {
		t.Fatal(err)
	}
	b := chromium(t)
	for want, page := range map[int][]byte{0: page, 2: slices.Concat(page[:data[2]], text, page[data[3]:])} { // a gap makes the outline go down and up again
		s := show(t, b, desktop, save(t, page))
		s.wait(shown)
		drawn := value[[]string](s, `[...document.querySelectorAll("#chart path.area")].map((p) => p.getAttribute("d"))`)
		bottom := map[string]bool{}
		for _, d := range drawn {
			vertical := regexp.MustCompile(`V([0-9.]+)H`).FindAllStringSubmatch(d, -1)
			if len(vertical) != want {
				t.Errorf("an area goes down %d times, want %d: %s", len(vertical), want, d)
			}
			for _, v := range vertical {
				bottom[v[1]] = true
			}
		}
		if len(drawn) == 0 || len(bottom) != want/2 {
			t.Errorf("%d areas go down to %v", len(drawn), bottom)
		}
	}
}

// TestChart: the chart shows values, hides layers, zooms, and changes breakdown and unit.
func TestChart(t *testing.T) {
	s := show(t, chromium(t), desktop, file(t, history(120)...))
	s.wait(shown)
	areas := func() int { return value[int](s, `document.querySelectorAll("#chart path.area").length`) }
	if n := areas(); n != 9 {
		t.Errorf("%d areas, want eight sources and everything else", n)
	}
	box := value[[]float64](s, `(() => { const r = document.getElementById("chart").getBoundingClientRect(); return [r.left, r.top, r.width, r.height] })()`)
	x, y := box[0]+box[2]/2, box[1]+box[3]/2
	s.must(s.Move(x, y))
	s.wait(`!document.querySelector("#chart .tip").hidden`)
	if text := value[string](s, `document.querySelector("#chart .tip").innerText`); strings.Count(text, "bps") != 10 || !strings.Contains(text, "UTC") {
		t.Errorf("the values are %q", text)
	}
	s.click("#legend button")
	if n := areas(); n != 8 {
		t.Errorf("%d areas with one hidden", n)
	}
	s.click("#legend button")
	s.run(`const by = document.getElementById("chart-by"); by.value = "proto"; by.dispatchEvent(new Event("change"))`)
	if n := areas(); n != 2 {
		t.Errorf("%d areas by protocol", n)
	}
	s.run(`const unit = document.getElementById("chart-unit"); unit.value = "packets"; unit.dispatchEvent(new Event("change"))`)
	if text := value[string](s, `document.getElementById("chart").textContent`); !strings.Contains(text, "pps") {
		t.Errorf("in packets, the axis is %s", text)
	}
	before := value[string](s, `document.querySelector("#chart svg").textContent`)
	s.must(s.Drag(x-200, y, x+100, y))
	s.wait(`!document.getElementById("chart-reset").hidden`)
	if after := value[string](s, `document.querySelector("#chart svg").textContent`); after == before {
		t.Error("dragging did not zoom")
	}
	s.click("#chart-reset")
	s.wait(`document.getElementById("chart-reset").hidden`)
	s.run(`document.getElementById("chart").focus(); document.getElementById("chart").dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowRight" }))`)
	s.wait(`!document.querySelector("#chart .tip").hidden`)

	// A key that changes the page keeps the focus.
	s.run(`const b = document.querySelectorAll("#legend button")[1]; b.focus(); b.click()`)
	if text := value[string](s, `document.activeElement.dataset.key + document.activeElement.getAttribute("aria-pressed")`); !strings.HasPrefix(text, "top:") || !strings.HasSuffix(text, "false") {
		t.Errorf("the focus is on %q", text)
	}
	s.check()
}

// TestTouch: a touch shows values, until the next touch elsewhere.
func TestTouch(t *testing.T) {
	s := show(t, chromium(t), phone, file(t, history(60)...))
	s.wait(shown)
	const touch = `const box = document.getElementById("chart"), r = box.getBoundingClientRect();
		const at = (type, node) => node.dispatchEvent(new PointerEvent(type, { pointerType: "touch", bubbles: true, clientX: r.left + r.width / 2, clientY: r.top + r.height / 2 }));`
	s.run(touch + `for (const type of ["pointerdown", "pointerup", "pointerleave"]) at(type, box)`)
	s.wait(`!document.querySelector("#chart .tip").hidden`)
	s.check()
	s.run(touch + `at("pointerdown", document.body)`)
	s.wait(`document.querySelector("#chart .tip").hidden`)
	s.check()
}

// TestThemes: the page is light or dark as the system, until the user chooses.
func TestThemes(t *testing.T) {
	b := chromium(t)
	address := file(t, history(3)...)
	ground := func(s *tab) string { return value[string](s, `getComputedStyle(document.body).backgroundColor`) }
	light, dark := show(t, b, desktop, address), show(t, b, browser.View{Width: 1280, Height: 900, Dark: true}, address)
	l, d := ground(light), ground(dark)
	if l == d {
		t.Errorf("light and dark are both %s", l)
	}
	light.click("#theme") // light
	light.click("#theme") // dark
	if got := ground(light); got != d {
		t.Errorf("dark is chosen, the ground is %s", got)
	}
	light.check()
	dark.check()
}

// TestHeading: a saved page shows its source in the heading and in the title.
func TestHeading(t *testing.T) {
	b := chromium(t)
	live, capture := golden(t, "by-src"), golden(t, "intervals")
	live.Sort = "packets"
	for _, c := range []struct {
		r           *flow.Report
		title, what string
		foot        []string
	}{
		{live, "web-3 · eth0 · 22 Nov, 10 s", "web-3 · eth0 · tc (clsact) · 2026-11-22 09:30:00 UTC, 10 s · by src · sorted by packets · it's slow",
			[]string{"pktstat v0.0.0-test on web-3 (Linux 6.12.0-test).", `Command line: pktstat -i eth0 --note 'it'"'"'s slow'`}},
		{capture, "trace.pcap · 22 Nov, 1.25 s", "trace.pcap · pcap (file) · 2026-11-22 09:30:00 UTC, 1.25 s", []string{"on web-3", "--pcap-file trace.pcap"}},
	} {
		s := show(t, b, desktop, file(t, c.r))
		s.wait(shown)
		if got := value[string](s, `document.title`); got != c.title {
			t.Errorf("title %q, want %q", got, c.title)
		}
		if got := value[string](s, `document.getElementById("what").textContent`); got != c.what {
			t.Errorf("heading %q, want %q", got, c.what)
		}
		for _, want := range c.foot {
			if got := value[string](s, `document.getElementById("foot").textContent`); !strings.Contains(got, want) {
				t.Errorf("footer %q does not have %q", got, want)
			}
		}
		s.Close()
	}
	s := show(t, b, desktop, file(t, live))
	s.wait(shown)
	if got := value[string](s, `document.getElementById("table-title").textContent + "; " + document.getElementById("matches").textContent`); !strings.HasPrefix(got, "Sources; 4 sources. Bytes and rates: layer 2 (frames).") {
		t.Errorf("the table is called %q", got)
	}
	s.check()
}

// TestOverflowReasons: the page shows why packets have no row.
func TestOverflowReasons(t *testing.T) {
	s := show(t, chromium(t), desktop, file(t, golden(t, "sums")))
	s.wait(shown)
	if got := value[string](s, `document.getElementById("accounting").textContent`); !strings.Contains(got, "beyond --max-flows, kernel table full") {
		t.Errorf("the account is %q", got)
	}
}

// TestPrint: a print has all parts and a bounded table. After it, the page is as before.
func TestPrint(t *testing.T) {
	s := show(t, chromium(t), desktop, file(t, sinktest.ManyFlows(2000)))
	s.wait(shown)
	s.run(`dispatchEvent(new Event("beforeprint"))`)
	if n := value[int](s, `document.querySelectorAll("#flows tbody tr.row").length`); n != 250 {
		t.Errorf("%d rows are printed", n)
	}
	s.run(`dispatchEvent(new Event("afterprint"))`)
	if n := value[int](s, `document.querySelectorAll("#flows tbody tr.row").length`); n > 100 {
		t.Errorf("%d rows after printing", n)
	}
	pdf, err := s.PDF()
	s.must(err)
	if !bytes.HasPrefix(pdf, []byte("%PDF-")) || len(pdf) < 50_000 {
		t.Errorf("%d bytes of PDF: %.8s", len(pdf), pdf)
	}
	s.check()
}

// Names that could become markup or break the layout.
var hostile = []string{
	`</script><script>window.hacked = 1</script>`, `<img src=x onerror="window.hacked = 1">`, `"><svg onload=window.hacked=1>`, `javascript:window.hacked=1`,
	"\x1b[2J\x1b]0;owned\a\u009b31m", "\u202egpj.exe\u2066 \u200b\u2028\ufeff", "nul\x00nul", `{{constructor.constructor("window.hacked=1")()}}`, `__proto__`, `back\slash`,
	strings.Repeat("A", 10_000), strings.Repeat("\u0301\u202e", 5000),
}

// inert returns the effects that a hostile name has had on the page.
const inert = `(() => {
  const bad = [];
  if (window.hacked !== undefined || ({}).hacked !== undefined) bad.push("script ran");
  for (const n of document.querySelectorAll("img, iframe, object, embed, a[href], svg svg, link[rel=stylesheet][href^=http]")) bad.push("element " + n.tagName);
  const raw = /[\u0000-\u0008\u000e-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/;
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) if (!walk.currentNode.parentElement.closest("script, style") && raw.test(walk.currentNode.data)) bad.push("text " + JSON.stringify(walk.currentNode.data.slice(0, 60)));
  for (const n of document.querySelectorAll("[title]")) if (raw.test(n.title.replaceAll("\n", ""))) bad.push("title " + JSON.stringify(n.title.slice(0, 60)));
  if (raw.test(document.title)) bad.push("window title");
  return bad;
})()`

// hostileReport returns a report with hostile names in every place for names.
func hostileReport() *flow.Report {
	r := sinktest.ManyFlows(len(hostile))
	r.Backend, r.Attach, r.Reason, r.Notes = hostile[0], hostile[4], hostile[5], hostile
	r.Interfaces, r.Alternatives = nil, nil
	r.Cgroups, r.Origin = hostile, flow.Origin{Host: hostile[0], Kernel: hostile[1], Version: hostile[4], Args: hostile, Note: hostile[5]}
	for _, name := range hostile {
		r.Alternatives = append(r.Alternatives, flow.Alternative{Backend: name, Why: name})
	}
	for i, p := range r.Packed {
		p.Key.Ifindex = uint32(i + 1)
		r.Interfaces = append(r.Interfaces, flow.Interface{Index: p.Key.Ifindex, Name: hostile[i]})
	}
	return r
}

func TestHostileNames(t *testing.T) {
	b := chromium(t)
	page := sinktest.Render(t, "html", sinktest.Variant{}, hostileReport())
	for name, text := range map[string][]byte{"as written": page, "in every field": withFields(t, page)} {
		t.Run(name, func(t *testing.T) {
			address := save(t, text)
			for _, v := range []browser.View{desktop, phone} {
				s := show(t, b, v, address)
				s.wait(shown)
				s.run(`document.querySelector("#flows tbody tr.row").click()`)
				s.wait(`document.getElementById("details").open`)
				for _, bad := range value[[]string](s, inert) {
					t.Error(bad)
				}
				s.click("#details-close")
				// Each listed entry can be clicked, and finds rows.
				for i := range value[int](s, `document.querySelectorAll(".breakdown button.item").length`) {
					s.run(fmt.Sprintf(`document.querySelectorAll(".breakdown button.item")[%d].click()`, i))
					if text := value[string](s, `document.getElementById("matches").textContent`); strings.HasPrefix(text, "0 ") {
						t.Errorf("no row matches %s", value[string](s, `document.getElementById("search").value`))
					}
				}
				for _, bad := range value[[]string](s, inert) {
					t.Error(bad)
				}
				s.check()
			}
		})
	}
}

// withFields adds hostile owners and unknown fields to the flows of a page.
func withFields(t *testing.T, page []byte) []byte {
	t.Helper()
	const open = `id="data-report">`
	start := bytes.Index(page, []byte(open)) + len(open)
	end := start + bytes.Index(page[start:], []byte("</script>"))
	var report map[string]any
	if err := json.Unmarshal(page[start:end], &report); err != nil {
		t.Fatal(err)
	}
	for i, f := range report["flows"].([]any) {
		fields := f.(map[string]any)
		for _, name := range []string{"comm", "container", "cgroup", "match", "planet", "unheard_of"} {
			fields[name] = strings.ReplaceAll(hostile[i], "\x00", "\\u0000")
			if i < len(hostile)-2 {
				fields[name] = hostile[i] + name
			}
		}
		fields["pid"], fields["uid"], fields["nested"] = i+1, i, map[string]any{"name": hostile[i]}
		fields["unheard_number"] = i
	}
	text, err := json.Marshal(report)
	if err != nil {
		t.Fatal(err)
	}
	return slices.Concat(page[:start], text, page[end:])
}

// TestProcesses: each field of a row has a column. A label also has a breakdown.
func TestProcesses(t *testing.T) {
	page := withFields(t, sinktest.Render(t, "html", sinktest.Variant{}, hostileReport()))
	s := show(t, chromium(t), desktop, save(t, page))
	s.wait(shown)
	for _, kind := range []string{"hosts", "flows", "processes", "container", "planet", "uid", "ports", "protocols", "cgroup", "iface"} {
		if n := value[int](s, fmt.Sprintf(`document.querySelectorAll('[data-kind=%q] button.item').length`, kind)); n == 0 {
			t.Errorf("no breakdown by %s", kind)
		}
	}
	for _, column := range []string{"comm", "pid", "uid", "container", "match", "planet", "unheard_of", "nested"} {
		s.wait(fmt.Sprintf(`document.querySelector('[data-sort=%q]')`, column))
	}
	s.wait(`document.querySelector('th.num [data-sort="unheard_number"]')`)
	s.check()
}
