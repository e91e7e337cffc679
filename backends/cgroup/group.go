package cgroup

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"

	"github.com/pktstat/pktstat/internal/caps"
	"github.com/pktstat/pktstat/registry"
)

// group is an open directory of the cgroup2 file system.
type group struct {
	*os.File
	lineage []fileID // its own, then that of each group above it
}

// fileID identifies a directory, whatever it is mounted on.
type fileID struct{ dev, ino uint64 }

type groups []*group

func (gs groups) close() {
	for _, g := range gs {
		_ = g.Close() // it was only looked at
	}
}

// openGroups opens the groups of that name; the root of the hierarchy, if there is none.
// No group may lie in another one: what it sends would count twice.
func openGroups(names []string) (gs groups, err error) {
	root, err := openRoot()
	if err != nil {
		return nil, err
	}
	if len(names) == 0 {
		return groups{root}, nil
	}
	defer func() {
		_ = root.Close() // it was only looked at
		if err != nil {
			gs.close()
			gs = nil
		}
	}()
	for _, name := range names {
		g, err := openGroup(root, name)
		if err != nil {
			return gs, err
		}
		gs = append(gs, g)
		for _, other := range gs[:len(gs)-1] {
			switch {
			case g.lineage[0] == other.lineage[0]:
				return gs, fmt.Errorf("%w: --cgroup-path %s and %s are the same control group", registry.ErrUsage, other.Name(), g.Name())
			case slices.Contains(g.lineage, other.lineage[0]):
				return gs, overlap(g, other)
			case slices.Contains(other.lineage, g.lineage[0]):
				return gs, overlap(other, g)
			}
		}
	}
	return gs, nil
}

func overlap(inner, outer *group) error {
	return fmt.Errorf("%w: --cgroup-path %s lies in %s, which is counted with all below it: leave one of them out",
		registry.ErrUsage, inner.Name(), outer.Name())
}

// openGroup opens a group by a path of the file system, or by one inside the hierarchy,
// as /proc/PID/cgroup has it.
func openGroup(root *group, name string) (*group, error) {
	if g, err := openDir(unix.AT_FDCWD, name, name); err == nil {
		return g, nil
	}
	g, err := openDir(int(root.Fd()), filepath.Join(".", filepath.Clean("/"+name)), name)
	if err != nil {
		return nil, fmt.Errorf("%w: --cgroup-path %s: no such control group: the cgroup2 hierarchy is at %s: %w",
			registry.ErrUsage, name, root.Name(), err)
	}
	return g, nil
}

// openDir opens a directory of the cgroup2 file system.
func openDir(at int, path, name string) (*group, error) {
	fd, err := unix.Openat(at, path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	g := &group{File: os.NewFile(uintptr(fd), name)}
	if !isCgroup2(fd) {
		return nil, errors.Join(errNotCgroup2, g.Close())
	}
	if g.lineage, err = lineage(fd); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", name, err), g.Close())
	}
	return g, nil
}

var errNotCgroup2 = errors.New("this is no directory of the cgroup2 file system")

func isCgroup2(fd int) bool {
	var st unix.Statfs_t
	return unix.Fstatfs(fd, &st) == nil && st.Type == unix.CGROUP2_SUPER_MAGIC
}

// lineage goes up from a group as far as the mount shows it.
func lineage(fd int) (ids []fileID, err error) {
	at := fd
	for {
		var st unix.Stat_t
		if err := unix.Fstat(at, &st); err != nil {
			return nil, fmt.Errorf("look at the groups above: %w", err)
		}
		id := fileID{st.Dev, st.Ino}
		if n := len(ids); n > 0 && ids[n-1] == id || !isCgroup2(at) {
			break
		}
		ids = append(ids, id)
		up, err := unix.Openat(at, "..", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if at != fd {
			_ = unix.Close(at)
		}
		if err != nil {
			return nil, fmt.Errorf("look at the groups above: %w", err)
		}
		at = up
	}
	if at != fd {
		_ = unix.Close(at)
	}
	return ids, nil
}

// openRoot opens the root of the cgroup2 hierarchy, wherever it is mounted. In a
// namespace where it is not, as under `ip netns exec`, it is mounted for this process
// alone, nowhere.
func openRoot() (*group, error) {
	mounts, err := mountinfo.GetMounts(mountinfo.FSTypeFilter("cgroup2"))
	if err != nil {
		return nil, fmt.Errorf("read the mount table: %w", err)
	}
	// Other mounts may show less than all of it.
	slices.SortStableFunc(mounts, func(a, b *mountinfo.Info) int { return len(a.Root) - len(b.Root) })
	for _, m := range mounts {
		if g, err := openDir(unix.AT_FDCWD, m.Mountpoint, m.Mountpoint); err == nil {
			return g, nil // else something else is mounted over it
		}
	}
	return mountRoot()
}

// mountRoot opens the root of the hierarchy by a mount of its own, which goes with the
// file (fsmount(2), since 5.2).
func mountRoot() (*group, error) {
	ctx, err := unix.Fsopen("cgroup2", unix.FSOPEN_CLOEXEC)
	if err != nil {
		return nil, notMounted(err)
	}
	defer func() { _ = unix.Close(ctx) }()
	if err := unix.FsconfigCreate(ctx); err != nil {
		return nil, notMounted(err)
	}
	mount, err := unix.Fsmount(ctx, unix.FSMOUNT_CLOEXEC, 0)
	if err != nil {
		return nil, notMounted(err)
	}
	defer func() { _ = unix.Close(mount) }() // the directory keeps it
	return openDir(mount, ".", "the root of the cgroup2 hierarchy")
}

func notMounted(err error) error {
	if errors.Is(err, unix.ENODEV) {
		return fmt.Errorf("%w: this kernel has no cgroup2 file system (CONFIG_CGROUPS)", registry.ErrUnsupported)
	}
	return fmt.Errorf("no cgroup2 file system is mounted (mount -t cgroup2 none DIRECTORY), nor can it be: %w", caps.Explain(err, caps.SysAdmin))
}
