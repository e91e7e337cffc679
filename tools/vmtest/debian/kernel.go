package debian

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// metaPackage depends on the newest kernel of a suite.
const metaPackage = "linux-image-cloud-amd64"

// kernelPackage matches the packages that a kernel is split over.
var kernelPackage = regexp.MustCompile(`^linux-(image|binary|modules|base)-.*cloud-amd64$`)

// Kernel is an unpacked kernel.
type Kernel struct {
	Release string // as uname -r says it
	Version string // of the Debian package
	Image   string // path of the bzImage
	Modules string // path of the directory with kernel/ in it
	Dir     string // of this kernel alone; the caller may keep files there
}

// Cache keeps kernels in a directory.
type Cache struct {
	Dir     string
	Refresh bool                             // ask the archive, however fresh the lists are
	Logf    func(format string, args ...any) // says what takes a while
}

// Kernel returns the newest cloud kernel of a suite such as "trixie-backports".
// When the archive cannot be asked, the one from the last time will do.
func (c *Cache) Kernel(ctx context.Context, suiteName string) (*Kernel, error) {
	dir, err := filepath.Abs(filepath.Join(c.Dir, suiteName))
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	unlock, err := lock(dir)
	if err != nil {
		return nil, err
	}
	defer unlock()
	k, err := c.newest(ctx, dir, suiteName)
	if err == nil || ctx.Err() != nil {
		return k, err
	}
	if k, keptErr := kept(dir); keptErr == nil {
		c.Logf("%s: %v; going on with %s from the cache", suiteName, err, k.Release)
		return k, nil
	}
	return nil, err
}

// newest asks the archive and fetches what is not there yet.
func (c *Cache) newest(ctx context.Context, dir, suiteName string) (*Kernel, error) {
	s, err := open(filepath.Join(dir, "apt"), suiteName, hostMirrors(ctx))
	if err != nil {
		return nil, err
	}
	if err := s.update(ctx, c.Refresh); err != nil {
		return nil, err
	}
	packages, err := s.kernelPackages(ctx)
	if err != nil {
		return nil, err
	}
	version := packages[0].version
	home := filepath.Join(dir, "kernel-"+strings.ReplaceAll(version, ":", "_"))
	if _, err := os.Stat(home); err == nil {
		return find(home, version)
	}
	c.Logf("%s: fetching %s %s", suiteName, metaPackage, version)
	tmp := filepath.Join(dir, "new")
	if err := os.RemoveAll(tmp); err != nil { // of a run that was killed
		return nil, err
	}
	if err := os.Mkdir(tmp, 0o755); err != nil {
		return nil, err
	}
	for _, p := range packages[1:] {
		if err := s.download(ctx, p, tmp); err != nil {
			return nil, err
		}
	}
	if _, err := find(tmp, version); err != nil {
		return nil, err
	}
	if err := removeOld(dir); err != nil {
		return nil, err
	}
	if err := os.Rename(tmp, home); err != nil {
		return nil, err
	}
	return find(home, version)
}

// kernelPackages returns the meta package and what it needs of the same kernel.
func (s *suite) kernelPackages(ctx context.Context) ([]control, error) {
	var found []control
	names := []string{metaPackage}
	for i := 0; i < len(names); i++ {
		c, err := s.show(ctx, names[i])
		if err != nil {
			return nil, err
		}
		found = append(found, c)
		for _, d := range c.depends {
			if kernelPackage.MatchString(d) && !slices.Contains(names, d) {
				names = append(names, d)
			}
		}
	}
	return found, nil
}

// find looks where the releases put their files: bookworm and before have /boot and
// /lib/modules, trixie /usr/lib/modules, its backports have the image there, too.
func find(home, version string) (*Kernel, error) {
	image, err := one(home, "boot/vmlinuz-*", "usr/lib/modules/*/vmlinuz")
	if err != nil {
		return nil, err
	}
	modules, err := one(home, "lib/modules/*/kernel", "usr/lib/modules/*/kernel")
	if err != nil {
		return nil, err
	}
	modules = filepath.Dir(modules)
	return &Kernel{filepath.Base(modules), version, image, modules, home}, nil
}

func one(home string, patterns ...string) (string, error) {
	var found []string
	for _, p := range patterns {
		files, err := filepath.Glob(filepath.Join(home, p))
		if err != nil {
			return "", err
		}
		found = append(found, files...)
	}
	if len(found) != 1 {
		return "", fmt.Errorf("kernel in %s: %s: found %q, want one", home, strings.Join(patterns, " or "), found)
	}
	return found[0], nil
}

// kept returns the kernel that was fetched last.
func kept(dir string) (*Kernel, error) {
	homes, err := filepath.Glob(filepath.Join(dir, "kernel-*"))
	if err != nil {
		return nil, err
	}
	if len(homes) == 0 {
		return nil, fs.ErrNotExist
	}
	home := slices.MaxFunc(homes, func(a, b string) int { return modTime(a).Compare(modTime(b)) })
	return find(home, strings.TrimPrefix(filepath.Base(home), "kernel-"))
}

// removeOld removes all kernels but the last one, which a machine may still be using.
func removeOld(dir string) error {
	homes, err := filepath.Glob(filepath.Join(dir, "kernel-*"))
	if err != nil || len(homes) == 0 {
		return err
	}
	slices.SortFunc(homes, func(a, b string) int { return modTime(a).Compare(modTime(b)) })
	var errs []error
	for _, h := range homes[:len(homes)-1] {
		errs = append(errs, os.RemoveAll(h))
	}
	return errors.Join(errs...)
}

// lock keeps other processes out of a directory until the function returned is called.
func lock(dir string) (unlock func(), err error) {
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
