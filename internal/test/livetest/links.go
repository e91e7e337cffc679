package livetest

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"
)

// Links calls f with each BPF link of this process. As another program with access to the link, f
// may detach or update it.
func Links(tb testing.TB, f func(link.Link, *link.Info) error) {
	tb.Helper()
	const dir = "/proc/self/fd"
	fds, err := os.ReadDir(dir)
	if err != nil {
		tb.Fatal(err)
	}
	for _, fd := range fds {
		if to, err := os.Readlink(dir + "/" + fd.Name()); err != nil || !strings.Contains(to, "bpf_link") && !strings.Contains(to, "bpf-link") {
			continue // not a link, or the directory itself
		}
		n, err := strconv.Atoi(fd.Name())
		if err != nil {
			tb.Fatal(err)
		}
		if err := withLink(n, f); err != nil {
			tb.Fatalf("link %d: %v", n, err)
		}
	}
}

func withLink(fd int, f func(link.Link, *link.Info) error) error {
	own, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("duplicate: %w", err)
	}
	l, err := link.NewFromFD(own)
	if err != nil {
		return err
	}
	defer func() { _ = l.Close() }()
	info, err := l.Info()
	if err != nil {
		return err
	}
	return f(l, info)
}
