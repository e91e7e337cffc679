package cgroup

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"

	"github.com/pktstat/pktstat/internal/test/testenv"
	"github.com/pktstat/pktstat/registry"
)

// TestMain moves the test into a control group of its own, so that it counts no other traffic of
// the machine. Or the process is a child of a test.
func TestMain(m *testing.M) {
	if what, ok := os.LookupEnv(childEnv); ok {
		if err := children[what](); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		return
	}
	os.Exit(runInGroup(m))
}

func runInGroup(m *testing.M) int {
	if os.Geteuid() != 0 {
		return m.Run()
	}
	leave, err := enterGroup()
	if err != nil {
		fmt.Println(err)
		return 1
	}
	defer leave()
	return m.Run()
}

// testGroup is the group of the test.
var testGroup string

func enterGroup() (leave func(), err error) {
	root, err := openRoot()
	if err != nil {
		return nil, err
	}
	defer root.Close()
	home, err := ownGroup()
	if err != nil {
		return nil, err
	}
	old, _ := filepath.Glob(filepath.Join(root.Name(), groupPrefix+"*"))
	for _, dir := range old { // a killed test has left them; groups with processes stay
		_ = os.Remove(dir)
	}
	testGroup = filepath.Join(root.Name(), fmt.Sprint(groupPrefix, os.Getpid()))
	if err := os.Mkdir(testGroup, 0o755); err != nil {
		return nil, err
	}
	return func() {
		err := errors.Join(moveTo(filepath.Join(root.Name(), home)), os.Remove(testGroup))
		if err != nil {
			fmt.Println(err)
		}
	}, moveTo(testGroup)
}

const groupPrefix = "pktstat-test-"

// ownGroup is the path of this process in the v2 hierarchy.
func ownGroup() (string, error) {
	b, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(b)) {
		if path, ok := strings.CutPrefix(line, "0::"); ok {
			return strings.TrimSpace(path), nil
		}
	}
	return "", errors.New("this process is in no cgroup2 hierarchy")
}

// moveTo moves this process.
func moveTo(dir string) error {
	return os.WriteFile(filepath.Join(dir, "cgroup.procs"), []byte("0"), 0)
}

// subgroup makes a group below the test's own.
func subgroup(t *testing.T, name string) string {
	t.Helper()
	dir := filepath.Join(testGroup, name)
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.Remove(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// TestGroups: the names of groups that the option takes.
func TestGroups(t *testing.T) {
	testenv.Privileged(t)
	a := subgroup(t, "a")
	b := subgroup(t, "b")
	ab := subgroup(t, "a/b")
	inside := "/" + filepath.Base(testGroup) + "/b" // as /proc/PID/cgroup has it
	for _, c := range []struct {
		names []string
		says  string // "": it works
	}{
		{nil, ""},
		{[]string{a}, ""},
		{[]string{a, b}, ""},
		{[]string{ab, b}, ""},
		{[]string{ab, inside}, ""},
		{[]string{strings.TrimPrefix(inside, "/")}, ""},
		{[]string{a, a}, "are the same control group"},
		{[]string{b, inside}, "are the same control group"},
		{[]string{a, ab}, ab + " lies in " + a},
		{[]string{ab, b, testGroup}, ab + " lies in " + testGroup},
		{[]string{filepath.Dir(testGroup), b}, b + " lies in " + filepath.Dir(testGroup)},
		{[]string{a + "/missing"}, "no such control group"},
		{[]string{"/proc/self"}, "no such control group"},
		{[]string{"../../.."}, ""}, // in a hierarchy, the root is above the root
	} {
		gs, err := openGroups(c.names)
		switch {
		case c.says == "":
			if err != nil {
				t.Errorf("%q: %v", c.names, err)
			} else if len(gs) != max(1, len(c.names)) {
				t.Errorf("%q: %d groups", c.names, len(gs))
			}
			gs.close()
		case err == nil:
			t.Errorf("%q: no error", c.names)
			gs.close()
		case !errors.Is(err, registry.ErrUsage) || !strings.Contains(err.Error(), c.says):
			t.Errorf("%q: %v, want usage: %q", c.names, err, c.says)
		}
	}
}

// TestMountRoot: pktstat finds the hierarchy in a mount namespace that does not mount it.
func TestMountRoot(t *testing.T) {
	testenv.Privileged(t)
	root, err := openRoot()
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	runChild(t, "hidden", fmt.Sprint(root.lineage[0].ino))
}

// TestNoBTF: the error for a kernel without BTF differs from others.
func TestNoBTF(t *testing.T) {
	testenv.Privileged(t)
	runChild(t, "no BTF", "")
}

const (
	childEnv = "PKTSTAT_TEST_CHILD"
	argEnv   = "PKTSTAT_TEST_ARG"
)

// runChild runs one of children in a process with a mount namespace of its own.
func runChild(t *testing.T, what, arg string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+what, argEnv+"="+arg)
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: unix.CLONE_NEWNS}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

var children = map[string]func() error{
	"hidden": func() error {
		if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
			return err
		}
		mounts, err := mountinfo.GetMounts(mountinfo.FSTypeFilter("cgroup2"))
		if err != nil {
			return err
		}
		for _, m := range mounts {
			if err := unix.Unmount(m.Mountpoint, unix.MNT_DETACH); err != nil {
				return fmt.Errorf("unmount %s: %w", m.Mountpoint, err)
			}
		}
		if r := (&config{}).Probe(context.Background()); !hasCheck(r, "control groups") {
			return fmt.Errorf("the probe says %+v", r)
		}
		g, err := openRoot()
		if err != nil {
			return err
		}
		defer g.Close()
		if got := fmt.Sprint(g.lineage[0].ino); got != os.Getenv(argEnv) || len(g.lineage) != 1 {
			return fmt.Errorf("found the group %s (lineage %v), not the root %s", got, g.lineage, os.Getenv(argEnv))
		}
		return nil
	},
	"no BTF": func() error {
		if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
			return err
		}
		if err := unix.Mount("none", "/sys/kernel/btf", "tmpfs", 0, ""); err != nil {
			return fmt.Errorf("hide the kernel's BTF: %w", err)
		}
		c := &config{}
		if r := c.Probe(context.Background()); r.Verdict != registry.No || !errors.Is(r.Err, registry.ErrUnsupported) {
			return fmt.Errorf("the probe says %+v", r)
		}
		_, err := c.Open(context.Background(), registry.BackendEnv{MaxFlows: 1, Debugf: func(string, ...any) {}})
		if !errors.Is(err, registry.ErrUnsupported) || !strings.Contains(err.Error(), "the kernel has no BTF") {
			return fmt.Errorf("open: %w", err)
		}
		return nil
	},
}

// hasCheck reports whether a check of that name has passed.
func hasCheck(r registry.ProbeResult, name string) bool {
	for _, c := range r.Checks {
		if c.Name == name && c.Verdict == registry.Supported {
			return true
		}
	}
	return false
}
