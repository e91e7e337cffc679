// Package initramfs writes the archive that a Linux kernel unpacks as its first root file system
// (Documentation/driver-api/early-userspace/buffer-format.rst). A file may contain several
// archives; files of a later one replace earlier ones.
package initramfs

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
)

// Writer writes one archive. Paths are absolute. It creates parent directories as needed. Close
// returns the first error of any method.
type Writer struct {
	w    io.Writer
	n    int64 // written so far
	ino  uint32
	seen map[string]bool
	err  error
}

// NewWriter returns a writer to w.
func NewWriter(w io.Writer) *Writer {
	return &Writer{w: w, seen: map[string]bool{"/": true}}
}

// Types of inodes (inode(7)).
const (
	typeChar    = 0o020000
	typeDir     = 0o040000
	typeRegular = 0o100000
	typeSymlink = 0o120000
)

// Has reports whether the path is in the archive.
func (w *Writer) Has(name string) bool { return w.seen[path.Clean(name)] }

// Dir adds a directory.
func (w *Writer) Dir(name string, perm fs.FileMode) {
	w.entry(name, typeDir|uint32(perm.Perm()), 0, 0, 0, nil)
}

// File adds a file with this content.
func (w *Writer) File(name string, perm fs.FileMode, content []byte) {
	w.entry(name, typeRegular|uint32(perm.Perm()), int64(len(content)), 0, 0, bytes.NewReader(content))
}

// Symlink adds a symbolic link.
func (w *Writer) Symlink(name, target string) {
	w.entry(name, typeSymlink|0o777, int64(len(target)), 0, 0, bytes.NewReader([]byte(target)))
}

// CharDevice adds a character device.
func (w *Writer) CharDevice(name string, perm fs.FileMode, major, minor uint32) {
	w.entry(name, typeChar|uint32(perm.Perm()), 0, major, minor, nil)
}

// Copy adds a file of the host, and follows symbolic links.
func (w *Writer) Copy(name, from string) {
	if w.err != nil {
		return
	}
	f, err := os.Open(from)
	if err != nil {
		w.err = err
		return
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		w.err = err
		return
	}
	if !info.Mode().IsRegular() {
		w.err = fmt.Errorf("initramfs: %s is not a regular file", from)
		return
	}
	w.entry(name, typeRegular|uint32(info.Mode().Perm()), info.Size(), 0, 0, f)
}

// CopyTree adds a file of the host, or a directory with everything below it.
func (w *Writer) CopyTree(name, from string) {
	if w.err != nil {
		return
	}
	err := filepath.WalkDir(from, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, p)
		if err != nil {
			return err
		}
		if to := path.Join(name, filepath.ToSlash(rel)); d.IsDir() {
			w.Dir(to, 0o755)
		} else {
			w.Copy(to, p)
		}
		return w.err
	})
	if err != nil && w.err == nil {
		w.err = err
	}
}

// Close ends the archive. It does not close the underlying file.
func (w *Writer) Close() error {
	w.header("TRAILER!!!", 0, 0, 0, 0)
	w.pad()
	return w.err
}

func (w *Writer) entry(name string, mode uint32, size int64, major, minor uint32, content io.Reader) {
	if w.err != nil {
		return
	}
	name = path.Clean(name)
	if !path.IsAbs(name) {
		w.err = fmt.Errorf("initramfs: %s is not an absolute path", name)
		return
	}
	if size > 1<<32-1 {
		w.err = fmt.Errorf("initramfs: %s is larger than the format allows", name)
		return
	}
	if mode&typeDir != 0 && w.seen[name] {
		return
	}
	if dir := path.Dir(name); !w.seen[dir] {
		w.Dir(dir, 0o755)
	}
	w.seen[name] = true
	w.header(name[1:], mode, uint32(size), major, minor)
	if content != nil && w.err == nil {
		n, err := io.Copy(w.w, content)
		w.n += n
		if err == nil && n != size {
			err = fmt.Errorf("changed while it was read: %d bytes of %d", n, size)
		}
		if err != nil {
			w.err = fmt.Errorf("initramfs: %s: %w", name, err)
		}
	}
	w.pad()
}

// header writes the "newc" header and the name.
func (w *Writer) header(name string, mode, size, major, minor uint32) {
	if w.err != nil {
		return
	}
	w.ino++
	const links, modified = 1, 0
	n, err := fmt.Fprintf(w.w, "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%s\x00",
		w.ino, mode, 0, 0, links, modified, size, 0, 0, major, minor, len(name)+1, 0, name)
	w.n += int64(n)
	w.err = err
	w.pad()
}

// pad adds bytes up to a multiple of four, which the format requires after names and content.
func (w *Writer) pad() {
	if r := w.n % 4; r != 0 && w.err == nil {
		n, err := w.w.Write(make([]byte, 4-r))
		w.n += int64(n)
		w.err = err
	}
}
