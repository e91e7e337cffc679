package everywhere

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/pktstat/pktstat/internal/test/testenv"
)

// screen is a terminal in which pktstat runs, with its own tmux server.
type screen struct {
	t            *testing.T
	tmux, socket string
}

func newScreen(t *testing.T, args string) *screen {
	t.Helper()
	s := &screen{t, testenv.Tool(t, "tmux", "tmux"), filepath.Join(t.TempDir(), "tmux")}
	command := "env " + runMain + "=1 " + os.Args[0] + " " + args + "; echo \"exit code $?\"; exec sleep 600"
	cmd := exec.Command(s.tmux, "-u", "-f", "/dev/null", "-S", s.socket, "new-session", "-d", "-x", "250", "-y", "50", command)
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8", "SHELL=/bin/sh", "TERM=xterm-256color", "NO_COLOR=", "COLUMNS=", "LINES=")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", cmd, err, out)
	}
	t.Cleanup(func() { _ = exec.Command(s.tmux, "-S", s.socket, "kill-server").Run() })
	return s
}

func (s *screen) do(args ...string) string {
	s.t.Helper()
	out, err := exec.Command(s.tmux, append([]string{"-u", "-S", s.socket}, args...)...).Output()
	if err != nil {
		s.t.Fatalf("tmux %q: %v", args, err)
	}
	return string(out)
}

// line waits for a line that matches the pattern, with single spaces between words.
func (s *screen) line(pattern string) string {
	s.t.Helper()
	re := regexp.MustCompile(pattern)
	for late := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		text := s.do("capture-pane", "-p")
		for line := range strings.Lines(text) {
			if line = strings.Join(strings.Fields(line), " "); re.MatchString(line) {
				return line
			}
		}
		if time.Now().After(late) {
			s.t.Fatalf("the screen has no line %q:\n%s", pattern, text)
		}
	}
}

// TestTUI: the view of flows has columns for the three fields, and the details have lines.
func TestTUI(t *testing.T) {
	s := newScreen(t, "--pcap-file "+capture+" --output tui,view=flows")
	head := s.line("^Proto Source ")
	for _, title := range []string{"Port class", "Doubled", "Realm"} {
		if !strings.Contains(head, title) {
			t.Errorf("no column %s in %q", title, head)
		}
	}
	first := counted(t).Flows[0]
	s.line(fmt.Sprintf(`^. ?TCP 198.51.100.20:443 .*%s .*\\x1b world .* %d\b|^TCP 198.51.100.20:443 .*%[1]s .*\\x1b world .* %[2]d\b`, first.PortClass, first.Doubled))
	s.do("send-keys", "Enter")
	s.line("Esc back")
	s.line("Port class " + first.PortClass)
	s.line(`Realm old\\x1b world`)
	s.line(fmt.Sprintf("Doubled %d", first.Doubled))
	s.do("send-keys", "q")
	s.line("^exit code 0")
}
