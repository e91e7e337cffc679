package vmtest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/pktstat/pktstat/internal/test/linuxversion"
)

// logf writes whole lines, so lines of several machines do not mix.
func (m *Matrix) logf(format string, args ...any) {
	m.mu.Lock()
	defer m.mu.Unlock()
	_, _ = fmt.Fprintf(m.Out, format+"\n", args...)
}

// report prints the result of a package, with the output of failed tests.
func (m *Matrix) report(arch string, kernel linuxversion.Version, p *PackageResult) {
	problems := p.problems(kernel, m.mayBeEmpty())
	var b strings.Builder
	fmt.Fprintf(&b, "%-5s %s  %s  %-32s %6.1fs", kernel, arch, verdict(problems), p.Package, p.Seconds)
	if n := p.count(); len(p.Tests) > 0 {
		fmt.Fprintf(&b, "  %d passed, %d skipped, %d failed", n["pass"], n["skip"], n["fail"]+n[""])
	}
	if len(problems) > 0 && m.Live == nil {
		shown := 0
		for _, t := range p.Tests {
			if t.problem(kernel) != "" && shown < maxShown {
				shown++
				b.WriteString(indent(clip(t.Output)))
			}
		}
		b.WriteString(indent(clip(p.Output)))
	}
	m.logf("%s", &b)
}

// The beginning of a failure says most. The log has everything.
const (
	maxShown = 5 // tests of a package
	maxLines = 40
	maxWidth = 400
)

// clip shortens a test's output to about a screenful.
func clip(output string) string {
	lines := strings.SplitAfter(output, "\n")
	more := len(lines) - maxLines
	if more > 0 {
		lines = append(lines[:maxLines], fmt.Sprintf("... and %d lines more\n", more))
	}
	for i, l := range lines {
		if len(l) > maxWidth {
			lines[i] = strings.ToValidUTF8(l[:maxWidth], "") + "...\n"
		}
	}
	return strings.Join(lines, "")
}

func verdict(problems []string) string {
	if len(problems) > 0 {
		return "FAIL"
	}
	return "ok  "
}

// count returns the number of tests by outcome.
func (p *PackageResult) count() map[string]int {
	n := map[string]int{}
	for _, t := range p.Tests {
		n[t.Outcome]++
	}
	return n
}

// indent returns the text with each line indented.
func indent(text string) string {
	return "\n    " + strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n    ")
}

// conclude prints the result of a kernel.
func (m *Matrix) conclude(r *Result, l *logs) {
	var b strings.Builder
	fmt.Fprintf(&b, "%-5s %s  %s  %s: up after %.1f s, all done in %.1f s",
		r.Version, r.Arch, verdict(r.Problems), r.Release, r.Boot, r.Seconds)
	for _, p := range r.Problems {
		b.WriteString(indent(p))
	}
	if len(r.Problems) > 0 {
		b.WriteString(indent("logs: " + l.dir))
	}
	m.logf("%s", &b)
}

// logs are the two serial lines of a machine, in files that stay until the next run.
type logs struct {
	dir         string
	tests       *os.File
	consoleFile *os.File
}

func (m *Matrix) openLogs(kernel string) (*logs, error) {
	l := &logs{dir: filepath.Join(m.CacheDir, "logs", kernel)}
	if err := os.MkdirAll(l.dir, 0o755); err != nil {
		return nil, err
	}
	var err error
	if l.tests, err = os.Create(filepath.Join(l.dir, "tests.log")); err != nil {
		return nil, err
	}
	if l.consoleFile, err = os.Create(filepath.Join(l.dir, "console.log")); err != nil {
		_ = l.tests.Close()
		return nil, err
	}
	return l, nil
}

func (l *logs) console(r io.Reader) error {
	_, err := io.Copy(l.consoleFile, r)
	return err
}

// trouble returns the kernel's error messages.
func (l *logs) trouble() []string {
	log, err := os.ReadFile(l.consoleFile.Name())
	if err != nil {
		return []string{err.Error()}
	}
	found, err := kernelTrouble(bytes.NewReader(log))
	if err != nil {
		found = append(found, err.Error())
	}
	for i := range found {
		found[i] = "kernel: " + found[i]
	}
	return found
}

func (l *logs) Close() error { return errors.Join(l.tests.Close(), l.consoleFile.Close()) }
