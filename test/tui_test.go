package test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pktstat/pktstat/internal/test/testenv"
	"github.com/pktstat/pktstat/internal/test/testnet"
)

var update = flag.Bool("update", false, "write the screens of testdata/tui, and what documents show, instead of comparing with them")

// screen is a terminal in which a shell runs pktstat, with its own tmux server.
type screen struct {
	t            *testing.T
	tmux, socket string
}

// newScreen runs a shell command in a terminal of a size, inside a host. If host is nil, it uses
// the test's own namespace. The terminal stays after the command ends.
func newScreen(t *testing.T, host *testnet.Host, width, height int, command string) *screen {
	t.Helper()
	s := &screen{t, testenv.Tool(t, "tmux", "tmux"), filepath.Join(t.TempDir(), "tmux")}
	config := filepath.Join(t.TempDir(), "tmux.conf")
	if err := os.WriteFile(config, []byte("set -g status off\nset -g mouse on\nset -g escape-time 0\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(s.tmux, "-u", "-f", config, "-S", s.socket, "new-session", "-d",
		"-x", fmt.Sprint(width), "-y", fmt.Sprint(height), command+"; echo \"exit code $?\"; exec sleep 600")
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8", "SHELL=/bin/sh", "TERM=xterm-256color", "NO_COLOR=", "COLUMNS=", "LINES=")
	cmd.Dir = root
	run := cmd.Run
	if host != nil {
		run = func() error { return host.Run(cmd) }
	}
	if err := run(); err != nil {
		t.Fatalf("%s: %v", cmd, err)
	}
	t.Cleanup(func() { _ = exec.Command(s.tmux, "-S", s.socket, "kill-server").Run() })
	return s
}

func (s *screen) do(args ...string) string {
	s.t.Helper()
	out, err := exec.Command(s.tmux, append([]string{"-u", "-S", s.socket}, args...)...).Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			out = exit.Stderr
		}
		s.t.Fatalf("tmux %q: %v: %s", args, err, out)
	}
	return string(out)
}

func (s *screen) keys(keys ...string) { s.do(append([]string{"send-keys"}, keys...)...) }

// text returns the text on the screen.
func (s *screen) text() string { return s.do("capture-pane", "-p") }

// wait waits until the screen shows all texts, and no text that is given with a leading "!".
func (s *screen) wait(texts ...string) string {
	s.t.Helper()
	return s.until(strings.Join(texts, `", "`), func(screen string) bool {
		for _, text := range texts {
			text, not := strings.CutPrefix(text, "!")
			if strings.Contains(screen, text) == not {
				return false
			}
		}
		return true
	})
}

func (s *screen) until(what string, done func(screen string) bool) string {
	s.t.Helper()
	return s.within(30*time.Second, what, done)
}

func (s *screen) within(limit time.Duration, what string, done func(screen string) bool) string {
	s.t.Helper()
	late := time.Now().Add(limit)
	for {
		text := s.text()
		if done(text) {
			return text
		}
		if time.Now().After(late) {
			s.t.Fatalf("the screen does not show %q:\n%s", what, text)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// same waits until the screen equals a file of testdata/tui.
func (s *screen) same(name string) {
	s.t.Helper()
	file := filepath.Join("testdata", "tui", name)
	if *update {
		before := ""
		text := s.until("rest", func(screen string) bool {
			time.Sleep(200 * time.Millisecond)
			defer func() { before = screen }()
			return screen == before
		})
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			s.t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		s.t.Fatal(err)
	}
	s.until(file, func(screen string) bool { return screen == string(want) })
}

// TestTUIOnACapture: typical use with a capture. The capture does not change, so the screens do not
// either.
func TestTUIOnACapture(t *testing.T) {
	for _, size := range []struct{ width, height int }{{80, 24}, {40, 12}, {200, 50}} {
		name := fmt.Sprintf("%dx%d", size.width, size.height)
		t.Run(name, func(t *testing.T) {
			report := filepath.Join(t.TempDir(), "run.json")
			s := newScreen(t, nil, size.width, size.height,
				pktstat(t)+" --pcap-file testdata/mix.pcap -g --output json="+report)
			s.wait("End of the capture")
			s.same("flows." + name)
			s.keys("H")
			s.wait("Host")
			s.keys("j", "j", "3")
			s.same("hosts-sorted." + name)
			s.keys("Enter")
			s.wait("Esc back")
			s.same("host-details." + name)
			s.keys("Escape") // a key right after it would be read as Alt and that key
			s.wait("!Esc back")
			s.keys("P", "f")
			s.wait("filter:")
			s.keys("-l", "tcp !:443")
			s.keys("Enter")
			s.same("ports-filtered." + name)
			s.keys("Escape")
			s.wait("!filter: tcp")
			s.keys("F", "/")
			s.keys("-l", ":587")
			s.same("search." + name)
			s.keys("Enter", "?")
			s.wait("Keys")
			s.keys("Escape")
			s.wait("!Keys")
			s.keys("q")
			s.wait("exit code 0", "!Enter details")
			readReport(t, report).checkSums(t)
		})
	}
}

// TestTUICharacters: the screen has Braille and arrows if locale and terminal support them, else
// ASCII.
func TestTUICharacters(t *testing.T) {
	beyond := func(r rune) bool { return r > '~' }
	for _, tc := range []struct {
		env  string
		fine bool
	}{
		{"LC_ALL=C.UTF-8", true},
		{"LC_ALL=C", false},
		{"LC_ALL= LC_CTYPE= LANG=de_DE.ISO-8859-1", false},
		{"LC_ALL=C.UTF-8 TERM=linux", false},
	} {
		t.Run(tc.env, func(t *testing.T) {
			s := newScreen(t, nil, 80, 24, "env "+tc.env+" "+pktstat(t)+" --pcap-file testdata/mix.pcap -g")
			for _, keys := range []string{"", "Enter", "Escape", "?"} {
				if keys != "" {
					s.keys(keys)
				}
				text := s.wait(map[string]string{"": "End of the capture", "Enter": "Esc back", "Escape": "!Esc back", "?": "Keys"}[keys])
				if !tc.fine && strings.ContainsFunc(text, beyond) {
					t.Errorf("after %q:\n%s", keys, text)
				}
				braille := func(r rune) bool { return r > 0x2800 && r <= 0x28ff }
				if keys == "" && tc.fine != (strings.Contains(text, "▼") && strings.ContainsFunc(text, braille)) {
					t.Errorf("has Braille: %t\n%s", !tc.fine, text)
				}
			}
			s.keys("q")
		})
	}
}

// TestTUILive: the screen shows live traffic, and survives resizing and messages. Each way to end
// it restores the terminal, and the other outputs get their report.
func TestTUILive(t *testing.T) {
	testenv.Privileged(t)
	for _, key := range []string{"q", "x", "C-c"} {
		t.Run(key, func(t *testing.T) {
			a, b := testnet.Pair(t, testnet.Link{})
			report := filepath.Join(t.TempDir(), "run.json")
			s := newScreen(t, a.Host, 80, 24, "stty -a; "+pktstat(t)+" -g -r 200ms -i "+a.Name+" --output json="+report+"; code=$?; stty -a; (exit $code)")
			s.wait("every 200ms", a.Name)
			sent := testnet.SendUDP(t, b, a, testnet.UDP{Payload: 100, Count: 50})
			s.wait("UDP", sent.Key.Src.String(), "50 packets")
			s.do("resize-window", "-x", "40", "-y", "12")
			s.until("40 columns", func(screen string) bool {
				return strings.Count(screen, "\n") == 12 && strings.Contains(screen, "Rate▼") && strings.Contains(screen, "1/")
			})
			s.do("resize-window", "-x", "120", "-y", "30")
			s.wait("Protocols", "Enter details")
			s.keys(key)
			text := s.wait("exit code 0", "counting on "+a.Name)
			if strings.Contains(text, "-echo ") || strings.Contains(text, "-icanon") {
				t.Errorf("the terminal is not restored:\n%s", text)
			}
			if r := readReport(t, report); r.Total.Packets < 50 {
				t.Errorf("the report has %d packets, 50 were sent", r.Total.Packets)
			}
		})
	}
}
