package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// testClone: on a Debian with only Go, git and make, an ordinary user runs the first two commands
// of the README.
func testClone(t *testing.T, base *debianRoot) {
	commands := readmeCommands(t)
	if len(commands) < 2 || commands[1] != "make test" {
		t.Fatalf("the README's first two commands are %q", commands)
	}
	r := base.with(t, "git", "make")
	r.bind(strings.TrimSpace(host(t, "go", "env", "GOROOT")), "usr/local/go")
	r.mount("none", "sys/fs/cgroup", "cgroup2", 0)
	// As on most machines there is a default route. It leads nowhere.
	for _, command := range []string{
		"link add eth0 type veth peer name far", "address add 10.20.30.1/24 dev eth0", "link set far up", "link set eth0 up",
		"route add default via 10.20.30.2",
	} {
		r.host("ip", append([]string{"-n", r.netns}, strings.Fields(command)...)...)
	}
	// The modules that this machine has serve as the proxy.
	host(t, "go", "mod", "download", "-C", "../..")
	r.bind(filepath.Join(strings.TrimSpace(host(t, "go", "env", "GOMODCACHE")), "cache", "download"), "modules")

	r.run("0:0", "useradd --create-home --user-group user")
	r.host("git", "clone", "--quiet", "--no-hardlinks", "../..", filepath.Join(r.dir, "home", "user", program))
	r.run("0:0", "chown -R user:user /home/user/pktstat")
	run := func(command string) string {
		t.Helper()
		return r.run("user:user", "cd ~/pktstat && "+command, "HOME=/home/user", "GOPROXY=file:///modules", "GONOSUMDB=*")
	}
	if got := run(commands[0]); !strings.Contains(got, "2645") {
		t.Errorf("%s: %s", commands[0], got)
	}
	// "make test" takes too long for each merge, because nothing is built yet here. Most tests of
	// these packages need neither root nor tools, so they run in full.
	second := "go test -short ./cmd ./flow ./registry ./backends/pcap ./labels/... ./outputs/..."
	if os.Getenv("PKTSTAT_WHOLE_TEST") != "" {
		second = commands[1]
	}
	t.Log(run(second + "; e=$?; times; exit $e"))
}

// readmeCommands are the lines of the README's code blocks for a shell.
func readmeCommands(t *testing.T) []string {
	t.Helper()
	raw, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	return shellLines(string(raw))
}

var (
	shellBlock = regexp.MustCompile("(?s)(?:^|\n)```sh\n(.*?)\n```\n")
	goesOn     = regexp.MustCompile(`\\\n\s*`)
)

// shellLines are the commands of the code blocks marked "sh", each on one line.
func shellLines(text string) []string {
	var lines []string
	for _, m := range shellBlock.FindAllStringSubmatch(text, -1) {
		lines = append(lines, strings.Split(strings.TrimSpace(goesOn.ReplaceAllString(m[1], "")), "\n")...)
	}
	return lines
}
