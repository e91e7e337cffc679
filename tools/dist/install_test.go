package main

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// debianRoot is a clean root file system of Debian.
type debianRoot struct {
	t     *testing.T
	dir   string
	netns string
}

func newRoot(t *testing.T) *debianRoot {
	t.Helper()
	need(t, os.Geteuid() == 0, "root")
	_, err := exec.LookPath("mmdebstrap")
	need(t, err == nil, "mmdebstrap (apt-get install mmdebstrap)")
	r := &debianRoot{t: t, dir: filepath.Join(t.TempDir(), "root"), netns: fmt.Sprintf("pktstat-dist-%d", os.Getpid())}
	r.host("mmdebstrap", "--quiet", "--variant=minbase", "--include=libcap2-bin", "bookworm", r.dir)
	for _, kind := range []string{"proc", "sysfs"} {
		at := filepath.Join(r.dir, map[string]string{"proc": "proc", "sysfs": "sys"}[kind])
		if err := unix.Mount(kind, at, kind, 0, ""); err != nil {
			t.Fatalf("mount %s: %v", kind, err)
		}
		t.Cleanup(func() {
			if err := unix.Unmount(at, 0); err != nil {
				t.Errorf("unmount %s: %v", at, err)
			}
		})
	}
	r.host("ip", "netns", "add", r.netns)
	t.Cleanup(func() {
		if out, err := exec.CommandContext(context.Background(), "ip", "netns", "del", r.netns).CombinedOutput(); err != nil {
			t.Errorf("ip netns del: %v: %s", err, out)
		}
	})
	r.host("ip", "-n", r.netns, "link", "set", "lo", "up")
	return r
}

// need skips a test, or fails it in CI.
func need(t *testing.T, ok bool, what string) {
	t.Helper()
	switch {
	case ok:
	case os.Getenv("CI") == "true":
		t.Fatal("needs " + what)
	default:
		t.Skip("needs " + what)
	}
}

func (r *debianRoot) host(name string, args ...string) string {
	r.t.Helper()
	out, err := exec.CommandContext(r.t.Context(), name, args...).CombinedOutput()
	if err != nil {
		r.t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// run runs a command in the root and its network namespace, as a user.
func (r *debianRoot) run(user string, command string) string {
	r.t.Helper()
	return r.host("ip", "netns", "exec", r.netns, "chroot", "--userspec="+user, "--groups=", r.dir,
		"/bin/sh", "-c", "PATH=/usr/sbin:/usr/bin:/sbin:/bin; "+command)
}

// tree lists the files, but for those that dpkg keeps of any package.
func (r *debianRoot) tree() []string {
	r.t.Helper()
	var files []string
	err := filepath.WalkDir(r.dir, func(path string, d fs.DirEntry, err error) error {
		rel, _ := filepath.Rel(r.dir, path)
		if d != nil && d.IsDir() && slices.Contains([]string{"proc", "sys", "dev", "var/lib/dpkg", "var/log", "var/cache"}, rel) {
			return fs.SkipDir
		}
		files = append(files, rel)
		return err
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return files
}

// TestInstall: the package works for an ordinary user of a clean Debian, and leaves nothing.
func TestInstall(t *testing.T) {
	r := newRoot(t)
	out := build(t)
	debs, err := filepath.Glob(filepath.Join(out, "*_linux_"+runtime.GOARCH+".deb"))
	if err != nil || len(debs) != 1 {
		t.Fatalf("packages %v, %v", debs, err)
	}
	raw, err := os.ReadFile(debs[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(r.dir, "pktstat.deb"), raw, 0o600); err != nil {
		t.Fatal(err)
	}
	before := r.tree()
	r.run("0:0", "dpkg --install /pktstat.deb")

	const nobody = "65534:65534"
	if got := r.run(nobody, "pktstat --pcap-file /usr/share/doc/pktstat/examples/mix.pcap --output plain --top 1"); !strings.Contains(got, "packets=2645") {
		t.Errorf("the capture: %s", got)
	}
	if got := r.run(nobody, "find /usr/share/man/man[17] /usr/share/*/*completions* -name '*pktstat*'"); strings.Count(got, "\n") != 5 {
		t.Errorf("man pages and completion: %s", got)
	}
	if got := r.run("0:0", "getcap /usr/bin/pktstat"); !strings.Contains(got, "cap_bpf") || !strings.Contains(got, "cap_net_raw") {
		t.Errorf("getcap: %q", got)
	}
	got := r.run(nobody, "pktstat -i lo -t 500ms --output plain 2>&1")
	if !strings.Contains(got, "counting on lo (tc") {
		t.Errorf("live, as an ordinary user: %s", got)
	}
	r.run("0:0", "dpkg --purge pktstat")
	if after := r.tree(); !slices.Equal(before, after) {
		t.Errorf("the package leaves %v", slices.DeleteFunc(after, func(f string) bool { return slices.Contains(before, f) }))
	}
}
