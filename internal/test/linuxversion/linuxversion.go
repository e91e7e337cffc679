// Package linuxversion reads and compares kernel versions. Only tests use it, to know which kernels
// must have a feature. Programs probe for features instead.
package linuxversion

import (
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Version is a kernel's major and minor version number.
type Version struct{ Major, Minor int }

// Parse reads a version, alone or at the start of a release such as "6.1.0-50-cloud-amd64".
func Parse(release string) (Version, error) {
	major, rest, _ := strings.Cut(release, ".")
	minor := rest
	if end := strings.IndexFunc(rest, func(r rune) bool { return r < '0' || r > '9' }); end >= 0 {
		minor = rest[:end]
	}
	var v Version
	var err error
	if v.Major, err = strconv.Atoi(major); err == nil {
		v.Minor, err = strconv.Atoi(minor)
	}
	if err != nil {
		return Version{}, fmt.Errorf("kernel version %q: %w", release, err)
	}
	return v, nil
}

// Running returns the version of the running kernel.
func Running() (Version, error) {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return Version{}, fmt.Errorf("uname: %w", err)
	}
	return Parse(unix.ByteSliceToString(u.Release[:]))
}

func (v Version) String() string { return fmt.Sprintf("%d.%d", v.Major, v.Minor) }

// Before reports whether v is older than o.
func (v Version) Before(o Version) bool {
	return v.Major < o.Major || v.Major == o.Major && v.Minor < o.Minor
}
