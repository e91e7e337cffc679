// Package netns enters network namespaces (network_namespaces(7)) with single threads,
// for what the kernel looks up in the namespace of whoever asks: interfaces, sockets. All
// else of the process stays where it is.
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

// dirs are where ip-netns(8) has its names.
var dirs = [...]string{"/run/netns", "/var/run/netns"}

// Namespace is an open network namespace. It stays while it is open, whatever becomes of
// its name or its processes.
type Namespace struct {
	spec string
	file *os.File
}

// Open opens the namespace that spec means: a name as ip-netns(8) has it, the id of a
// process that is in it, or a path. Its errors wrap [registry.ErrUsage] if there is no
// such namespace, and [registry.ErrPermission] if it must not be entered.
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
		paths, missing = nil, "there is none of this name, see `ip netns`"
		for _, dir := range dirs {
			paths = append(paths, filepath.Join(dir, spec))
		}
		if pid, err := strconv.ParseUint(spec, 10, 31); err == nil {
			paths = append(paths, fmt.Sprintf("/proc/%d/ns/net", pid))
			missing = "there is neither a process of this id nor a namespace of this name"
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

// explain tells which capabilities would help: cap_sys_admin is for entering, and stands
// for those that loading BPF programs takes; the others are for what is done inside.
func explain(err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return registry.NeedCaps(err, "cap_sys_admin", "cap_net_admin", "cap_net_raw")
	}
	return err
}

// String returns what was given to [Open].
func (n *Namespace) String() string { return n.spec }

// Do runs f on a thread that is in the namespace, and returns its error. Goroutines that
// f starts are not in it. It may be called concurrently.
func (n *Namespace) Do(f func() error) error {
	done := make(chan error, 1)
	go func() { done <- n.enter(f) }()
	return <-done
}

func (n *Namespace) enter(f func() error) error {
	runtime.LockOSThread() // a goroutine that ends like this takes its thread with it
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

// Close lets go of the namespace. Do must not be called any more.
func (n *Namespace) Close() error { return n.file.Close() }
