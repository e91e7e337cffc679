package tui

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"github.com/pktstat/pktstat/flow"
)

func resize(m *model, width, height int) {
	m.Update(tea.WindowSizeMsg{Width: width, Height: height})
}

// press types keys: single characters, or names in brackets.
func press(m *model, keys string) (ended bool) {
	names := map[string]tea.Key{
		"enter": {Code: tea.KeyEnter}, "esc": {Code: tea.KeyEscape}, "tab": {Code: tea.KeyTab},
		"backtab": {Code: tea.KeyTab, Mod: tea.ModShift},
		"up":      {Code: tea.KeyUp}, "down": {Code: tea.KeyDown}, "left": {Code: tea.KeyLeft}, "right": {Code: tea.KeyRight},
		"pgup": {Code: tea.KeyPgUp}, "pgdown": {Code: tea.KeyPgDown}, "home": {Code: tea.KeyHome}, "end": {Code: tea.KeyEnd},
		"ctrl+c": {Code: 'c', Mod: tea.ModCtrl}, "backspace": {Code: tea.KeyBackspace}, "space": {Code: tea.KeySpace, Text: " "},
	}
	for keys != "" {
		r, n := utf8.DecodeRuneInString(keys)
		k := tea.Key{Code: r, Text: keys[:n]}
		if keys[0] == '[' {
			n = strings.IndexByte(keys, ']') + 1
			var ok bool
			if k, ok = names[keys[1:n-1]]; !ok {
				panic(keys)
			}
		}
		keys = keys[n:]
		_, cmd := m.Update(tea.KeyPressMsg(k))
		if cmd != nil {
			_, ended = cmd().(tea.QuitMsg)
		}
	}
	return ended
}

var sizes = []struct{ width, height int }{{80, 24}, {40, 12}, {200, 50}}

// scenes are actions of users. Each is drawn in every size.
var scenes = []struct {
	name string
	play func(m *model, w *network)
}{
	{"flows", func(*model, *network) {}},
	{"hosts", func(m *model, _ *network) { press(m, "H") }},
	{"pairs", func(m *model, _ *network) { press(m, "A") }},
	{"ports", func(m *model, _ *network) { press(m, "P") }},
	{"protocols", func(m *model, _ *network) { press(m, "R") }},
	{"interfaces", func(m *model, _ *network) { press(m, "I") }},
	{"stacked", func(m *model, w *network) {
		r := w.next()
		r.Links = []flow.Link{{Interface: w.base.Interfaces[0], StackedOn: []string{"eth1", "eth2"}}, {Interface: w.base.Interfaces[1]}}
		r.LinkTotal = flow.Counters{Packets: 1000, Bytes: 1_000_000, FrameBytes: 1_014_000}
		report(m, r)
		press(m, "I")
	}},
	{"whole-run", func(m *model, _ *network) { press(m, "c") }},
	{"details", func(m *model, _ *network) { press(m, "j[enter]") }},
	{"host-details", func(m *model, _ *network) { press(m, "H[enter]") }},
	{"help", func(m *model, _ *network) { press(m, "?") }},
	{"sorted", func(m *model, _ *network) { press(m, "3sj") }},
	{"octets", func(m *model, _ *network) { press(m, "uu ") }},
	{"searching", func(m *model, _ *network) { press(m, "/:53") }},
	{"filtering", func(m *model, _ *network) { press(m, "f198 !udp") }},
	{"filtered", func(m *model, _ *network) { press(m, "f198[enter]") }},
	{"nothing-matches", func(m *model, _ *network) { press(m, "fnothing[enter]") }},
	{"paused", func(m *model, w *network) { press(m, "p"); report(m, w.next()) }},
	{"notice", func(m *model, _ *network) { m.Update(notice("interface eth0 is gone: waiting for its return")) }},
	{"lost", func(m *model, w *network) {
		r := w.next()
		for _, s := range []*flow.Sums{&r.Sums, &r.Run} {
			s.Overflow.Counters, s.Lost.Counters = flow.Counters{Packets: 12, Bytes: 1200, FrameBytes: 1368}, flow.Counters{Packets: 3}
		}
		r.LostBytesUnknown, r.PacketsInexact = true, true
		r.Notes = []string{"egress is not seen"}
		report(m, r)
	}},
	{"retransmits", func(m *model, w *network) {
		r := w.next()
		r.Sides = make([]flow.Side, len(r.Packed))
		r.Sides[0].Health = flow.Spans[flow.Health]{Delta: flow.Health{Retransmits: 7}, Total: flow.Health{Retransmits: 7}}
		r.Total.Retransmits, r.Rest.Retransmits, r.Run.Total.Retransmits = 9, 2, 9
		report(m, r)
		r = w.next()
		r.Sides = make([]flow.Side, len(r.Packed))
		r.Sides[0].Health = flow.Spans[flow.Health]{Delta: flow.Health{Retransmits: 1500}, Total: flow.Health{Retransmits: 1507}}
		r.Total.Retransmits, r.Run.Total.Retransmits = 1500, 1509
		report(m, r)
		press(m, "c")
	}},
	{"capture-ended", func(m *model, w *network) {
		m.keeps = true
		for i := range w.talks {
			w.talks[i].key.Dir, w.talks[i].key.Ifindex = flow.DirUnknown, 0
		}
		*w = *newNetwork(w.talks)
		w.base.Interfaces, w.base.Backend, w.base.Attach, w.base.Files = nil, "pcap", "file", []string{"trace.pcap"}
		m.store = newStore()
		for range 40 {
			report(m, w.next())
		}
		report(m, w.final())
	}},
	{"no-packets", func(m *model, w *network) {
		m.store = newStore()
		w.talks = nil
		w.run = flow.Sums{}
		report(m, w.next())
	}},
	{"starting", func(m *model, _ *network) {
		m.store = newStore()
		m.Update(updated{})
	}},
}

func play(width, height, scene int) *model {
	m, w := screenOf(width, height, office(), 95)
	scenes[scene].play(m, w)
	return m
}

// TestFrames compares screens with testdata, without colours. Review the difference after -update.
func TestFrames(t *testing.T) {
	for i, scene := range scenes {
		for _, size := range sizes {
			name := fmt.Sprintf("%s.%dx%d.golden", scene.name, size.width, size.height)
			t.Run(name, func(t *testing.T) {
				frame := play(size.width, size.height, i).frame()
				checkFrame(t, frame, size.width, size.height)
				var lines []string
				for line := range strings.SplitSeq(ansi.Strip(frame), "\n") {
					lines = append(lines, strings.TrimRight(line, " "))
				}
				golden(t, name, strings.Join(lines, "\n")+"\n")
			})
		}
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if flag.Lookup("update").Value.String() == "true" {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v (go test -update writes it)", err)
	}
	if got != string(want) {
		t.Errorf("differs from %s (go test -update accepts it). Got\n%s\nwant\n%s", file, got, want)
	}
}

// checkFrame fails unless a frame exactly fills the screen, and styles are its only control
// sequences.
func checkFrame(t *testing.T, frame string, width, height int) {
	t.Helper()
	lines := strings.Split(frame, "\n")
	if len(lines) != height {
		t.Errorf("%d lines on a screen of %d", len(lines), height)
	}
	for i, line := range lines {
		if w := ansi.StringWidth(line); w > width {
			t.Errorf("line %d is %d columns wide on a screen of %d: %q", i, w, width, line)
		}
		for _, r := range ansi.Strip(line) {
			if !unicode.IsPrint(r) {
				t.Errorf("line %d has %q: %q", i, r, line)
			}
		}
	}
}

// TestAnySize: every scene fits every screen, also the smallest one.
func TestAnySize(t *testing.T) {
	for i := range scenes {
		m := play(80, 24, i)
		for height := 1; height <= 60; height += 3 {
			for width := 1; width <= 230; width += 7 {
				resize(m, width, height)
				checkFrame(t, m.frame(), width, height)
				if t.Failed() {
					t.Fatalf("%s at %dx%d", scenes[i].name, width, height)
				}
			}
		}
	}
}

// TestNoColor: without colours, a frame uses only bold, faint and reverse.
func TestNoColor(t *testing.T) {
	for i, scene := range scenes {
		if m := play(80, 24, i); hasColor(m.frame()) {
			t.Errorf("%s: colours in %q", scene.name, m.frame())
		}
	}
	m, _ := screenOf(80, 24, office(), 3)
	m.theme = newTheme(true)
	if !hasColor(m.frame()) {
		t.Error("no colours although colours are on: this test tests nothing")
	}
}

func hasColor(s string) bool {
	for part := range strings.SplitSeq(s, "\x1b[") {
		codes, _, _ := strings.Cut(part, "m")
		for code := range strings.SplitSeq(codes, ";") {
			if len(code) == 2 && strings.ContainsAny(code[:1], "34") || len(code) == 2 && code[0] == '9' || len(code) == 3 && code[:2] == "10" {
				return true
			}
		}
	}
	return false
}

// TestSameFrame: equal data give equal frames, independent of clock and chance.
func TestSameFrame(t *testing.T) {
	for i, scene := range scenes {
		if a, b := play(80, 24, i).frame(), play(80, 24, i).frame(); a != b {
			t.Errorf("%s: two frames:\n%s\n%s", scene.name, a, b)
		}
	}
}

// TestASCIIFrames: on an ASCII terminal, everything is ASCII and fits, including names and graphs.
func TestASCIIFrames(t *testing.T) {
	for i, scene := range scenes {
		for _, size := range sizes {
			fine := play(size.width, size.height, i)
			plain, w := screenOf(size.width, size.height, office(), 95)
			plain.ascii = true
			w.base.Interfaces = []flow.Interface{{Index: 2, Name: "größe日本"}, {Index: 3, Name: "wg0"}}
			scenes[i].play(plain, w)
			frame := plain.frame()
			checkFrame(t, frame, size.width, size.height)
			if at := strings.IndexFunc(frame, func(r rune) bool { return r >= utf8.RuneSelf }); at >= 0 {
				t.Errorf("%s, %dx%d: %.20q", scene.name, size.width, size.height, frame[at:])
			}
			// Braille characters become ASCII characters in the same places.
			braille := func(r rune) bool { return r > 0x2800 && r <= 0x28ff }
			dots, marks := strings.Split(ansi.Strip(fine.frame()), "\n"), strings.Split(ansi.Strip(frame), "\n")
			for y, line := range dots {
				drawn := []rune(line)
				for x, r := range drawn {
					if braille(r) && (x >= len(marks[y]) || marks[y][x] == ' ') {
						t.Fatalf("%s, %dx%d: nothing at %d,%d for %c", scene.name, size.width, size.height, x, y, r)
					}
				}
			}
		}
	}
}

// TestHostileStrings: names from outside stay text in every part of the screen.
func TestHostileStrings(t *testing.T) {
	hostile := []string{
		"\x1b[2J\x1b]0;owned\a", "\u202egpj.exe\u2066", "bad\xff\xfeutf8", "\u009b31mC1", "new\nline", "nul\x00",
		strings.Repeat("long", 2500), "日本語日本語日本語日本語",
	}
	for _, name := range hostile {
		for _, i := range []int{0, 7, 13} {
			m, w := screenOf(80, 24, office(), 2)
			w.base.Backend, w.base.Attach, w.base.Notes, w.base.Origin.Host = name, name, []string{name}, name
			w.base.Interfaces = []flow.Interface{{Index: 2, Name: name}, {Index: 3, Name: name + "2"}}
			report(m, w.next())
			scenes[i].play(m, w)
			m.Update(notice(name))
			for _, keys := range []string{"", "I", "[enter]", "?", "?f" + name[:1], "[esc]/x", "[esc]"} {
				if name[0] >= ' ' && name[0] < 0x7f {
					press(m, keys)
				}
				m.Update(tea.PasteMsg{Content: name})
				checkFrame(t, m.frame(), 80, 24)
			}
			if t.Failed() {
				t.Fatalf("%.20q in scene %s", name, scenes[i].name)
			}
		}
	}
}

// TestNoticeGoes: without a key press, a notice disappears after some time.
func TestNoticeGoes(t *testing.T) {
	m, w := screenOf(80, 24, office(), 3)
	m.Update(notice("eth0 is gone"))
	if !strings.Contains(m.frame(), "eth0 is gone") {
		t.Fatal("the notice is not shown")
	}
	for range 12 {
		report(m, w.next())
	}
	if strings.Contains(m.frame(), "eth0 is gone") {
		t.Error("the notice stays")
	}
}
