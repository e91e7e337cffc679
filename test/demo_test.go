package test

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/pktstat/pktstat/internal/test/testenv"
	"github.com/pktstat/pktstat/internal/test/testnet"
)

// TestDemo draws the picture of the README: pktstat watches a link on which a capture is replayed.
// `make demo` sets PKTSTAT_DEMO to the file for the picture.
func TestDemo(t *testing.T) {
	testenv.Privileged(t)
	replay := testenv.Tool(t, "tcpreplay", "tcpreplay")
	pad := testenv.Tool(t, "tcprewrite", "tcpreplay")
	capture := filepath.Join(t.TempDir(), "mix.pcap") // with frames of their original length
	if out, err := exec.Command(pad, "--fixlen=pad", "--infile="+root+"/testdata/mix.pcap", "--outfile="+capture).CombinedOutput(); err != nil {
		t.Fatalf("tcprewrite: %v: %s", err, out)
	}
	file, from := os.Getenv("PKTSTAT_DEMO"), 4
	if file != "" {
		from = 43
	}
	a, b := testnet.Pair(t, testnet.Link{})
	s := newScreen(t, a.Host, 100, 30, pktstat(t)+" -g -r 500ms -i "+a.Name)
	s.wait("every 500ms")
	// Replay in both directions, because a replay does not separate the sides.
	for speed, on := range map[string]*testnet.Iface{"--multiplier=1": b, "--multiplier=0.6": a} {
		cmd := exec.Command(replay, "--quiet", "--loop=20", speed, "--intf1="+on.Name, capture)
		if err := on.Host.Start(cmd); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		})
	}
	s.within(3*time.Minute, "traffic for some time", func(screen string) bool {
		m := ranFor.FindStringSubmatch(screen)
		if m == nil {
			return false
		}
		minutes, _ := strconv.Atoi(m[1])
		seconds, _ := strconv.Atoi(m[2])
		return 60*minutes+seconds >= from && strings.Contains(screen, "TCP")
	})
	svg := svgOf(s.do("capture-pane", "-p", "-e"), 100, 30)
	s.keys("q")
	s.wait("exit code 0")
	for d := xml.NewDecoder(strings.NewReader(svg)); ; {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("%v:\n%s", err, svg)
		}
	}
	if !strings.Contains(svg, "Rate▼") || strings.Contains(svg, "\x1b") {
		t.Errorf("not a picture of the screen:\n%s", svg)
	}
	if file != "" {
		if err := os.WriteFile(filepath.Join(root, file), []byte(svg), 0o644); err != nil { //nolint:gosec // a document
			t.Fatal(err)
		}
	}
}

var ranFor = regexp.MustCompile(`every \S+  0:(\d\d):(\d\d)`)

const (
	cellWidth, cellHeight = 8, 17
	ink, paper            = "#d8dee9", "#1b1f27"
)

// style is the look of a cell, as SGR sequences set it (ECMA-48, 8.3.117).
type style struct {
	bold, faint, reverse bool
	color                int // as in SGR; 0: the terminal's default
}

// svgOf draws a screen of text with SGR sequences.
func svgOf(screen string, width, height int) string {
	var b strings.Builder
	w, h := width*cellWidth+16, height*cellHeight+16
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d">
<rect width="100%%" height="100%%" rx="8" fill="%s"/>
<g font-family="DejaVu Sans Mono,Menlo,Consolas,monospace" font-size="13" xml:space="preserve">
`, w, h, w, h, paper)
	var st style
	for y, line := range strings.Split(strings.TrimRight(screen, "\n"), "\n") {
		x := 0
		for line != "" {
			sgr, ok := strings.CutPrefix(line, "\x1b[")
			if ok {
				var codes string
				codes, line, _ = strings.Cut(sgr, "m")
				st.set(codes)
				continue
			}
			end := strings.IndexByte(line, 0x1b)
			if end < 0 {
				end = len(line)
			}
			n := len([]rune(line[:end]))
			st.draw(&b, x, y, n, line[:end])
			x, line = x+n, line[end:]
		}
	}
	return b.String() + "</g>\n</svg>\n"
}

func (s *style) set(codes string) {
	for code := range strings.SplitSeq(codes, ";") {
		switch n, _ := strconv.Atoi(code); {
		case n == 0:
			*s = style{}
		case n == 1:
			s.bold = true
		case n == 2:
			s.faint = true
		case n == 7:
			s.reverse = true
		case n == 22:
			s.bold, s.faint = false, false
		case n == 27:
			s.reverse = false
		case n == 39:
			s.color = 0
		case n >= 30 && n <= 37, n >= 90 && n <= 97:
			s.color = n
		}
	}
}

// draw draws adjacent cells of one style. It sets the width of the text, so that any font fits the
// cells.
func (s *style) draw(b *strings.Builder, x, y, cells int, text string) {
	fill := ink
	if c, ok := map[int]string{32: "#8fc96b", 34: "#6aa7f0", 36: "#5fc4cf", 91: "#f0717a"}[s.color]; ok {
		fill = c
	}
	left, top := 8+x*cellWidth, 8+y*cellHeight
	if s.reverse {
		fmt.Fprintf(b, `<rect x="%d" y="%d" width="%d" height="%d" fill="%s"/>`+"\n", left, top, cells*cellWidth, cellHeight, fill)
		fill = paper
	}
	attributes := ""
	if s.bold {
		attributes += ` font-weight="bold"`
	}
	if s.faint {
		attributes += ` opacity=".6"`
	}
	// Word by word, because renderers treat long runs of spaces differently.
	column := 0
	for word := range strings.SplitSeq(text, " ") {
		n := len([]rune(word))
		if n > 0 {
			fmt.Fprintf(b, `<text x="%d" y="%d" textLength="%d" fill="%s"%s>`, left+column*cellWidth, top+13, n*cellWidth, fill, attributes)
			_ = xml.EscapeText(b, []byte(word))
			b.WriteString("</text>\n")
		}
		column += n + 1
	}
}
