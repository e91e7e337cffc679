package cgroup

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/pktstat/pktstat/internal/kernel/caps"
	"github.com/pktstat/pktstat/internal/kernel/cgroup2"
	"github.com/pktstat/pktstat/internal/kernel/held"
	"github.com/pktstat/pktstat/registry"
)

// group is an open directory of the cgroup2 file system.
type group struct {
	*os.File
	lineage []fileID // its own id, then the ids of the groups above it

	places  []*held.Place
	things  []*held.Thing
	gone    bool   // its directory has been removed
	refused fileID // the group of its name that failed: pktstat reports it once
}

// fileID identifies a directory, at any mount point.
type fileID struct{ dev, ino uint64 }

type groups []*group

func (gs groups) close() {
	for _, g := range gs {
		_ = g.Close() // read only
	}
}

// openGroups opens the groups of these names, or the root of the hierarchy. No group may lie in
// another one: its packets would count twice.
func openGroups(names []string) (gs groups, err error) {
	root, err := openRoot()
	if err != nil {
		return nil, err
	}
	if len(names) == 0 {
		return groups{root}, nil
	}
	defer func() {
		_ = root.Close() // read only
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

// openGroup opens a group by a path in the file system, or by a path inside the hierarchy, as in
// /proc/PID/cgroup.
func openGroup(root *group, name string) (*group, error) {
	if g, err := openDir(unix.AT_FDCWD, name, name); err == nil {
		return g, nil
	}
	g, err := openDir(int(root.Fd()), filepath.Join(".", filepath.Clean("/"+name)), name)
	if err != nil {
		return nil, fmt.Errorf("%w: --cgroup-path %s: no such control group below %s",
			registry.ErrUsage, name, root.Name())
	}
	return g, nil
}

// openDir opens a directory of the cgroup2 file system.
func openDir(at int, path, name string) (*group, error) {
	fd, err := unix.Openat(at, path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	return newGroup(os.NewFile(uintptr(fd), name))
}

// newGroup closes the file if it is no group.
func newGroup(f *os.File) (g *group, err error) {
	fd := int(f.Fd())
	if !cgroup2.Is(fd) {
		return nil, errors.Join(errNotCgroup2, f.Close())
	}
	g = &group{File: f}
	if g.lineage, err = lineage(fd); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", f.Name(), err), f.Close())
	}
	return g, nil
}

var errNotCgroup2 = errors.New("this is no directory of the cgroup2 file system")

// lineage returns the ids of a group and the groups above it, as far as the mount shows them.
func lineage(fd int) (ids []fileID, err error) {
	at := fd
	for {
		var st unix.Stat_t
		if err := unix.Fstat(at, &st); err != nil {
			return nil, fmt.Errorf("look at the groups above: %w", err)
		}
		id := fileID{st.Dev, st.Ino}
		if n := len(ids); n > 0 && ids[n-1] == id || !cgroup2.Is(at) {
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

// openRoot opens the root of the hierarchy.
func openRoot() (*group, error) {
	f, err := cgroup2.Open()
	switch {
	case errors.Is(err, unix.ENODEV):
		return nil, fmt.Errorf("%w: this kernel has no cgroup2 file system (CONFIG_CGROUPS)", registry.ErrUnsupported)
	case err != nil:
		return nil, fmt.Errorf("no cgroup2 file system is mounted (mount -t cgroup2 none DIRECTORY), and pktstat cannot mount one: %w", caps.Explain(err, caps.SysAdmin))
	}
	return newGroup(f)
}
