package debian

import (
	"context"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// metaPackage returns the package that depends on a suite's newest cloud kernel.
func metaPackage(arch string) string { return "linux-image-cloud-" + arch }

// kernelPackage matches the names of the packages that contain a kernel.
func kernelPackage(arch string) *regexp.Regexp {
	return regexp.MustCompile(`^linux-(image|binary|modules|base)-.*cloud-` + arch + `$`)
}

// Kernel is an unpacked kernel.
type Kernel struct {
	Release string // as in uname -r
	Version string // of the Debian package
	Image   string // path of the image that QEMU boots
	Modules string // path of the directory that contains kernel/
	Dir     string // only for this kernel; the caller may keep files there
}

// Cache keeps unpacked packages in a directory.
type Cache struct {
	Dir     string
	Refresh bool                             // ask the archive, even if the lists are fresh
	Logf    func(format string, args ...any) // reports steps that take time
}

// Kernel returns the newest cloud kernel of a suite such as "trixie-backports", for an architecture
// of Debian. If the archive does not answer, it returns the kernel of the last time.
func (c *Cache) Kernel(ctx context.Context, suiteName, arch string) (*Kernel, error) {
	dir, err := filepath.Abs(filepath.Join(c.Dir, suiteName+"-"+arch))
	if err != nil {
		return nil, err
	}
	unlock, err := lock(dir)
	if err != nil {
		return nil, err
	}
	defer unlock()
	k, err := c.newest(ctx, dir, suiteName, arch)
	if err == nil || ctx.Err() != nil {
		return k, err
	}
	if home, version, keptErr := kept(dir); keptErr == nil {
		c.Logf("%s: %v; using %s from the cache", suiteName, err, version)
		return find(home, version)
	}
	return nil, err
}

// newest asks the archive, and downloads a kernel that the cache lacks.
func (c *Cache) newest(ctx context.Context, dir, suiteName, arch string) (*Kernel, error) {
	s, err := open(filepath.Join(dir, "apt"), suiteName, arch, hostMirrors(ctx))
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
	home, err := unpacked(dir, version, func(tmp string) error {
		c.Logf("%s: fetching %s %s", suiteName, packages[0].name, version)
		if err := s.download(ctx, tmp, packages[1:]...); err != nil {
			return err
		}
		_, err := find(tmp, version)
		return err
	})
	if err != nil {
		return nil, err
	}
	return find(home, version)
}

// kernelPackages returns the meta package and the packages of the same kernel that it needs.
func (s *suite) kernelPackages(ctx context.Context) ([]control, error) {
	var found []control
	names, wanted := []string{metaPackage(s.arch)}, kernelPackage(s.arch)
	for i := 0; i < len(names); i++ {
		c, err := s.show(ctx, names[i])
		if err != nil {
			return nil, err
		}
		found = append(found, c)
		for _, d := range c.depends {
			if wanted.MatchString(d) && !slices.Contains(names, d) {
				names = append(names, d)
			}
		}
	}
	return found, nil
}

// find looks in the places of all releases. Bookworm and older have /boot and /lib/modules. Trixie
// has /usr/lib/modules; its backports also have the image there.
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
