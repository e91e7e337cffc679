// Package cgroup2 finds the hierarchy of cgroup v2, wherever it is mounted: not always
// on /sys/fs/cgroup. In a hybrid setup it is in a directory below that, and `ip netns
// exec` covers /sys with a new sysfs, so that it is at no path at all.
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

// ErrNotMounted is that cgroup v2 is not mounted where this process sees it.
var ErrNotMounted = errors.New("cgroup v2 is not mounted here")

// Open opens the root of the hierarchy. Where it is not mounted, it is mounted for this
// process alone, nowhere, or found among the mounts of the first process. An error is
// [unix.ENODEV] if the kernel has no cgroup v2, and [unix.EPERM] if the mount is not permitted.
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

// Path returns where the hierarchy is mounted; the error is [ErrNotMounted] if it is not.
func Path() (string, error) {
	root, err := openMounted("/proc/thread-self/mountinfo", "/")
	if err != nil {
		return "", err
	}
	return root.Name(), root.Close()
}

// openMounted opens the root at the first of a mount table's mounts that nothing covers.
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
		_ = root.Close() // it was only looked at
		err = fmt.Errorf("something else is mounted over %s", m)
	}
	return nil, err
}

// mountsIn reads a mount table (proc_pid_mountinfo(5)): where the hierarchy is mounted,
// where it is whole first.
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

// Is reports whether an open file is of the cgroup v2 file system.
func Is(fd int) bool {
	var st unix.Statfs_t
	return unix.Fstatfs(fd, &st) == nil && st.Type == unix.CGROUP2_SUPER_MAGIC
}

// mount returns the root of a mount that is in no mount table and ends with the file
// (fsmount(2), since 5.2).
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
	defer func() { _ = unix.Close(mnt) }() // the directory keeps it
	// What fsmount returns is a path only; BPF wants an open directory.
	fd, err := unix.Openat(mnt, ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open cgroup2: %w", err)
	}
	return os.NewFile(uintptr(fd), "the root of the cgroup2 hierarchy"), nil
}
