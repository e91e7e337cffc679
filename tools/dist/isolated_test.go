package main

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// isolated is a command line, without the command, that runs a container's runtime or systemd.
// It has namespaces of processes and mounts, and a control group, so that nothing of it outlives the test.
// cgroup v2 is where both expect it: some machines have the older hierarchies in its place.
func isolated(t *testing.T, netns string) []string {
	t.Helper()
	const namespaces = `echo 0 >"$1/cgroup.procs"; shift
		exec unshare --mount --pid --cgroup --fork --kill-child --mount-proc "$@"`
	const mounts = `mount -t cgroup2 none /sys/fs/cgroup
		mkdir /sys/fs/cgroup/init; echo 0 >/sys/fs/cgroup/init/cgroup.procs; exec "$@"`
	return []string{
		"nsenter", "--net=/run/netns/" + netns, "sh", "-ec", namespaces, "sh", newCgroup(t), "sh", "-ec", mounts, "sh",
	}
}

// newCgroup makes a control group. With the test, its processes end.
func newCgroup(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	if err := unix.Mount("none", root, "cgroup2", 0, ""); err != nil {
		t.Fatalf("mount cgroup2: %v", err)
	}
	dir, err := os.MkdirTemp(root, "pktstat-dist-")
	t.Cleanup(func() {
		// Linux 5.14 has cgroup.kill. Processes are gone before where it is not.
		_ = os.WriteFile(filepath.Join(dir, "cgroup.kill"), []byte("1"), 0)
		for deadline := time.Now().Add(10 * time.Second); err == nil && removeCgroups(dir) != nil; time.Sleep(10 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Errorf("control group %s stays", dir)
				break
			}
		}
		if err := unix.Unmount(root, 0); err != nil {
			t.Errorf("unmount %s: %v", root, err)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// removeCgroups removes a control group with those below it, the deepest first.
func removeCgroups(dir string) error {
	var dirs []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if d != nil && d.IsDir() {
			dirs = append(dirs, path)
		}
		return err
	})
	slices.Reverse(dirs)
	for _, d := range dirs {
		err = errors.Join(err, os.Remove(d))
	}
	return err
}

// inside runs f on a thread that is in a network namespace. The thread ends with it.
func inside(t *testing.T, netns string, f func() error) {
	t.Helper()
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		fd, err := unix.Open("/run/netns/"+netns, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			done <- err
			return
		}
		defer unix.Close(fd)
		if err := unix.Setns(fd, unix.CLONE_NEWNET); err != nil {
			done <- err
			return
		}
		done <- f()
	}()
	if err := <-done; err != nil {
		t.Fatalf("in network namespace %s: %v", netns, err)
	}
}

// datagrams is how many packets sendDatagrams sends.
const datagrams = 1000

// sendDatagrams sends UDP over lo, and returns the ports of the flow.
func sendDatagrams(t *testing.T, netns string) (from, to int) {
	t.Helper()
	inside(t, netns, func() error {
		sink, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			return err
		}
		defer sink.Close()
		c, err := net.DialUDP("udp4", nil, sink.LocalAddr().(*net.UDPAddr))
		if err != nil {
			return err
		}
		defer c.Close()
		from, to = c.LocalAddr().(*net.UDPAddr).Port, sink.LocalAddr().(*net.UDPAddr).Port
		for range datagrams {
			if _, err := c.Write([]byte("pktstat")); err != nil {
				return err
			}
		}
		return nil
	})
	return from, to
}
