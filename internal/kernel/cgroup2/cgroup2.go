// Package cgroup2 finds the cgroup v2 hierarchy, which is not always mounted on /sys/fs/cgroup.
// In a hybrid setup it is in a directory below. `ip netns exec` mounts a new sysfs over /sys, so
// that no path leads to it.
package cgroup2

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"
)

// ErrNotMounted means that cgroup v2 is not mounted in this mount namespace.
var ErrNotMounted = errors.New("cgroup v2 is not mounted here")

// Open opens the root of the hierarchy. If it is not mounted, Open mounts it without a path
// (fsmount(2)), or finds it among the mounts of process 1. The error is [unix.ENODEV] if the
// kernel has no cgroup v2, and [unix.EPERM] if mounting is not permitted.
func Open() (*os.File, error) {
	root, tableErr := openMounted("/proc/thread-self/mountinfo", "/")
	if tableErr == nil {
		return root, nil
	}
	root, mountErr := mount()
	if mountErr == nil {
		return root, nil
	}
	if root, err := openMounted("/proc/1/mountinfo", "/proc/1/root"); err == nil {
		return root, nil
	}
	return nil, fmt.Errorf("no cgroup v2 hierarchy: %w; %w", tableErr, mountErr)
}

// Path returns the mount point of the hierarchy, or [ErrNotMounted].
func Path() (string, error) {
	root, err := openMounted("/proc/thread-self/mountinfo", "/")
	if err != nil {
		return "", err
	}
	return root.Name(), root.Close()
}

// openMounted opens the root at the first mount in a mount table that no other mount covers.
func openMounted(table, dir string) (root *os.File, err error) {
	f, err := os.Open(table)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	mounts, err := mountsIn(f)
	if err != nil {
		return nil, err
	}
	for _, m := range mounts {
		if root, err = os.Open(filepath.Join(dir, m)); err != nil {
			continue
		}
		if Is(int(root.Fd())) {
			return root, nil
		}
		_ = root.Close() // not the hierarchy
		err = fmt.Errorf("something else is mounted over %s", m)
	}
	return nil, err
}

// mountsIn reads a mount table (proc_pid_mountinfo(5)). It returns the mount points of the
// hierarchy. Mounts of the whole hierarchy come first.
func mountsIn(table io.Reader) ([]string, error) {
	found, err := mountinfo.GetMountsFromReader(table, mountinfo.FSTypeFilter("cgroup2"))
	if err != nil {
		return nil, fmt.Errorf("mount table: %w", err)
	}
	if len(found) == 0 {
		return nil, ErrNotMounted
	}
	slices.SortStableFunc(found, func(a, b *mountinfo.Info) int { return len(a.Root) - len(b.Root) })
	var paths []string
	for _, m := range found {
		paths = append(paths, m.Mountpoint)
	}
	return paths, nil
}

// Is reports whether an open file is on the cgroup v2 file system.
func Is(fd int) bool {
	var st unix.Statfs_t
	return unix.Fstatfs(fd, &st) == nil && st.Type == unix.CGROUP2_SUPER_MAGIC
}

// mount mounts the hierarchy without a path and returns its root. The mount ends when the file is
// closed (fsmount(2), since 5.2).
func mount() (*os.File, error) {
	ctx, err := unix.Fsopen("cgroup2", unix.FSOPEN_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("fsopen cgroup2: %w", err)
	}
	defer func() { _ = unix.Close(ctx) }()
	if err := unix.FsconfigCreate(ctx); err != nil {
		return nil, fmt.Errorf("fsconfig cgroup2: %w", err)
	}
	mnt, err := unix.Fsmount(ctx, unix.FSMOUNT_CLOEXEC, unix.MOUNT_ATTR_RDONLY|unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NODEV|unix.MOUNT_ATTR_NOEXEC)
	if err != nil {
		return nil, fmt.Errorf("fsmount cgroup2: %w", err)
	}
	defer func() { _ = unix.Close(mnt) }() // the open directory keeps the mount
	// fsmount returns an O_PATH descriptor. BPF needs an open directory.
	fd, err := unix.Openat(mnt, ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open cgroup2: %w", err)
	}
	return os.NewFile(uintptr(fd), "the root of the cgroup2 hierarchy"), nil
}
