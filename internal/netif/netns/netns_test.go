package netns

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/pktstat/pktstat/internal/test/testenv"
	"github.com/pktstat/pktstat/internal/test/testnet"
	"github.com/pktstat/pktstat/registry"
)

func inode(t *testing.T, do func(func() error) error) (ino uint64) {
	t.Helper()
	err := do(func() error {
		var st unix.Stat_t
		err := unix.Stat("/proc/thread-self/ns/net", &st)
		ino = st.Ino
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return ino
}

func here(f func() error) error { return f() }

// TestOpen opens a namespace in three ways. All other threads stay in their own.
func TestOpen(t *testing.T) {
	testenv.Privileged(t)
	h := testnet.NewHost(t)
	sleep := h.Command("sleep", "1000")
	if err := h.Start(sleep); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = sleep.Process.Kill(); _ = sleep.Wait() }()
	want, own := inode(t, h.Do), inode(t, here)
	for _, spec := range []string{h.NetNS(), fmt.Sprint(sleep.Process.Pid), "/run/netns/" + h.NetNS()} {
		n, err := Open(spec)
		if err != nil {
			t.Fatalf("%s: %v", spec, err)
		}
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				if got := inode(t, n.Do); got != want {
					t.Errorf("%s: in namespace %d, want %d", spec, got, want)
				}
				if got := inode(t, here); got != own {
					t.Errorf("%s: this thread is in namespace %d, and was in %d", spec, got, own)
				}
			})
		}
		all.Wait()
		failure := errors.New("failure")
		if err := n.Do(func() error { return failure }); err != failure {
			t.Errorf("%s: %v", spec, err)
		}
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestNotOpened(t *testing.T) {
	ended := exec.Command("true")
	if err := ended.Run(); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for spec, want := range map[string]string{
		"no-such-name":                         "no namespace has this name",
		fmt.Sprint(ended.Process.Pid):          "no process has this id, and no namespace has this name",
		filepath.Join(filepath.Dir(file), "n"): "no such file",
		file:                                   "not a network namespace",
		"/proc/self/ns/uts":                    "not a network namespace",
	} {
		_, err := Open(spec)
		if !errors.Is(err, registry.ErrUsage) || !strings.HasPrefix(err.Error(), "network namespace "+spec+": ") || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want a usage error with %q", spec, err, want)
		}
	}
}
