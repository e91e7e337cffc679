package test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pktstat/pktstat/internal/test/testenv"
)

// offers are what shells must offer for a line, with the script of the binary. "%" marks the part
// that some shells omit, because they replace only the text after it.
var offers = []struct {
	line string
	want string // words, separated by spaces; "..." stands for others
}{
	{"pktstat --by sr", "src src_port"},
	{"pktstat --by src,ds", "src,%dst src,%dst_port"},
	{"pktstat --by src,dst,sr", "src,dst,%src_port"},
	{"pktstat --by=sr", "--by=%src --by=%src_port"},
	{"pktstat --by src,us", "src,%user"},
	{"pktstat --sort bp", "bps"},
	{"pktstat -i l", "lo ..."},
	{"pktstat --iface=l", "--iface=%lo ..."},
	{"pktstat --backend t", "tc"},
	{"pktstat -b au", "auto"},
	{"pktstat --output js", "json"},
	{"pktstat --output table,col", "table,%columns="},
	{"pktstat --output json=run.", "json=%run.json"},
	{"pktstat --pcap-file run.", "run.json"},
	{"pktstat --pro", "--process"},
	{"pktstat --tc-", "--tc-attach --tc-position"},
	{"pktstat -i lo --lay", "--layer"},
	{"pktstat pr", "probe"},
	{"pktstat -t 1s conf", "config"},
	{"pktstat probe --net", "--netns"},
	{"pktstat completion z", "zsh"},
	{"pktstat man f", "fields"},
}

// TestCompletion: real shells complete with the script that the binary prints.
func TestCompletion(t *testing.T) {
	zsh, err := filepath.Abs("testdata/offered.zsh")
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, o := range offers {
		lines = append(lines, o.line)
	}
	for shell, tc := range map[string]struct {
		file string // that contains the script
		args func(t *testing.T, dir string) []string
	}{
		"bash": {"pktstat.bash", func(*testing.T, string) []string {
			return []string{"bash", "--norc", "-c", `source ./pktstat.bash
				for line; do
					COMP_LINE=$line COMP_POINT=${#line} COMPREPLY=()
					_pktstat 2>/dev/null
					printf '%s\n' "${COMPREPLY[@]}" =
				done`, "bash"}
		}},
		"zsh": {"_pktstat", func(t *testing.T, dir string) []string {
			return []string{testenv.Tool(t, "zsh", "zsh"), "-f", zsh, dir}
		}},
		"fish": {"pktstat.fish", func(t *testing.T, _ string) []string {
			return []string{testenv.Tool(t, "fish", "fish"), "--no-config", "-c", `source pktstat.fish
				for line in $argv
					complete -C $line
					echo =
				end`}
		}},
	} {
		t.Run(shell, func(t *testing.T) {
			dir := t.TempDir()
			script, err := exec.CommandContext(t.Context(), pktstat(t), "completion", shell).Output()
			if err != nil {
				t.Fatal(err)
			}
			for file, text := range map[string][]byte{tc.file: script, "run.json": nil} {
				if err := os.WriteFile(filepath.Join(dir, file), text, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			got := offered(t, dir, append(tc.args(t, dir), lines...))
			if len(got) != len(offers) {
				t.Fatalf("%d answers to %d lines", len(got), len(offers))
			}
			for i, o := range offers {
				checkOffer(t, o.line, o.want, got[i])
			}
		})
	}
}

func checkOffer(t *testing.T, line, want string, got []string) {
	t.Helper()
	expected := strings.Fields(want)
	others := slices.Contains(expected, "...")
	expected = slices.DeleteFunc(expected, func(w string) bool { return w == "..." })
	for _, w := range expected {
		before, after, cut := strings.Cut(w, "%")
		i := slices.IndexFunc(got, func(g string) bool { return g == before+after || cut && g == after })
		if i < 0 {
			t.Errorf("%s: no %s, but %q", line, w, got)
			continue
		}
		got = slices.Delete(slices.Clone(got), i, i+1)
	}
	if len(got) > 0 && !others {
		t.Errorf("%s: unexpected offer %q", line, got)
	}
}

// offered runs a shell that prints offers. It returns their first words, up to each line "=".
func offered(t *testing.T, dir string, args []string) [][]string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), args[0], args[1:]...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "TERM=dumb", "HOME="+dir)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v", args[0], err)
	}
	var answers [][]string
	var words []string
	for line := range strings.Lines(string(out)) {
		switch word, _, _ := strings.Cut(strings.TrimSpace(line), "\t"); {
		case word == "=":
			answers, words = append(answers, words), nil
		case word != "" && !slices.Contains(words, word):
			words = append(words, word)
		}
	}
	return answers
}

// TestManPages: man, groff and mandoc accept the pages without a warning. The pages contain every
// option, command and field.
func TestManPages(t *testing.T) {
	for page, want := range map[string][]string{
		"pktstat": {"pktstat [options]", "-i, --iface NAME", "--xdp-mode MODE", "table,columns=NAMES", "PKTSTAT_MAX_FLOWS", "completion SHELL", "SEE ALSO"},
		"fields":  {"src_port", "frame_bytes", "container", "tcp_flags"},
	} {
		cmd := exec.CommandContext(t.Context(), pktstat(t), "man", page)
		cmd.Env = append(os.Environ(), "SOURCE_DATE_EPOCH=1700000000")
		roff, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(t.TempDir(), page)
		if err := os.WriteFile(file, roff, 0o600); err != nil {
			t.Fatal(err)
		}
		for _, check := range [][]string{
			{testenv.Tool(t, "mandoc", "mandoc"), "-T", "lint", file},
			{testenv.Tool(t, "groff", "groff"), "-man", "-ww", "-z", "-Tutf8", file},
		} {
			if out, err := exec.CommandContext(t.Context(), check[0], check[1:]...).CombinedOutput(); err != nil || len(out) > 0 {
				t.Errorf("%q: %v: %.400s", check, err, out)
			}
		}
		text, err := exec.CommandContext(t.Context(), "groff", "-man", "-Tascii", "-P-cbou", "-rLL=200n", file).Output()
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range append(want, "2023-11-14") {
			if !strings.Contains(string(text), w) {
				t.Errorf("the page %s has no %q:\n%s", page, w, text)
			}
		}
	}
}
