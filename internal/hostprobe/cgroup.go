package hostprobe

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/pktstat/pktstat/internal/bpfprobe"
	"github.com/pktstat/pktstat/registry"
)

// ErrNoCgroup2 is that cgroup v2 is not mounted where this process sees it.
var ErrNoCgroup2 = errors.New("cgroup v2 is not mounted here")

// cgroups looks for the hierarchy of cgroup v2.
func cgroups() []registry.Check {
	path, err := Cgroup2()
	c := found(bpfprobe.Check("cgroup v2", "4.5", err), path)
	if errors.Is(err, ErrNoCgroup2) {
		// `ip netns exec` gives its command a /sys of its own, without what was mounted there.
		c.Remedy = "outside of `ip netns exec`, or: mount -t cgroup2 none DIRECTORY"
	}
	return []registry.Check{c}
}

// Cgroup2 returns where cgroup v2 is mounted: not always on /sys/fs/cgroup. In a hybrid
// setup it is a directory below that. If there are several mounts of it, that of the
// whole hierarchy comes first.
func Cgroup2() (string, error) {
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }()
	return cgroup2In(f)
}

// cgroup2In reads a mount table as proc_pid_mountinfo(5) describes it.
func cgroup2In(table io.Reader) (string, error) {
	path, whole := "", false
	lines := bufio.NewScanner(table)
	for lines.Scan() {
		mount, source, ok := strings.Cut(lines.Text(), " - ")
		fields := strings.Fields(mount)
		if !ok || len(fields) < 5 || !strings.HasPrefix(source, "cgroup2 ") {
			continue
		}
		root, at := fields[3], unescape(fields[4])
		if path == "" || !whole && root == "/" {
			path, whole = at, root == "/"
		}
	}
	if err := lines.Err(); err != nil {
		return "", fmt.Errorf("mount table: %w", err)
	}
	if path == "" {
		return "", ErrNoCgroup2
	}
	return path, nil
}

// unescape undoes what the kernel does to spaces in paths (mangle of fs/seq_file.c).
func unescape(path string) string {
	return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(path)
}
