package test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/test/testenv"
	"github.com/pktstat/pktstat/registry"

	_ "github.com/pktstat/pktstat/labels/all"
	_ "github.com/pktstat/pktstat/outputs/all"
)

// TestTranscripts runs every transcript of the documents: in each code block marked console, the
// lines after "$ ". It runs them in the repository's folder with a fresh pktstat. The output must
// be as shown; a line "..." stands for any lines.
func TestTranscripts(t *testing.T) {
	commands := 0
	for _, doc := range documents(t) {
		for _, block := range codeBlocks(t, doc, "console") {
			for _, step := range transcript(block.text) {
				commands++
				t.Run(doc, func(t *testing.T) { step.check(t, doc, block.line) })
			}
		}
	}
	if commands == 0 {
		t.Error("no document has a transcript")
	}
}

// TestGuides: the guides have transcripts. The README fits on three screens of 1280 by 900 pixels,
// which is about 80 lines.
func TestGuides(t *testing.T) {
	for _, doc := range []string{"docs/recipes.md", "docs/outputs.md", "docs/scripting.md"} {
		if len(codeBlocks(t, doc, "console")) == 0 {
			t.Errorf("%s has no code block marked console", doc)
		}
	}
	if n := strings.Count(read(t, "README.md"), "\n"); n > 80 {
		t.Errorf("README.md has %d lines, want 80 at most: docs/ has room", n)
	}
	if n := strings.Count(read(t, "docs/recipes.md"), "\n## "); n < 20 {
		t.Errorf("docs/recipes.md answers %d questions, want 20", n)
	}
}

// TestPromises: the numbers that the README promises come from the measured run.
func TestPromises(t *testing.T) {
	readme, measured := prose(t, "README.md"), ""
	for _, doc := range documents(t) {
		if strings.HasPrefix(doc, "docs/performance") {
			measured += read(t, doc)
		}
	}
	for _, c := range []struct{ promise, run string }{
		{"11 million packets", "| tc | UDP4 | pktstat | 11000000 | 0 | 0.0 % | 0 | 10 of 10 |"},
		{"15 to 18 ns", "| tc | UDP4 | 1 | uniform | default | warm | 37.9 | 8.9 | 15.4 |"},
		{"15 to 18 ns", "| xdp | UDP4 | 1 | uniform | default | warm | 36.1 | 9.1 | 18.2 |"},
		{"164 to 172 ns", "| tc | UDP4 | 1M | uniform | fit | warm | 37.8 | 133.3 | 163.7 |"},
		{"164 to 172 ns", "| xdp | UDP4 | 1M | uniform | fit | warm | 32.4 | 145.2 | 172.1 |"},
		{"162 ms of CPU time", "| 1M | next report, 40 rows | ms of CPU | 161.5 |"},
		{"160 MB", "| 1M | next report, 40 rows | MB | 160.1 |"},
		{"360 to 410 ns", "| tc | UDP4, 64 bytes and back | 61.6 | 33.2 | 396.8 |"},
		{"360 to 410 ns", "| xdp | TCP4, 32 kB and back | 76.9 | 43.3 | 450.9 |"},
	} {
		if !strings.Contains(readme, c.promise) || !strings.Contains(measured, c.run) {
			t.Errorf("README.md promises %q for the line %q of docs/performance: one of them has changed", c.promise, c.run)
		}
	}
}

// step is a command of a transcript and its output. A command may have several lines, with a
// backslash at the end.
type step struct{ command, output string }

func transcript(text string) []step {
	var steps []step
	for _, line := range strings.SplitAfter(text, "\n") {
		last := len(steps) - 1
		switch command, ok := strings.CutPrefix(line, "$ "); {
		case last >= 0 && strings.HasSuffix(steps[last].command, "\\\n"):
			steps[last].command += line
		case ok:
			steps = append(steps, step{command: command})
		case last >= 0:
			steps[last].output += line
		}
	}
	return steps
}

func (s step) check(t *testing.T, doc string, line int) {
	needsTools(t, s.command)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-c", s.command)
	cmd.Dir, cmd.WaitDelay = root, time.Second // processes of the shell may outlive it
	cmd.Env = append(os.Environ(), "PATH="+filepath.Dir(pktstat(t))+":"+os.Getenv("PATH"), "COLUMNS=", "NO_COLOR=1")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	// A transcript may show a command that fails.
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && (!errors.As(err, &exit) || !exit.Exited()) {
		t.Fatalf("%s:%d: %s: %v", doc, line, s.command, err)
	}
	text := thisMachine(t).neutral(out.String())
	if matches(s.output, text) {
		return
	}
	if *update && !strings.Contains("\n"+s.output, "\n...\n") {
		s.accept(t, doc, text)
	} else {
		t.Errorf("%s:%d: $ %s\nprints\n%s\nbut the document shows\n%s", doc, line, s.command, text, s.output)
	}
}

// needsTools skips the test if a tool that a command needs is missing.
func needsTools(t *testing.T, command string) {
	t.Helper()
	if strings.Contains(command, "| jq ") {
		testenv.Tool(t, "jq", "jq")
	}
}

// accept writes the command's output into the document.
func (s step) accept(t *testing.T, doc, out string) {
	file := filepath.Join(root, doc)
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if out = strings.TrimRight(out, "\n"); out != "" {
		out += "\n"
	}
	shown := []byte("$ " + s.command + s.output)
	if n := bytes.Count(text, shown); n != 1 {
		t.Fatalf("%s shows $ %s %d times", doc, s.command, n)
	}
	if err := os.WriteFile(file, bytes.Replace(text, shown, []byte("$ "+s.command+out), 1), 0o644); err != nil {
		t.Fatal(err)
	}
}

// matches reports whether out is want, where a line "..." in want stands for any lines.
func matches(want, out string) bool {
	pattern := regexp.QuoteMeta(strings.TrimRight(want, "\n"))
	pattern = strings.ReplaceAll("\n"+pattern+"\n", "\n\\.\\.\\.\n", "\n(?s:.*\n)?")
	return regexp.MustCompile("^" + pattern + "$").MatchString("\n" + strings.TrimRight(out, "\n") + "\n")
}

func TestMatches(t *testing.T) {
	for _, c := range []struct {
		want, out string
		ok        bool
	}{
		{"a\nb\n", "a\nb\n", true},
		{"a\n", "a\nb\n", false},
		{"a.c\n", "abc\n", false},
		{"a\n...\nd\n", "a\nb\nc\nd\n", true},
		{"a\n...\nd\n", "a\nd\n", true},
		{"a\n...\n", "a\nb\n", true},
		{"a\n...\nd\n", "a\nb\nc\n", false},
	} {
		if got := matches(c.want, c.out); got != c.ok {
			t.Errorf("matches(%q, %q) = %v", c.want, c.out, got)
		}
	}
}

// TestPluginReadmes: every plugin has a README with the same sections, which describes all its
// options.
func TestPluginReadmes(t *testing.T) {
	for name, b := range registry.Backends.All() {
		checkPluginReadme(t, "backends", name, "What it counts", b.New().Flags)
	}
	for name, o := range registry.Outputs.All() {
		checkPluginReadme(t, "outputs", name, "What it writes", o.New().Flags)
	}
	for name, l := range registry.Labels.All() {
		checkPluginReadme(t, "labels", name, "What it knows", l.New().Flags)
		text := read(t, filepath.Join("labels", name, "README.md"))
		for _, f := range flow.Fields.All() {
			own := slices.Contains(l.Fills, f.Name) || slices.ContainsFunc(l.Fields, func(o flow.Field) bool { return o.Name == f.Name })
			if own && !strings.Contains(text, "`"+f.Name+"`") {
				t.Errorf("labels/%s/README.md does not describe the field %s", name, f.Name)
			}
		}
		if l.Toggle != "" && !strings.Contains(text, "`--"+l.Toggle+"=false`") {
			t.Errorf("labels/%s/README.md does not describe --%s=false", name, l.Toggle)
		}
	}
}

func checkPluginReadme(t *testing.T, kind, name, what string, flags func(*flag.FlagSet)) {
	t.Helper()
	doc := filepath.Join(kind, name, "README.md")
	text := read(t, doc)
	want := []string{"What it does", "Options", what, "Limits", "Example"}
	var got []string
	for _, m := range regexp.MustCompile(`(?m)^## (.*)$`).FindAllStringSubmatch(text, -1) {
		got = append(got, m[1])
	}
	if !slices.Equal(got, want) {
		t.Errorf("%s has the sections %q, want %q", doc, got, want)
	}
	fs := flag.NewFlagSet(name, flag.ContinueOnError)
	flags(fs)
	fs.VisitAll(func(f *flag.Flag) {
		if !strings.Contains(text, f.Name) {
			t.Errorf("%s does not describe the option %s", doc, f.Name)
		}
	})
}

// TestLinks: the targets of links in documents exist, headings included.
func TestLinks(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)#\s]*)(#[^)]*)?\)`)
	for _, doc := range documents(t) {
		for _, m := range link.FindAllStringSubmatch(read(t, doc), -1) {
			if strings.Contains(m[1], "://") || strings.HasPrefix(m[1], "mailto:") {
				continue
			}
			to := doc
			if m[1] != "" {
				to = filepath.Join(filepath.Dir(doc), m[1])
			}
			if _, err := os.Stat(filepath.Join(root, to)); err != nil {
				t.Errorf("%s links to %s: %v", doc, m[1], err)
			} else if m[2] != "" && strings.HasSuffix(to, ".md") && !slices.Contains(anchors(t, to), m[2]) {
				t.Errorf("%s links to %s%s: the heading does not exist", doc, m[1], m[2])
			}
		}
	}
}

// anchors returns the anchors that GitHub makes of the headings of a document.
func anchors(t *testing.T, doc string) []string {
	t.Helper()
	var all []string
	for _, m := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(prose(t, doc), -1) {
		heading := regexp.MustCompile(`\[([^\]]*)\]\([^)]*\)`).ReplaceAllString(m[1], "$1")
		all = append(all, "#"+regexp.MustCompile(`[^\pL\pN_ -]`).ReplaceAllString(strings.ReplaceAll(strings.ToLower(heading), " ", "-"), ""))
	}
	return all
}

// TestComparisonHasSources: each cell of the comparison has a source, and the README names the
// compared tools.
func TestComparisonHasSources(t *testing.T) {
	text := read(t, "docs/comparison.md")
	_, text, _ = strings.Cut(text, "\n## pktstat\n")
	tools := strings.Split("pktstat\n"+text, "\n## ")
	for _, tool := range tools {
		name, cells, _ := strings.Cut(tool, "\n")
		rows := regexp.MustCompile(`(?m)^\| ([^|]+) \| ([^|]+) \| (.*\]\(.*) \|$`).FindAllStringSubmatch(cells, -1)
		if len(rows) != 10 {
			t.Errorf("%s has %d cells with a source, want 10", name, len(rows))
		}
		if name != "pktstat" && !strings.Contains(strings.ReplaceAll(read(t, "README.md"), "&#8209;", "-"), "\n| "+name+" |") {
			t.Errorf("README.md does not compare with %s", name)
		}
	}
	if len(tools) != 10 {
		t.Errorf("%d tools are compared, want 10", len(tools))
	}
}

// documents returns the Markdown files of the repository.
func documents(t *testing.T) []string { return files(t, ".md") }

// prose returns a document without its code blocks.
func prose(t *testing.T, doc string) string {
	t.Helper()
	var b strings.Builder
	fence := false
	for line := range strings.Lines(read(t, doc)) {
		if strings.HasPrefix(strings.TrimSpace(line), "```") {
			fence = !fence
		} else if !fence {
			b.WriteString(line)
		}
	}
	return b.String()
}

type codeBlock struct {
	text string
	line int // its first line
}

// codeBlocks returns the fenced code blocks of a document in a language.
func codeBlocks(t *testing.T, doc, language string) []codeBlock {
	t.Helper()
	var blocks []codeBlock
	fence, wanted := false, false
	for n, line := range strings.SplitAfter(read(t, doc), "\n") {
		switch info, is := strings.CutPrefix(strings.TrimSpace(line), "```"); {
		case is && !fence:
			fence, wanted = true, info == language
			if wanted {
				blocks = append(blocks, codeBlock{line: n + 1})
			}
		case is:
			fence = false
		case fence && wanted:
			blocks[len(blocks)-1].text += line
		}
	}
	return blocks
}
