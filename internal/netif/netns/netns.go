// Package netns runs functions in a network namespace (network_namespaces(7)) on a separate
// thread. Interfaces and sockets depend on the thread's namespace. The rest of the process stays
// in its own.
package netns

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/pktstat/pktstat/registry"
)

// dirs are the directories of ip-netns(8).
var dirs = [...]string{"/run/netns", "/var/run/netns"}

// Namespace is an open network namespace. While it is open, the namespace exists, even without a
// name and processes.
type Namespace struct {
	spec string
	file *os.File
}

// Open opens a namespace. spec is a name in ip-netns(8), the id of a process in it, or a path.
// The error wraps [registry.ErrUsage] if the namespace does not exist, and
// [registry.ErrPermission] if the process may not enter it.
func Open(spec string) (*Namespace, error) {
	file, err := open(spec)
	if err != nil {
		return nil, fmt.Errorf("network namespace %s: %w", spec, err)
	}
	n := &Namespace{spec, file}
	if err := n.check(); err != nil {
		_ = file.Close()
		return nil, fmt.Errorf("network namespace %s: %w", spec, explain(err))
	}
	return n, nil
}

func open(spec string) (*os.File, error) {
	paths, missing := []string{spec}, "no such file"
	if !strings.Contains(spec, "/") {
		paths, missing = nil, "no namespace has this name, see `ip netns`"
		for _, dir := range dirs {
			paths = append(paths, filepath.Join(dir, spec))
		}
		if pid, err := strconv.ParseUint(spec, 10, 31); err == nil {
			paths = append(paths, fmt.Sprintf("/proc/%d/ns/net", pid))
			missing = "no process has this id, and no namespace has this name"
		}
	}
	for _, path := range paths {
		f, err := os.Open(path)
		if err == nil {
			return f, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return nil, explain(err)
		}
	}
	return nil, fmt.Errorf("%w: %s", registry.ErrUsage, missing)
}

func (n *Namespace) check() error {
	kind, err := unix.IoctlRetInt(int(n.file.Fd()), unix.NS_GET_NSTYPE)
	if err != nil || kind != unix.CLONE_NEWNET {
		return fmt.Errorf("%w: not a network namespace", registry.ErrUsage)
	}
	return n.Do(func() error { return nil })
}

// explain names the capabilities that would help. cap_sys_admin is for entering; it includes
// those for loading BPF programs. The others are for work inside.
func explain(err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return registry.NeedCaps(err, "cap_sys_admin", "cap_net_admin", "cap_net_raw")
	}
	return err
}

// String returns the argument of [Open].
func (n *Namespace) String() string { return n.spec }

// Do runs f on a thread in the namespace, and returns f's error. Goroutines that f starts do not
// run in it. It is safe for concurrent use.
func (n *Namespace) Do(f func() error) error {
	done := make(chan error, 1)
	go func() { done <- n.enter(f) }()
	return <-done
}

func (n *Namespace) enter(f func() error) error {
	runtime.LockOSThread() // if the goroutine ends without unlocking, the thread ends too
	home, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		runtime.UnlockOSThread()
		return fmt.Errorf("own network namespace: %w", err)
	}
	defer func() { _ = home.Close() }()
	if err := unix.Setns(int(n.file.Fd()), unix.CLONE_NEWNET); err != nil {
		runtime.UnlockOSThread()
		return fmt.Errorf("enter: %w", err)
	}
	err = f()
	if back := unix.Setns(int(home.Fd()), unix.CLONE_NEWNET); back == nil {
		runtime.UnlockOSThread()
	}
	return err
}

// Close closes the namespace. Do must not be called afterwards.
func (n *Namespace) Close() error { return n.file.Close() }
