package initramfs

import (
	"debug/elf"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// libraryDirs are where Debian's dynamic loader looks without a cache. The stars match the
// architecture.
var libraryDirs = []string{"/lib/*-linux-gnu", "/usr/lib/*-linux-gnu", "/lib", "/usr/lib"}

// ProgramBelow is Program for a system of any architecture that is unpacked at root. The paths of
// file and its shared libraries are below root, and the same in the archive.
func (w *Writer) ProgramBelow(root, file string) error {
	from, err := follow(root, file)
	if err != nil {
		return err
	}
	w.Copy(file, from)
	if w.err != nil {
		return w.err
	}
	f, err := elf.Open(from)
	if err != nil {
		return fmt.Errorf("%s: %w", from, err)
	}
	defer func() { _ = f.Close() }()
	needs, err := needed(f, root)
	if err != nil {
		return fmt.Errorf("%s below %s: %w", file, root, err)
	}
	for _, n := range needs {
		if w.Has(n) {
			continue
		}
		if err := w.ProgramBelow(root, n); err != nil {
			return err
		}
	}
	return w.err
}

// follow returns the file that a path below root leads to. An absolute link starts at root.
func follow(root, file string) (string, error) {
	const maxLinks = 40 // the kernel's limit (path_resolution(7))
	for range maxLinks {
		target, err := os.Readlink(filepath.Join(root, file))
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return "", err
		case err != nil:
			return filepath.Join(root, file), nil // not a link
		case path.IsAbs(target):
			file = target
		default:
			file = path.Join(path.Dir(file), target)
		}
	}
	return "", fmt.Errorf("%s below %s: too many links", file, root)
}

// needed returns the paths of the dynamic loader and of the libraries that f names.
func needed(f *elf.File, root string) ([]string, error) {
	var found []string
	for _, p := range f.Progs {
		if p.Type != elf.PT_INTERP {
			continue
		}
		name := make([]byte, p.Filesz)
		if _, err := p.ReadAt(name, 0); err != nil {
			return nil, fmt.Errorf("dynamic loader: %w", err)
		}
		found = append(found, strings.TrimRight(string(name), "\x00"))
	}
	names, err := f.ImportedLibraries()
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		lib, err := library(root, name)
		if err != nil {
			return nil, err
		}
		found = append(found, lib)
	}
	return found, nil
}

func library(root, name string) (string, error) {
	for _, dir := range libraryDirs {
		files, err := filepath.Glob(filepath.Join(root, dir, name))
		if err != nil {
			return "", err
		}
		if len(files) > 0 {
			rel, err := filepath.Rel(root, files[0])
			return path.Join("/", filepath.ToSlash(rel)), err
		}
	}
	return "", fmt.Errorf("library %s is not found", name)
}
