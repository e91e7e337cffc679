package containers

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Resolver finds cgroups by their ids, and identifies them. It looks for an unknown id when
// [Resolver.Lookup] is called. It is not safe for concurrent use.
type Resolver struct {
	root  *os.File // of the cgroup v2 hierarchy; nil: the host has none
	now   func() time.Time
	names names

	known  map[uint64]*entry
	walked time.Time
}

type entry struct {
	path  string
	what  Container
	label string
	tried time.Time // when its name was last looked up
	tries int
}

const (
	// maxKnown bounds the memory for deleted cgroups.
	maxKnown = 1 << 16
	// A runtime may write a container's name shortly after the container has started.
	maxTries   = 10
	retryAfter = time.Second
)

// NewResolver returns a resolver for the hierarchy with this root directory. With a nil root, it
// resolves no id.
func NewResolver(root *os.File, now func() time.Time) *Resolver {
	return &Resolver{root: root, now: now, names: names{root: "/"}, known: map[uint64]*entry{}}
}

// Lookup returns the path of a cgroup below the root, and its [Container.String]. Both are "" if
// the id is unknown.
func (r *Resolver) Lookup(id uint64) (path, container string) {
	if id == 0 || r.root == nil {
		return "", ""
	}
	e := r.known[id]
	if e == nil {
		if e = r.find(id); e == nil {
			return "", ""
		}
	}
	if e.what.IsContainer() && e.what.Name == "" && e.tries < maxTries && r.now().Sub(e.tried) >= retryAfter {
		e.tries++
		e.tried = r.now()
		r.names.find(&e.what)
		e.label = e.what.String()
	}
	return e.path, e.label
}

// ID returns the id of the cgroup at a path below the root; 0 if it does not exist.
func (r *Resolver) ID(path string) uint64 {
	if r.root == nil {
		return 0
	}
	var st unix.Stat_t
	if err := unix.Stat(r.base()+filepath.Clean("/"+path), &st); err != nil {
		return 0
	}
	r.remember(st.Ino, filepath.Clean("/"+path))
	return st.Ino
}

// base is a path to the root directory, which need not be mounted anywhere.
func (r *Resolver) base() string { return fmt.Sprintf("/proc/self/fd/%d", r.root.Fd()) }

func (r *Resolver) find(id uint64) *entry {
	if path, err := r.byHandle(id); err == nil {
		return r.remember(id, path)
	}
	// Without the right to open by handle, walk the hierarchy. retryAfter limits how often a
	// deleted cgroup causes a walk.
	if now := r.now(); now.Sub(r.walked) >= retryAfter {
		r.walked = now
		r.walk()
	}
	return r.known[id]
}

func (r *Resolver) remember(id uint64, path string) *entry {
	if e := r.known[id]; e != nil && e.path == path {
		return e
	}
	if len(r.known) >= maxKnown {
		clear(r.known)
	}
	e := &entry{path: path, what: Parse(path)}
	e.label = e.what.String()
	r.known[id] = e
	return e
}

// fileIDKernfs is FILEID_KERNFS: the file handle is the cgroup's id.
const fileIDKernfs = 0xfe

func (r *Resolver) byHandle(id uint64) (string, error) {
	handle := unix.NewFileHandle(fileIDKernfs, binary.NativeEndian.AppendUint64(nil, id))
	fd, err := unix.OpenByHandleAt(int(r.root.Fd()), handle, unix.O_PATH|unix.O_CLOEXEC)
	if err != nil {
		return "", err
	}
	defer func() { _ = unix.Close(fd) }()
	at := func(fd int) (string, error) { return os.Readlink(fmt.Sprintf("/proc/self/fd/%d", fd)) }
	path, err := at(fd)
	if err != nil {
		return "", err
	}
	root, err := at(int(r.root.Fd()))
	if err != nil {
		return "", err
	}
	below, ok := strings.CutPrefix(path, strings.TrimSuffix(root, "/"))
	if !ok || strings.HasSuffix(path, " (deleted)") {
		return "", errors.New("the cgroup has no path")
	}
	return filepath.Clean("/" + below), nil
}

func (r *Resolver) walk() {
	base := r.base()
	// Skip unreadable directories: cgroups may appear and vanish during the walk.
	_ = filepath.WalkDir(base+"/", func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return nil
		}
		var st unix.Stat_t
		if unix.Stat(path, &st) == nil {
			r.remember(st.Ino, filepath.Clean("/"+strings.TrimPrefix(path, base)))
		}
		return nil
	})
}
