// Package outfile opens the targets of outputs: standard output, devices, pipes and files. It
// writes a regular file under a temporary name and renames it when it is complete. So a killed run
// leaves no incomplete report under the final name.
package outfile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/google/renameio/v2"
	"golang.org/x/sys/unix"

	"github.com/pktstat/pktstat/registry"
)

// Set holds the targets of a run. It refuses a second output for the same target. It is safe for
// concurrent use.
type Set struct {
	stdout     io.Writer
	stdoutInfo fs.FileInfo // nil if stdout is not a file

	mu      sync.Mutex
	claims  map[*Target]identity
	inputs  []identity
	pending map[*file]struct{}
}

// NewSet returns an empty Set. info describes stdout if it is a file, so that the Set recognizes
// other names of that file. info may be nil.
func NewSet(stdout io.Writer, info fs.FileInfo) *Set {
	return &Set{
		stdout: stdout, stdoutInfo: info,
		claims: map[*Target]identity{}, pending: map[*file]struct{}{},
	}
}

// Keep refuses targets that are this file: the run reads it. A device or a pipe is none, and
// info may be nil.
func (s *Set) Keep(name string, info fs.FileInfo) {
	if info == nil || !info.Mode().IsRegular() {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.inputs = append(s.inputs, identity{path: name, info: info})
}

// Target is where an output writes.
type Target struct {
	set   *Set
	owner string
	name  string
}

// Target returns an output's target by name; "" and "-" mean standard output. It opens no file. It
// returns a [registry.ErrUsage] if another output has the same target. [Target.Claim] claims
// standard output, because an output without a target may write elsewhere.
func (s *Set) Target(owner, name string) (*Target, error) {
	t := &Target{set: s, owner: owner, name: name}
	if name == "" || name == "-" {
		return t, nil
	}
	err := t.Claim()
	return t, err
}

// Claim reserves the target for this output. It may be called more than once.
func (t *Target) Claim() error {
	id := t.set.identify(t.name)
	t.set.mu.Lock()
	defer t.set.mu.Unlock()
	for other, taken := range t.set.claims {
		if other != t && id.same(taken) {
			return fmt.Errorf("%w: outputs %s and %s both write to %s: %s",
				registry.ErrUsage, min(other.owner, t.owner), max(other.owner, t.owner), id, remedy(id, min(other.owner, t.owner)))
		}
	}
	for _, input := range t.set.inputs {
		if id.info != nil && os.SameFile(id.info, input.info) {
			return fmt.Errorf("%w: output %s would overwrite %s, which this run reads: name another file", registry.ErrUsage, t.owner, input.path)
		}
	}
	t.set.claims[t] = id
	return nil
}

// remedy is what to do about two outputs with one target, one of which is owner.
func remedy(id identity, owner string) string {
	if !id.stdout {
		return "give each a target of its own"
	}
	name := strings.FieldsFunc(owner, func(r rune) bool { return r == '=' || r == ',' })
	return "name a file for one of them, as in --output " + name[0] + "=FILE"
}

// Stdout reports whether the target is standard output, under any of its names.
func (t *Target) Stdout() bool { return t.set.identify(t.name).stdout }

// Create opens the target for writing; see [registry.OutputEnv].
func (t *Target) Create() (registry.Writer, error) {
	if err := t.Claim(); err != nil {
		return nil, err
	}
	if t.Stdout() {
		return &direct{Writer: t.set.stdout}, nil
	}
	info, err := os.Stat(t.name)
	switch {
	case err == nil && info.IsDir() || strings.HasSuffix(t.name, "/"):
		return nil, fmt.Errorf("write to %q: it is a directory", t.name)
	case err == nil && info.Mode()&fs.ModeSocket != 0:
		return dial(t.name)
	case err == nil && !info.Mode().IsRegular():
		return openDirect(t.name)
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("write to %q: %w", t.name, cause(err))
	}
	return t.set.createFile(t.name)
}

// Abandon removes the temporary files of all uncommitted targets. A process calls it before it ends
// without closing its outputs.
func (s *Set) Abandon() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for f := range s.pending {
		// Ignore an error: the output may have renamed the file just now.
		_ = os.Remove(f.pending.Name())
	}
}

// direct is a target that outputs write to without a temporary file.
type direct struct {
	io.Writer
	closer io.Closer // nil for standard output, which stays open
}

var _ registry.Writer = (*direct)(nil)

func openDirect(name string) (registry.Writer, error) {
	f, err := os.OpenFile(name, os.O_WRONLY|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, fmt.Errorf("write to %q: %w", name, cause(err))
	}
	return &direct{Writer: f, closer: f}, nil
}

func dial(name string) (registry.Writer, error) {
	c, err := net.Dial("unix", name)
	if err != nil {
		return nil, fmt.Errorf("write to socket %q: %w", name, err)
	}
	return &direct{Writer: c, closer: c}, nil
}

func (d *direct) Commit() error {
	if d.closer == nil {
		return nil
	}
	c := d.closer
	d.closer = nil
	return c.Close()
}

func (d *direct) Abort() error { return d.Commit() }

// file is a regular file that gets its name when it is complete.
type file struct {
	set     *Set
	name    string // as the user wrote it
	pending *renameio.PendingFile
}

var _ registry.Writer = (*file)(nil)

// newFilePerm is the mode before the umask, as with a shell's redirection.
const newFilePerm = 0o666

func (s *Set) createFile(name string) (registry.Writer, error) {
	// A rename to a link's name would replace the link, not the file that it points to.
	path, err := resolve(name)
	if err != nil {
		if dir := filepath.Dir(name); errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("write to %q: the directory %q does not exist", name, dir)
		}
		return nil, fmt.Errorf("write to %q: %w", name, cause(err))
	}
	// The temporary file is in the target's directory: a rename cannot cross file systems.
	p, err := renameio.NewPendingFile(path,
		renameio.WithTempDir(filepath.Dir(path)),
		renameio.WithPermissions(newFilePerm), renameio.WithExistingPermissions())
	if err != nil {
		return nil, fmt.Errorf("write to %q: cannot create a file in %q: %w", name, filepath.Dir(path), cause(err))
	}
	keepOwner(p.File, path)
	f := &file{set: s, name: name, pending: p}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pending[f] = struct{}{}
	return f, nil
}

// keepOwner gives a file the owner of the file that it will replace: root often writes into a
// user's directory. If the kernel refuses, the writing user owns the file.
func keepOwner(f *os.File, replaced string) {
	var st unix.Stat_t
	if err := unix.Stat(replaced, &st); err == nil {
		_ = f.Chown(int(st.Uid), int(st.Gid))
	}
}

func (f *file) Write(p []byte) (int, error) {
	n, err := f.pending.Write(p)
	if err != nil {
		// The user knows the target's name, not the temporary one.
		err = fmt.Errorf("write to %q: %w", f.name, cause(err))
	}
	return n, err
}

func (f *file) Commit() error {
	if err := f.pending.CloseAtomicallyReplace(); err != nil {
		return fmt.Errorf("write to %q: %w", f.name, cause(err))
	}
	f.forget()
	return nil
}

func (f *file) Abort() error {
	defer f.forget()
	if err := f.pending.Cleanup(); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("discard %q: %w", f.name, err)
	}
	return nil
}

func (f *file) forget() {
	f.set.mu.Lock()
	defer f.set.mu.Unlock()
	delete(f.set.pending, f)
}

// cause removes the operation and the path from an error of package os. The message around it names
// the user's path.
func cause(err error) error {
	if p := (*fs.PathError)(nil); errors.As(err, &p) {
		return p.Err
	}
	if l := (*os.LinkError)(nil); errors.As(err, &l) {
		return l.Err
	}
	return err
}
