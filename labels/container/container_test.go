package container

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/owner/containers"
	"github.com/pktstat/pktstat/internal/owner/ids"
	"github.com/pktstat/pktstat/plugintest/labeltest"
)

// TestConformance uses ids that no cgroup has, because this machine's cgroups vary.
func TestConformance(t *testing.T) {
	labeltest.Run(t, labeltest.Options{Name: "container", Cases: []labeltest.Case{
		{Key: flow.Key{Proto: flow.TCP}, Owner: flow.Owner{PID: 7, Start: 1, Comm: "curl"}},
		{Key: flow.Key{Proto: flow.TCP}, Owner: flow.Owner{PID: 8, Start: 1, Comm: "gone", CgroupID: 1 << 60}},
		{Key: flow.Key{EtherType: 0x0806}},
	}})
}

// TestWindow: a record gets the container of its cgroup. A container that appears later is known
// from the next window on.
func TestWindow(t *testing.T) {
	dir := t.TempDir()
	root, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = root.Close() })
	now := time.Unix(1_800_000_000, 0)
	tuples := ids.New(^flow.Dims(0), 100)
	l := &labeler{containers: containers.NewResolver(root, func() time.Time { return now }), close: func() error { return nil }}
	l.changes = ids.Changes{Tuples: tuples, Change: l.change}

	inode := func(path string) uint64 {
		t.Helper()
		var st unix.Stat_t
		if err := os.MkdirAll(filepath.Join(dir, path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := unix.Stat(filepath.Join(dir, path), &st); err != nil {
			t.Fatal(err)
		}
		return st.Ino
	}
	container := func(o flow.Owner) string {
		recs := []flow.Record{{Key: flow.Packed{OwnerID: tuples.Number(&o)}}}
		l.Records(recs)
		return tuples.Get(recs[0].Key.OwnerID).Container
	}
	sshd := flow.Owner{PID: 7, Start: 1, Comm: "sshd", CgroupID: inode("system.slice/sshd.service")}
	if got := container(sshd); got != "systemd:sshd.service" {
		t.Errorf("the cgroup of sshd is %q", got)
	}
	if got := container(flow.Owner{PID: 8, Start: 1, CgroupID: inode("user")}); got != "" {
		t.Errorf("a cgroup without a container is %q", got)
	}
	if got := container(flow.Owner{PID: 9, Start: 1}); got != "" {
		t.Errorf("a process without a cgroup is in %q", got)
	}

	l.containers = containers.NewResolver(nil, time.Now)
	if got := container(sshd); got != "systemd:sshd.service" {
		t.Errorf("within a window, the container became %q", got)
	}
	l.Window(t.Context())
	if got := container(sshd); got != "" {
		t.Errorf("in the next window, the container is still %q", got)
	}
}
