package completion

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pktstat/pktstat/internal/cli/describe"
	"github.com/pktstat/pktstat/internal/test/testenv"
)

// awkward is a program with texts that contain shell syntax.
var awkward = &describe.Program{
	Name: "prog",
	Groups: []describe.Group{{Title: "Options", Options: []describe.Option{
		{Name: "iface", Short: "i", Arg: "NAME", Usage: "it's [a] $(touch hit) `touch hit` \"x\" \\: y", Values: describe.Values{Kind: describe.Interfaces}},
		{Name: "by", Arg: "FIELDS", Usage: "fields", Values: describe.Values{Kind: describe.Words, Words: []string{"src", "a b", "$(touch hit)", "dst"}}},
		{Name: "file", Arg: "FILE", Usage: "a file", Values: describe.Values{Kind: describe.Files}},
		{Name: "on", Usage: "a switch"},
	}}},
	Commands: []describe.Command{{Name: "list", Summary: "it's a [list]: all"}},
	Outputs:  []describe.Plugin{{Name: "text", Options: []describe.Option{{Name: "wide", Usage: "it's wide"}, {Name: "title", Arg: "TEXT"}}}},
}

// TestSyntax: the shells accept the scripts, and run nothing from the texts.
func TestSyntax(t *testing.T) {
	for shell, script := range Shells() {
		t.Run(shell, func(t *testing.T) {
			path := testenv.Tool(t, shell, shell)
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "script"), []byte(script(awkward)), 0o600); err != nil {
				t.Fatal(err)
			}
			load := map[string]string{"bash": "source ./script", "zsh": "compdef() { }; source ./script", "fish": "source script"}[shell]
			for _, args := range [][]string{{"-n", "script"}, {"-c", load}} {
				cmd := exec.CommandContext(t.Context(), path, args...)
				cmd.Dir, cmd.Env = dir, append(os.Environ(), "HOME="+dir)
				if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
					t.Errorf("%q: %v: %s", args, err, out)
				}
			}
			if _, err := os.Stat(filepath.Join(dir, "hit")); err == nil {
				t.Error("the script ran a text as a command")
			}
		})
	}
}

// TestAwkwardNames: bash gets awkward names of interfaces and files as one word.
func TestAwkwardNames(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "script"), []byte(Bash(awkward)), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(dir, "net", "a$(touch hit)"), 0o700); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "bash", "--norc", "-c", `source ./script
		before= word=a
		_prog_entries net
		eval "set -- ${COMPREPLY[*]}"
		printf '%s\n' "$@"`)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if _, hit := os.Stat(filepath.Join(dir, "hit")); err != nil || hit == nil || strings.TrimSpace(string(out)) != "a$(touch hit)" {
		t.Errorf("%q, %v", out, err)
	}
}

// TestBreaks: readline replaces the text after the last word break. The script offers exactly that
// text.
func TestBreaks(t *testing.T) {
	script := filepath.Join(t.TempDir(), "script")
	if err := os.WriteFile(script, []byte(Bash(awkward)), 0o600); err != nil {
		t.Fatal(err)
	}
	for breaks, want := range map[string]string{" =:": "src", " ": "--by=src"} {
		out, err := exec.CommandContext(t.Context(), "bash", "--norc", "-c", `source "$1"
			COMP_WORDBREAKS=$2 COMP_LINE='prog --by=s' COMP_POINT=11 COMPREPLY=()
			_prog 2>/dev/null
			printf '%s\n' "${COMPREPLY[@]}"`, "bash", script, breaks).Output()
		if err != nil || strings.TrimSpace(string(out)) != want {
			t.Errorf("breaks %q: %q, want %q; %v", breaks, out, want, err)
		}
	}
}
