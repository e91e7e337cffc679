package outfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// identity is what determines whether two names mean the same target.
type identity struct {
	stdout bool
	path   string      // absolute, with links resolved; the name itself if that fails
	info   fs.FileInfo // nil if the file does not exist
}

func (s *Set) identify(name string) identity {
	if name == "" || name == "-" {
		return identity{stdout: true, info: s.stdoutInfo}
	}
	id := identity{path: name}
	if path, err := resolve(name); err == nil {
		id.path = path
	}
	if info, err := os.Stat(name); err == nil {
		id.info = info
		// /dev/stdout, or the file or terminal that stdout is connected to.
		id.stdout = s.stdoutInfo != nil && !isMemDevice(info) && os.SameFile(info, s.stdoutInfo)
	}
	return id
}

// same reports whether two outputs with these targets would write into one another's text.
func (id identity) same(o identity) bool {
	if id.stdout && o.stdout {
		return true
	}
	if id.info != nil && isMemDevice(id.info) {
		return false
	}
	if id.stdout != o.stdout {
		return false
	}
	return id.path == o.path || id.info != nil && o.info != nil && os.SameFile(id.info, o.info)
}

func (id identity) String() string {
	if id.stdout {
		return "standard output"
	}
	return strconv.Quote(id.path)
}

// memMajor is the major number of /dev/null, /dev/full and similar devices
// (Documentation/admin-guide/devices.txt). Any number of outputs may write to them.
const memMajor = 1

func isMemDevice(info fs.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && info.Mode()&fs.ModeCharDevice != 0 && unix.Major(st.Rdev) == memMajor
}

// maxLinks is the kernel's limit (path_resolution(7)).
const maxLinks = 40

// resolve returns the absolute path of a file, with all symbolic links followed. The directory must
// exist, the file need not.
func resolve(name string) (string, error) {
	p, err := filepath.Abs(name)
	if err != nil {
		return "", err
	}
	for range maxLinks {
		r, err := filepath.EvalSymlinks(p)
		if err == nil || !errors.Is(err, fs.ErrNotExist) {
			return r, err
		}
		dir, err := filepath.EvalSymlinks(filepath.Dir(p))
		if err != nil {
			return "", err
		}
		p = filepath.Join(dir, filepath.Base(p))
		to, _ := os.Readlink(p)
		if to == "" {
			return p, nil // not a link, and no file
		}
		if !filepath.IsAbs(to) {
			to = filepath.Join(dir, to)
		}
		p = to
	}
	return "", &fs.PathError{Op: "open", Path: name, Err: syscall.ELOOP}
}
