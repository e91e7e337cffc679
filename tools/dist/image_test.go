package main

import (
	"bufio"
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// TestImage: two builds of the image are the same, and the lines of deploy/container/README.md run as printed.
func TestImage(t *testing.T) {
	need(t, os.Geteuid() == 0, "root")
	needTool(t, "podman", "podman")
	p := newPodman(t)
	first, second := p.build(), p.build()
	if first != second {
		t.Errorf("one release makes the images %s and %s", first, second)
	}
	raw, err := os.ReadFile("../../deploy/container/README.md")
	if err != nil {
		t.Fatal(err)
	}
	live, file := 0, 0
	for _, line := range shellLines(string(raw)) {
		switch {
		case strings.Contains(line, "podman run") && strings.Contains(line, " -i any "):
			live++
			p.countsLive(line)
		case strings.Contains(line, "podman run"):
			file++
			if out, err := p.command(line).Output(); err != nil || !strings.Contains(string(out), "2645") {
				t.Errorf("%s: %v: %s", line, err, out)
			}
		}
	}
	if live != 2 || file != 1 {
		t.Errorf("the document has %d lines that count live, and %d that read a capture", live, file)
	}
}

// podman keeps everything in a directory of the test.
type podman struct {
	t       *testing.T
	netns   string
	options []string // before the sub-command
	run     []string // after "run"
}

func newPodman(t *testing.T) *podman {
	t.Helper()
	dir := t.TempDir()
	p := &podman{t: t, netns: newNetns(t), options: []string{
		"--root", filepath.Join(dir, "storage"), "--runroot", filepath.Join(dir, "run"), "--tmpdir", filepath.Join(dir, "tmp"),
		"--storage-driver", "vfs", "--cgroup-manager", "cgroupfs", "--events-backend", "none",
	}}
	p.build()
	const try = "podman run --rm --network host pktstat version"
	if msg, err := p.command(try).CombinedOutput(); err != nil {
		t.Logf("this machine restricts containers: %s", msg)
		p.run = []string{"--cgroups=disabled", "--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024"}
	}
	return p
}

// build returns the image's id.
func (p *podman) build() string {
	p.t.Helper()
	tarballs, err := filepath.Glob(filepath.Join(release(p.t), "*_linux_"+runtime.GOARCH+".tar.gz"))
	if err != nil || len(tarballs) != 1 {
		p.t.Fatalf("tarballs %v, %v", tarballs, err)
	}
	engine := "podman " + strings.Join(p.options, " ")
	host(p.t, "env", "ENGINE="+engine, "../../deploy/container/build", tarballs[0])
	return host(p.t, "podman", slices.Concat(p.options, []string{"image", "inspect", "--format", "{{.Id}}", "pktstat"})...)
}

// command is a line of the document, in the test's network namespace.
func (p *podman) command(line string) *exec.Cmd {
	script := `sudo() { "$@"; }
		podman() { shift; command podman ` + strings.Join(p.options, " ") + ` run ` + strings.Join(p.run, " ") + ` "$@"; }
		` + line
	args := append(isolated(p.t, p.netns), "bash", "-c", script)
	cmd := exec.CommandContext(p.t.Context(), args[0], args[1:]...)
	cmd.Dir = "../.."
	return cmd
}

// thousand is the row of sendDatagrams in a table.
var thousand = regexp.MustCompile(`(?m)^UDP +127\.0\.0\.1:.* 1000 `)

// countsLive: the line reports a flow with all its packets.
func (p *podman) countsLive(line string) {
	p.t.Helper()
	cmd := p.command(line)
	var out bytes.Buffer
	cmd.Stdout = &out
	msg, err := cmd.StderrPipe()
	if err != nil {
		p.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	said, counting := "", false
	for s := bufio.NewScanner(msg); s.Scan(); {
		said += s.Text() + "\n"
		if strings.HasPrefix(s.Text(), "counting on") {
			sendDatagrams(p.t, p.netns)
			counting = true
		}
	}
	if err := cmd.Wait(); err != nil || !counting || !thousand.Match(out.Bytes()) {
		p.t.Errorf("%s: %v\n%s%s", line, err, said, out.Bytes())
	}
}
