package debian

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
)

// System returns a directory with packages of a suite for an architecture of Debian, and with all
// packages that they depend on. The packages are only unpacked; their scripts do not run. If the
// archive does not answer, it returns the packages of the last time.
func (c *Cache) System(ctx context.Context, suiteName, arch string, packages []string) (string, error) {
	dir, err := filepath.Abs(filepath.Join(c.Dir, suiteName+"-"+arch+"-system"))
	if err != nil {
		return "", err
	}
	unlock, err := lock(dir)
	if err != nil {
		return "", err
	}
	defer unlock()
	home, err := c.system(ctx, dir, suiteName, arch, packages)
	if err == nil || ctx.Err() != nil {
		return home, err
	}
	if home, version, keptErr := kept(dir); keptErr == nil {
		c.Logf("%s: %v; using the packages %s from the cache", suiteName, err, version)
		return home, nil
	}
	return "", err
}

func (c *Cache) system(ctx context.Context, dir, suiteName, arch string, packages []string) (string, error) {
	s, err := open(filepath.Join(dir, "apt"), suiteName, arch, hostMirrors(ctx))
	if err != nil {
		return "", err
	}
	if err := s.update(ctx, c.Refresh); err != nil {
		return "", err
	}
	all, err := s.resolve(ctx, packages)
	if err != nil {
		return "", err
	}
	return unpacked(dir, versionOf(all), func(tmp string) error {
		c.Logf("%s: fetching %d packages for the tools of %s", suiteName, len(all), arch)
		return s.download(ctx, tmp, all...)
	})
}

// resolve returns the packages and their dependencies, as apt would install them on an empty
// system.
func (s *suite) resolve(ctx context.Context, packages []string) ([]control, error) {
	args := append([]string{"-qq", "--print-uris", "--no-install-recommends", "install"}, packages...)
	out, err := s.apt(ctx, s.dir, "apt-get", args...)
	if err != nil {
		return nil, fmt.Errorf("dependencies of %s in %s: %w", strings.Join(packages, ", "), s.name, err)
	}
	return parseURIs(string(out))
}

// parseURIs reads lines such as "'http://x/iproute2_6.1.0-3_arm64.deb' iproute2_6.1.0-3_arm64.deb
// 104 SHA256:1". In names, the colon of a version is escaped.
func parseURIs(lines string) ([]control, error) {
	var all []control
	for line := range strings.Lines(lines) {
		words := strings.Fields(line)
		if len(words) < 2 || !strings.HasPrefix(words[0], "'") {
			continue
		}
		parts := strings.Split(words[1], "_")
		if len(parts) != 3 {
			return nil, fmt.Errorf("apt-get --print-uris: file %q is not of the form NAME_VERSION_ARCHITECTURE.deb", words[1])
		}
		version, err := url.PathUnescape(parts[1])
		if err != nil {
			return nil, fmt.Errorf("apt-get --print-uris: file %q: %w", words[1], err)
		}
		all = append(all, control{name: parts[0], version: version})
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("apt-get --print-uris: no package in %q", lines)
	}
	return all, nil
}

// versionOf returns a name for these versions of these packages.
func versionOf(packages []control) string {
	h := sha256.New()
	for _, p := range packages {
		_, _ = fmt.Fprintf(h, "%s=%s\n", p.name, p.version)
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}
