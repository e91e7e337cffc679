package process

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// openCgroup2 opens the root of the cgroup v2 hierarchy. It is where the mount table
// says: also at /sys/fs/cgroup/unified. `ip netns exec` covers /sys with a new sysfs, so
// that it is at no path: then it is mounted anew, at no path either (Linux 5.2), or
// taken from the first process' mounts.
func openCgroup2(procfs string) (*os.File, error) {
	path, tableErr := mountedAt(filepath.Join(procfs, "self", "mountinfo"))
	if tableErr == nil {
		f, err := openIfCgroup2(path)
		if err == nil {
			return f, nil
		}
		tableErr = err
	}
	f, mountErr := mountCgroup2()
	if mountErr == nil {
		return f, nil
	}
	if path, err := mountedAt(filepath.Join(procfs, "1", "mountinfo")); err == nil {
		if f, err := openIfCgroup2(filepath.Join(procfs, "1", "root", path)); err == nil {
			return f, nil
		}
	}
	return nil, fmt.Errorf("no cgroup v2 hierarchy: %w", errors.Join(tableErr, mountErr))
}

// openIfCgroup2 opens a directory unless something else has been mounted over it.
func openIfCgroup2(path string) (*os.File, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	var st unix.Statfs_t
	if err := unix.Fstatfs(int(f.Fd()), &st); err != nil || st.Type != unix.CGROUP2_SUPER_MAGIC {
		return nil, errors.Join(fmt.Errorf("%s is not cgroup2: something is mounted over it", path), err, f.Close())
	}
	return f, nil
}

// mountedAt finds where cgroup2 is mounted (proc_pid_mountinfo(5)).
func mountedAt(mountinfo string) (string, error) {
	b, err := os.ReadFile(mountinfo)
	if err != nil {
		return "", err
	}
	lines := bufio.NewScanner(strings.NewReader(string(b)))
	for lines.Scan() {
		before, after, ok := strings.Cut(lines.Text(), " - ")
		w := strings.Fields(before)
		if ok && strings.HasPrefix(after, "cgroup2 ") && len(w) > 4 {
			return unescape(w[4]), nil
		}
	}
	return "", fmt.Errorf("%s has no cgroup2", mountinfo)
}

// unescape undoes what the kernel does to blanks in paths: "\040".
func unescape(s string) string {
	return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(s)
}

// mountCgroup2 returns the root of a mount that is in no mount table and ends with it.
func mountCgroup2() (*os.File, error) {
	fs, err := unix.Fsopen("cgroup2", unix.FSOPEN_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("fsopen cgroup2: %w", err)
	}
	defer func() { _ = unix.Close(fs) }()
	if err := unix.FsconfigCreate(fs); err != nil {
		return nil, fmt.Errorf("fsconfig cgroup2: %w", err)
	}
	mnt, err := unix.Fsmount(fs, unix.FSMOUNT_CLOEXEC, unix.MOUNT_ATTR_RDONLY|unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NODEV|unix.MOUNT_ATTR_NOEXEC)
	if err != nil {
		return nil, fmt.Errorf("fsmount cgroup2: %w", err)
	}
	defer func() { _ = unix.Close(mnt) }()
	// What fsmount returns is a path only; BPF wants an open directory.
	fd, err := unix.Openat(mnt, ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open cgroup2: %w", err)
	}
	return os.NewFile(uintptr(fd), "cgroup2"), nil
}
