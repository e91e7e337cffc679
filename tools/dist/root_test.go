package main

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// debianRoot is a root file system of Debian with a network namespace.
type debianRoot struct {
	t     *testing.T
	dir   string
	netns string
}

// bootstrap makes a clean Debian 12, which copies are made of.
func bootstrap(t *testing.T) *debianRoot {
	t.Helper()
	need(t, os.Geteuid() == 0, "root")
	needTool(t, "mmdebstrap", "mmdebstrap")
	r := &debianRoot{t: t, dir: filepath.Join(t.TempDir(), "root"), netns: newNetns(t)}
	r.host("mmdebstrap", "--quiet", "--variant=minbase", "--skip=cleanup/apt/lists", "bookworm", r.dir)
	return r
}

// with is a copy of a root with more packages of Debian.
func (r *debianRoot) with(t *testing.T, packages ...string) *debianRoot {
	t.Helper()
	c := &debianRoot{t: t, dir: filepath.Join(t.TempDir(), "root"), netns: newNetns(t)}
	c.host("cp", "-ax", "--reflink=auto", r.dir, c.dir)
	c.mount("proc", "proc", "proc", 0)
	c.mount("sysfs", "sys", "sysfs", 0)
	c.mount("devpts", "dev/pts", "devpts", 0)
	c.mount("tmpfs", "dev/shm", "tmpfs", 0)
	if len(packages) > 0 {
		c.host("chroot", slices.Concat([]string{c.dir, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq", "-o", "Acquire::Retries=3",
			"install", "--no-install-recommends", "-y"}, packages)...)
	}
	return c
}

func (r *debianRoot) mount(source, at, kind string, flags uintptr) {
	r.t.Helper()
	at = filepath.Join(r.dir, at)
	if err := os.MkdirAll(at, 0o755); err != nil {
		r.t.Fatal(err)
	}
	if err := unix.Mount(source, at, kind, flags, ""); err != nil {
		r.t.Fatalf("mount %s: %v", at, err)
	}
	r.t.Cleanup(func() {
		if err := unix.Unmount(at, unix.MNT_DETACH); err != nil {
			r.t.Errorf("unmount %s: %v", at, err)
		}
	})
}

// bind shows a directory of this machine, read-only: the root is removed in the end.
func (r *debianRoot) bind(source, at string) {
	r.t.Helper()
	r.mount(source, at, "", unix.MS_BIND)
	at = filepath.Join(r.dir, at)
	if err := unix.Mount("", at, "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
		r.t.Fatalf("mount %s read-only: %v", at, err)
	}
}

// newNetns makes a network namespace in which nothing but lo exists.
func newNetns(t *testing.T) string {
	t.Helper()
	name := fmt.Sprintf("pktstat-%d-%s", os.Getpid(), filepath.Base(t.Name()))
	host(t, "ip", "netns", "add", name)
	t.Cleanup(func() {
		if out, err := exec.CommandContext(context.Background(), "ip", "netns", "del", name).CombinedOutput(); err != nil {
			t.Errorf("ip netns del: %v: %s", err, out)
		}
	})
	host(t, "ip", "-n", name, "link", "set", "lo", "up")
	return name
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

func needTool(t *testing.T, tool, debian string) {
	t.Helper()
	_, err := exec.LookPath(tool)
	need(t, err == nil, tool+" (apt-get install "+debian+")")
}

// host runs a command and returns what it prints on standard output.
func host(t *testing.T, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	var out, msg bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &msg
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s %s: %v\n%s%s", name, strings.Join(args, " "), err, out.Bytes(), msg.Bytes())
	}
	return out.String()
}

func (r *debianRoot) host(name string, args ...string) string {
	r.t.Helper()
	return host(r.t, name, args...)
}

// run runs a command in the root and its network namespace, as a user, with an
// environment of its own.
func (r *debianRoot) run(user, command string, env ...string) string {
	r.t.Helper()
	args := []string{"netns", "exec", r.netns, "chroot", "--userspec=" + user, "--groups=", r.dir,
		"env", "-i", "PATH=/usr/local/go/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/", "LC_ALL=C.UTF-8"}
	return r.host("ip", slices.Concat(args, env, []string{"/bin/sh", "-c", command})...)
}

// tree lists the files, but for those that dpkg keeps of any package and those that are gone with a boot.
func (r *debianRoot) tree() []string {
	r.t.Helper()
	var files []string
	err := filepath.WalkDir(r.dir, func(path string, d fs.DirEntry, err error) error {
		rel, _ := filepath.Rel(r.dir, path)
		if d != nil && d.IsDir() && slices.Contains([]string{"proc", "sys", "dev", "run", "var/lib/dpkg", "var/lib/apt", "var/log", "var/cache"}, rel) {
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
