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
	"github.com/pktstat/pktstat/registry"

	_ "github.com/pktstat/pktstat/labels/all"
	_ "github.com/pktstat/pktstat/outputs/all"
)

// Every transcript in the documentation is run: the lines after "$ " of a code
// block marked console, in the repository's folder, with a fresh pktstat. What
// it prints must be what the document shows. A line "..." stands for any lines.
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

// The README shows what it says, not only tells it.
func TestReadmeHasTranscripts(t *testing.T) {
	if len(codeBlocks(t, "README.md", "console")) == 0 {
		t.Error("README.md has no code block marked console")
	}
}

// step is a command of a transcript and what it prints.
type step struct{ command, output string }

func transcript(text string) []step {
	var steps []step
	for _, line := range strings.SplitAfter(text, "\n") {
		switch command, ok := strings.CutPrefix(line, "$ "); {
		case ok:
			steps = append(steps, step{command: command})
		case len(steps) > 0:
			steps[len(steps)-1].output += line
		}
	}
	return steps
}

func (s step) check(t *testing.T, doc string, line int) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-c", s.command)
	cmd.Dir, cmd.WaitDelay = root, time.Second // what the shell started may outlive it
	cmd.Env = append(os.Environ(), "PATH="+filepath.Dir(pktstat(t))+":"+os.Getenv("PATH"), "COLUMNS=", "NO_COLOR=1")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	// The exit code is the transcript's business: it may show a failure.
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
		t.Errorf("%s:%d: $ %s\nprints\n%s\nand not\n%s", doc, line, s.command, text, s.output)
	}
}

// accept writes what the command prints into the document, in place of what it shows.
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

// matches reports whether out is want, in which a line "..." is any lines.
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

// Every plugin's folder has a README with the same sections, in which each of
// its options is described.
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
			t.Errorf("%s does not tell of the option %s", doc, f.Name)
		}
	})
}

// Links between documents lead somewhere.
func TestLinks(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)#\s]+)(#[^)]*)?\)`)
	for _, doc := range documents(t) {
		for _, m := range link.FindAllStringSubmatch(read(t, doc), -1) {
			if strings.Contains(m[1], "://") || strings.HasPrefix(m[1], "mailto:") {
				continue
			}
			if _, err := os.Stat(filepath.Join(root, filepath.Dir(doc), m[1])); err != nil {
				t.Errorf("%s links to %s: %v", doc, m[1], err)
			}
		}
	}
}

// documents returns the Markdown files of the repository.
func documents(t *testing.T) []string { return files(t, ".md") }

type codeBlock struct {
	text string
	line int // where it begins
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
