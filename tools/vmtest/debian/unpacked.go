package debian

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// homePrefix begins the names of directories with unpacked packages; the version follows.
const homePrefix = "unpacked-"

// unpacked returns the directory below dir with this version. If it is missing, fill makes it, and
// unpacked removes other versions except the last.
func unpacked(dir, version string, fill func(tmp string) error) (home string, err error) {
	home = filepath.Join(dir, homePrefix+strings.ReplaceAll(version, ":", "_"))
	if _, err := os.Stat(home); err == nil {
		return home, nil
	}
	tmp := filepath.Join(dir, "new")
	if err := os.RemoveAll(tmp); err != nil { // left by a killed run
		return "", err
	}
	if err := os.Mkdir(tmp, 0o755); err != nil {
		return "", err
	}
	if err := fill(tmp); err != nil {
		return "", err
	}
	if err := removeOld(dir); err != nil {
		return "", err
	}
	return home, os.Rename(tmp, home)
}

// kept returns the directory that was unpacked last, and its version.
func kept(dir string) (home, version string, err error) {
	homes, err := homesByAge(dir)
	if err != nil {
		return "", "", err
	}
	if len(homes) == 0 {
		return "", "", fs.ErrNotExist
	}
	home = homes[len(homes)-1]
	return home, strings.TrimPrefix(filepath.Base(home), homePrefix), nil
}

// removeOld removes all versions except the last one, which a machine may still use.
func removeOld(dir string) error {
	homes, err := homesByAge(dir)
	if err != nil || len(homes) == 0 {
		return err
	}
	var errs []error
	for _, h := range homes[:len(homes)-1] {
		errs = append(errs, os.RemoveAll(h))
	}
	return errors.Join(errs...)
}

// homesByAge returns the directories with unpacked packages, the oldest first.
func homesByAge(dir string) ([]string, error) {
	homes, err := filepath.Glob(filepath.Join(dir, homePrefix+"*"))
	if err != nil {
		return nil, err
	}
	slices.SortFunc(homes, func(a, b string) int { return modTime(a).Compare(modTime(b)) })
	return homes, nil
}

// lock locks a directory against other processes until unlock is called.
func lock(dir string) (unlock func(), err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("lock %s: %w", dir, err)
	}
	return func() { _ = f.Close() }, nil
}

func modTime(name string) (t time.Time) {
	if info, err := os.Stat(name); err == nil {
		t = info.ModTime()
	}
	return t
}
