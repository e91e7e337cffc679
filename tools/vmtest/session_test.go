package vmtest

import (
	"bytes"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pktstat/pktstat/internal/test/linuxversion"
	"github.com/pktstat/pktstat/tools/vmtest/protocol"
)

// recorded is a recorded session with the runs of TestFailuresAreSeen.
const recorded = "testdata/failures.tests.log"

// follow reads a session of n runs.
func follow(t *testing.T, line io.Reader, n int) (*session, error) {
	t.Helper()
	s := &session{
		plan: protocol.Plan{Runs: make([]protocol.Run, n)}, isTest: true, outDir: t.TempDir(),
		onNext: func(string, time.Duration) {}, onEnd: func(*PackageResult) {},
	}
	for i := range s.plan.Runs {
		s.plan.Runs[i].Name = string(rune('a' + i))
	}
	err := s.read(line)
	return s, err
}

func TestRecordedSession(t *testing.T) {
	f, err := os.Open(recorded)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	s, err := follow(t, f, 14)
	if err != nil {
		t.Fatal(err)
	}
	const release = "7.3.4+deb13-cloud-amd64"
	got := s.problems(release, linuxversion.Version{Major: 7, Minor: 3}, false)
	want := []string{
		"e: TestFailure/skipnow was skipped for a feature that Linux has since 4.18",
		"f: TestFailure/skipwhatever was skipped, but not for a feature of a later kernel",
		"g: exit status 1", "g: TestFailure failed", "g: TestFailure/error failed",
		"h: exit status 2", "h: TestFailure did not end", "h: TestFailure/panic failed",
		"i: signal: killed", "i: TestFailure did not end", "i: TestFailure/kill did not end",
		"j: exit status 2", "j: TestFailure did not end", "j: TestFailure/hang did not end",
		"l: no test ran: does the filter match any?",
		"m: did not end", "m: TestFailure did not end", "m: TestFailure/crash did not end",
		"the machine stopped after 13 of 14 runs",
	}
	if !slices.Equal(got, want) {
		t.Errorf("problems:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if s.release != release || s.boot < 1 || s.boot > 60 {
		t.Errorf("release %q, up after %v s", s.release, s.boot)
	}
	if sent, err := os.ReadFile(s.outDir + "/sub/report"); err != nil || string(sent) != "TestFailure/none" {
		t.Errorf("the file that a test sent: %q, %v", sent, err)
	}
	for _, want := range []Test{
		{"TestFailure", "pass", 0.06, ""},
		{"TestFailure/none", "pass", 0.03, "    failure_test.go:20: all is well\n"},
	} {
		i := slices.IndexFunc(s.results[0].Tests, func(x Test) bool { return x.Name == want.Name })
		if i < 0 {
			t.Fatalf("no result of %s", want.Name)
		}
		got := s.results[0].Tests[i]
		if got.Outcome != want.Outcome || got.Seconds <= 0 || !strings.Contains(got.Output, want.Output) {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
	if p := s.results[7]; !strings.Contains(p.Tests[0].Output+p.Tests[1].Output+p.Output, "panic: on purpose") {
		t.Errorf("the panic's text is lost: %+v", p)
	}
}

// TestCutOffSession: a line that is cut off at any place gives a problem, but no error of the
// reader.
func TestCutOffSession(t *testing.T) {
	whole, err := os.ReadFile(recorded)
	if err != nil {
		t.Fatal(err)
	}
	first, _, found := bytes.Cut(whole, []byte("\x1e{\"kind\":\"start\",\"run\":1}"))
	if !found {
		t.Fatal("the recorded session has no second run")
	}
	for _, cut := range []int{0, 10, bytes.Index(first, []byte("=== RUN")) + 3, len(first) / 2, len(first)} {
		s, err := follow(t, bytes.NewReader(first[:cut]), 1)
		if cut == 10 {
			if err == nil {
				t.Error("no error for half an event")
			}
			continue
		}
		if err != nil {
			t.Errorf("cut after %d bytes: %v", cut, err)
		}
		if p := s.problems(s.release, linuxversion.Version{Major: 7}, false); len(p) == 0 {
			t.Errorf("cut after %d bytes: no problem", cut)
		}
	}
}

func TestBadSessions(t *testing.T) {
	for name, events := range map[string][]protocol.Event{
		"starts twice":   {{Kind: protocol.Start}, {Kind: protocol.Start}},
		"end alone":      {{Kind: protocol.Exit}},
		"wrong order":    {{Kind: protocol.Start, Run: 1}},
		"beyond":         {{Kind: protocol.Start}, {Kind: protocol.Exit}, {Kind: protocol.Start, Run: 1}, {Kind: protocol.Exit, Run: 1}, {Kind: protocol.Start, Run: 2}},
		"file elsewhere": {{Kind: protocol.File, Text: "../x"}},
		"guest failed":   {{Kind: protocol.Failed, Text: "mount: no"}},
	} {
		var line bytes.Buffer
		for _, e := range events {
			if err := protocol.Write(&line, e); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := follow(t, &line, 2); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestOtherKernelIsAProblem(t *testing.T) {
	s := session{release: "6.1.0", done: true}
	if p := s.problems("6.12.0", linuxversion.Version{}, true); len(p) != 1 {
		t.Errorf("problems: %q", p)
	}
}

func TestKernelTrouble(t *testing.T) {
	for file, want := range map[string][]string{
		"clean":   nil,
		"panic":   {"BUG: on purpose", "Kernel panic - not syncing: sysrq triggered crash"},
		"oom":     {"Out of memory: Killed process 106 (tail)"},
		"warning": {"[ cut here ]", "WARNING: CPU: 1 PID: 1 at arch/x86/kernel/traps.c:1120 exc_debug_kernel+0xca/0x160"},
	} {
		log, err := os.ReadFile("testdata/" + file + ".console.log")
		if err != nil {
			t.Fatal(err)
		}
		got, err := kernelTrouble(bytes.NewReader(log))
		if err != nil {
			t.Fatal(err)
		}
		ok := len(got) == len(want)
		for i := range want {
			ok = ok && strings.Contains(got[i], want[i])
		}
		if !ok {
			t.Errorf("%s: %q, want %q", file, got, want)
		}
	}
	log := "[    9.1] WARNING: CPU: 0 PID: 1 at x.c:1\n[   10.2] " + protocol.SetUp + "\r\n[   11.3] BUG: y\n"
	if got, err := kernelTrouble(strings.NewReader(log)); err != nil || len(got) != 1 || !strings.Contains(got[0], "BUG: y") {
		t.Errorf("%q, %v: want the line after the machine was set up", got, err)
	}
}
