package test

import (
	"context"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pktstat/pktstat/internal/test/testenv"
)

// guides are the documents with commands for readers. Tests run each command: TestTranscripts runs
// the console blocks, and the tests in this file run the others.
var guides = []string{"README.md", "docs/recipes.md", "docs/outputs.md", "docs/scripting.md", "docs/limits.md"}

// elsewhere has the commands that this file does not run. Each names the test that does, or the
// reason why none can.
var elsewhere = []struct{ command, file, test, why string }{
	{command: "make test", why: "it runs this test"},
	{command: "make test-vm", why: "it takes an hour: .ci/run has it"},
	{command: `make bench ARGS="-only flood"`, file: "tools/bench/bench_test.go", test: "TestRun"},
	{command: `make bench ARGS="-only flows"`, file: "tools/bench/bench_test.go", test: "TestRun"},
	{command: `make bench ARGS="-only report"`, file: "tools/bench/bench_test.go", test: "TestRun"},
	{command: `make bench ARGS="-only stack"`, file: "tools/bench/bench_test.go", test: "TestRun"},
	{command: "go test ./test -run SuperFrames", file: "test/engine_test.go", test: "TestSuperFrames"},
	{command: "make build && sudo make install", file: "tools/dist/release_test.go", test: "TestRelease"},
	{command: "make dist", file: "tools/dist/release_test.go", test: "TestRelease"},
	{command: "make install", file: "tools/dist/release_test.go", test: "TestRelease"},
	{command: "sudo make setcap", file: "tools/dist/install_test.go", test: "TestInstall"},
	{command: "sudo make setcap PREFIX=/usr", file: "tools/dist/install_test.go", test: "TestInstall"},
	{command: "sudo dpkg-statoverride --update --add root GROUP 0750 /usr/bin/pktstat", why: "GROUP is the reader's"},
	{command: "go install github.com/pktstat/pktstat/cmd/pktstat@latest", why: "it installs what is published, not this tree"},
	{command: `sudo setcap cap_bpf,cap_net_admin,cap_perfmon=+ep "$(command -v pktstat)"`, file: "cmd/live_test.go", test: "TestRemedy"},
	{command: "sudo pktstat verify -i eth0 -t 1m", file: "cmd/verify_test.go", test: "TestVerifyLive"},
	{command: "ssh -L 8080:127.0.0.1:8080 server.example", why: "it takes two machines"},
	{command: "source <(pktstat completion bash)", file: "test/completion_test.go", test: "TestCompletion"},
	{command: "source <(pktstat completion zsh)", file: "test/completion_test.go", test: "TestCompletion"},
	{command: "pktstat completion fish > ~/.config/fish/completions/pktstat.fish", file: "test/completion_test.go", test: "TestCompletion"},
	{command: "man pktstat", file: "test/completion_test.go", test: "TestManPages"},
	{command: "man pktstat-fields", file: "test/completion_test.go", test: "TestManPages"},
}

// TestCommands: every command in a guide has a test.
func TestCommands(t *testing.T) {
	told := map[string]bool{}
	for _, doc := range guides {
		for _, command := range commands(t, doc) {
			told[command] = true
			if p := program(command); p != "go" && p != "pktstat" && !isElsewhere(command) {
				t.Errorf("%s: %q: the test does not know how to run %s: add it to elsewhere, with the reason", doc, command, p)
			}
		}
	}
	for _, e := range elsewhere {
		if !told[e.command] {
			t.Errorf("no guide has %q", e.command)
		}
		if e.test == "" && e.why == "" || e.test != "" && !strings.Contains(read(t, e.file), "func "+e.test+"(") {
			t.Errorf("%q: no %s in %s", e.command, e.test, e.file)
		}
	}
}

// TestCommandsInClone runs the commands that need only a clone of the repository and Go.
func TestCommandsInClone(t *testing.T) {
	for _, command := range of("go", t) {
		t.Run(command, func(t *testing.T) { inClone(t, command) })
	}
}

// TestCommandsLive runs the commands of pktstat, as root, on a machine with traffic.
func TestCommandsLive(t *testing.T) {
	testenv.Privileged(t)
	d := newDesk(t)
	for _, command := range of("pktstat", t) {
		t.Run(command, func(t *testing.T) { d.check(t, command) })
	}
}

// of returns the commands of a program that are tested here, each once.
func of(name string, t *testing.T) []string {
	t.Helper()
	var all []string
	for _, doc := range guides {
		for _, command := range commands(t, doc) {
			if program(command) == name && !isElsewhere(command) && !slices.Contains(all, command) {
				all = append(all, command)
			}
		}
	}
	if len(all) == 0 {
		t.Errorf("no guide has a command of %s", name)
	}
	return all
}

func program(command string) string { return strings.Fields(strings.TrimPrefix(command, "sudo "))[0] }

func isElsewhere(command string) bool {
	for _, e := range elsewhere {
		if e.command == command {
			return true
		}
	}
	return false
}

// programs are the first words of code spans that are commands.
var programs = []string{"go", "make", "sudo", "pktstat", "man", "source", "ssh", "apt", "apt-get", "dpkg", "dnf", "rpm", "docker", "podman", "kubectl", "curl", "git", "systemctl"}

// commands returns the commands in the sh blocks and the code spans of a document.
func commands(t *testing.T, doc string) []string {
	t.Helper()
	var all []string
	for _, block := range codeBlocks(t, doc, "sh") {
		text := strings.ReplaceAll(block.text, "\\\n", " ")
		for line := range strings.Lines(text) {
			line, _, _ = strings.Cut(line, " # ")
			if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
				all = append(all, line)
			}
		}
	}
	for _, m := range regexp.MustCompile("`([^`\n]+)`").FindAllStringSubmatch(prose(t, doc), -1) {
		words := strings.Fields(strings.ReplaceAll(m[1], `\|`, "|"))
		if len(words) > 1 && slices.Contains(programs, words[0]) {
			all = append(all, strings.Join(words, " "))
		}
	}
	return all
}

// TestCommandsAreFound: commands in blocks, in tables and in sentences are found.
func TestCommandsAreFound(t *testing.T) {
	found := commands(t, "README.md")
	for _, want := range []string{"go run ./cmd/pktstat testdata/mix.pcap", "make test", "sudo pktstat -t 10 --by comm", "make dist", "pktstat probe"} {
		if !slices.Contains(found, want) {
			t.Errorf("did not find %q in README.md", want)
		}
	}
	if first, second := found[0], found[1]; first != "go run ./cmd/pktstat testdata/mix.pcap" || second != "make test" {
		t.Errorf("the README begins with %q and %q", first, second)
	}
}

// inClone runs a command that needs only a clone of the repository and Go.
func inClone(t *testing.T, command string) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-c", command)
	cmd.Dir = root
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "\ntotal ") {
		t.Errorf("%s: %v:\n%s", command, err, out)
	}
}

// targets returns the files that a command writes.
func targets(command string) []string {
	var files []string
	for _, m := range regexp.MustCompile(`--output (\w+)=([^\s,]+)|>>? ?(\S+)`).FindAllStringSubmatch(command, -1) {
		if m[1] != "web" {
			files = append(files, filepath.Base(m[2]+m[3]))
		}
	}
	return files
}
