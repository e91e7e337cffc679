package main

import (
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const (
	docs     = "../../../../docs/"
	recorded = docs + "performance/run.md"
)

func readFile(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Clean(path))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestUpToDate: the page and the chart are what the recorded run makes of them.
func TestUpToDate(t *testing.T) {
	r := parse(readFile(t, recorded))
	page := readFile(t, docs+"performance.md")
	filled, err := fill([]byte(page), r)
	if err != nil || string(filled) != page {
		t.Errorf("docs/performance.md is not what make generate makes (%v)", err)
	}
	drawing, err := draw(r)
	if err != nil || drawing != readFile(t, docs+"performance.svg") {
		t.Errorf("docs/performance.svg is not what make generate makes (%v)", err)
	}
}

// A run as `make bench` writes it, with and without another tool.
const (
	alone = `
### Many flows: ns a packet net of an empty program

| hook | packet | flows | packets over flows | table | flows are | empty | floor | pktstat | pktstat / floor |
|---|---|---|---|---|---|--:|--:|--:|--:|
| tc | UDP4 | 1 | uniform | default | warm | 30.0 | 10.0 | 20.0 | 2.000 (1.9–2.1) |
| tc | UDP4 | 64k | uniform | default | new | 30.0 | 999.0 | 999.0 | 1.000 (1.0–1.0) |
| tc | UDP4 | 64k | uniform | default | warm | 30.0 | 50.0 | 60.0 | 1.200 (1.1–1.3) |
| tc | UDP4 | 1M | uniform | default | warm | 30.0 | 999.0 | 999.0 | 1.000 (1.0–1.0) |
| tc | UDP4 | 1M | uniform | fit | warm | 30.0 | 100.0 | 150.0 | 1.500 (1.4–1.6) |
| xdp | UDP4 | 1 | uniform | default | warm | 30.0 | 10.0 | 20.0 | 2.000 (1.9–2.1) |
| xdp | UDP4 | 64k | uniform | default | warm | 30.0 | 50.0 | 60.0 | 1.200 (1.1–1.3) |
| xdp | UDP4 | 1M | uniform | fit | warm | 30.0 | 100.0 | 380.0 | 3.800 (3.7–3.9) |
`
	sockets1 = `
### Sockets that talk over lo: ns a call net of an empty program

| hook | traffic | empty | pktstat | pktstat, processes | application bytes | pktstat / application bytes |
|---|---|--:|--:|--:|--:|--:|
| tc | UDP4 | 60.0 | 33.2 | 396.8 |  |  |
| tc | TCP4 | 60.0 | 31.5 | 411.8 |  |  |
| kprobe | UDP4 | 60.0 | 500.0 |  | 250.0 | 2.000 (1.9–2.1) |

### The same, as exchanges in a second of CPU time: share

| hook | traffic | nothing, exchanges/s | empty | pktstat | pktstat, processes | application bytes |
|---|---|--:|--:|--:|--:|--:|
| tc | UDP4 | 1000 | 0.99 (0.9–1.0) | 0.972 (0.9–1.0) | 0.881 (0.8–0.9) |  |
| tc | TCP4 | 1000 | 0.99 (0.9–1.0) | 0.95 (0.9–1.0) | 0.909 (0.8–0.9) |  |
| kprobe | UDP4 | 1000 | 0.99 (0.9–1.0) | 0.777 (0.7–0.8) |  | 0.924 (0.9–1.0) |
`
)

// TestChart: the longest bar is the highest cost of the rows that are shown, and a run
// without another tool has a chart, too.
func TestChart(t *testing.T) {
	drawing, err := draw(parse(alone))
	if err != nil {
		t.Fatal(err)
	}
	for what, n := range map[string]int{`width="380"`: 1, ">380<": 1, ">999<": 0, ">pktstat<": 1, `class="p2"`: 7, `class="p3"`: 0} {
		if got := strings.Count(drawing, what); got != n {
			t.Errorf("the chart has %s %d times, want %d", what, got, n)
		}
	}
	for d := xml.NewDecoder(strings.NewReader(drawing)); ; {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
}

func TestSockets(t *testing.T) {
	text, err := sockets(parse(sockets1))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"| tc | 32–33 | 397–412 |  | 0.95–0.97 | 0.88–0.91 |  |\n",
		"| kprobe | 500 |  | 2.0 | 0.78 |  | 0.92 |\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%s\nhas no line %s", text, want)
		}
	}
}

// TestIncompleteRuns: what a run lacks is named.
func TestIncompleteRuns(t *testing.T) {
	live := "\n### Live frames over veth\n\n| hook | flows | empty, Mpackets/s | floor | pktstat |\n|---|---|\n"
	for name, c := range map[string]struct{ run, want string }{
		"nothing":        {"# A run\n", `no table "Live frames`},
		"one experiment": {live, `no table "Many flows`},
		"few flows":      {live + strings.Replace(alone, "| tc | UDP4 | 1 |", "| tc | UDP4 | 2 |", 1), "0 rows for tc and 1 flow"},
		"alone":          {live + alone, "no other tool"},
	} {
		if _, err := fill([]byte("<!-- ratios -->\n<!-- end -->\n"), parse(c.run)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	if _, err := draw(parse("# A run\n")); err == nil {
		t.Error("a run without costs has a chart")
	}
}
