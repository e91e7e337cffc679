package cgroup2

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

func TestMountsIn(t *testing.T) {
	const (
		proc    = "22 28 0:21 / /proc rw,nosuid shared:14 - proc proc rw\n"
		unified = "33 24 0:28 / /sys/fs/cgroup rw,nosuid,nodev shared:9 - cgroup2 cgroup2 rw,nsdelegate\n"
		v1      = "34 25 0:29 / /sys/fs/cgroup/cpu rw shared:10 - cgroup cgroup rw,cpu\n"
		hybrid  = "35 25 0:30 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"
		inside  = "40 24 0:28 /docker/abc /mnt/abc ro - cgroup2 cgroup rw\n"
		spaced  = `41 24 0:28 / /mnt/my\040cgroup\134x rw - cgroup2 none rw` + "\n"
		other   = "42 24 0:28 / /mnt/cgroup2 rw - ext4 /dev/cgroup2 rw\n"
	)
	for _, c := range []struct {
		table string
		want  []string
	}{
		{"", nil},
		{proc + v1 + other, nil},
		{proc + unified, []string{"/sys/fs/cgroup"}},
		{proc + v1 + hybrid, []string{"/sys/fs/cgroup/unified"}},
		{inside, []string{"/mnt/abc"}},
		{inside + hybrid, []string{"/sys/fs/cgroup/unified", "/mnt/abc"}},
		{unified + inside + hybrid, []string{"/sys/fs/cgroup", "/sys/fs/cgroup/unified", "/mnt/abc"}},
		{spaced, []string{`/mnt/my cgroup\x`}},
	} {
		got, err := mountsIn(strings.NewReader(c.table))
		if !slices.Equal(got, c.want) || (err == nil) != (c.want != nil) || err != nil && !errors.Is(err, ErrNotMounted) {
			t.Errorf("%q: %q, %v, want %q", c.table, got, err, c.want)
		}
	}
}

// TestOpen: with any permissions, Open opens the hierarchy. If it is mounted, Open returns the
// same one.
func TestOpen(t *testing.T) {
	root, err := Open()
	path, pathErr := Path()
	if err != nil {
		if pathErr == nil {
			t.Fatalf("it is mounted at %s, but: %v", path, err)
		}
		t.Skipf("no hierarchy: %v", err)
	}
	defer root.Close()
	if !Is(int(root.Fd())) {
		t.Errorf("%s is not a cgroup v2 file system", root.Name())
	}
	if pathErr == nil && path != root.Name() {
		t.Errorf("it is mounted at %s, but Open opened %s", path, root.Name())
	}
	if pathErr != nil && !errors.Is(pathErr, ErrNotMounted) {
		t.Error(pathErr)
	}
}
