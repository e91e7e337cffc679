// Package testnet builds small networks for tests. Hosts are network namespaces, links are veth
// pairs, and the packets and bytes of the traffic are known.
//
//	a, b := testnet.Pair(t, testnet.Link{})
//	sent := testnet.SendUDP(t, a, b, testnet.UDP{Payload: 100, Count: 10})
//	got := b.Stats()
//
// The end of the test removes everything. The next run removes what a killed run left behind. The
// package needs root: see testenv.Privileged.
package testnet

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// Host is a network namespace with a name under /run/netns, so that `ip netns exec` finds it.
type Host struct {
	tb    testing.TB
	name  string
	ns    netns.NsHandle
	nl    *netlink.Handle
	links int
}

// NewHost creates a host whose loopback interface is up. The end of the test removes it.
func NewHost(tb testing.TB) *Host {
	tb.Helper()
	removeStaleOnce()
	h := &Host{tb: tb, name: fmt.Sprintf("%s%d-%d", namePrefix, os.Getpid(), hosts.Add(1))}
	ns, err := createNamespace(h.name)
	if err != nil {
		tb.Fatalf("testnet: create namespace %s: %v", h.name, err)
	}
	h.ns = ns
	tb.Cleanup(h.remove)
	if h.nl, err = netlink.NewHandleAt(ns, unix.NETLINK_ROUTE); err != nil {
		tb.Fatalf("testnet: netlink in %s: %v", h.name, err)
	}
	lo, err := h.nl.LinkByName("lo")
	if err == nil {
		err = h.nl.LinkSetUp(lo)
	}
	if err != nil {
		tb.Fatalf("testnet: %s: set lo up: %v", h.name, err)
	}
	return h
}

// hosts numbers the hosts of this process.
var hosts atomic.Uint64

// NetNS returns the name of the host's namespace.
func (h *Host) NetNS() string { return h.name }

// Netlink returns a rtnetlink handle inside the host.
func (h *Host) Netlink() *netlink.Handle { return h.nl }

// Do runs f inside the host, on a thread of its own, and returns its error. Sockets that f opens
// and processes that it starts stay in the host. Goroutines that it starts are outside. f must not
// call the test's Fatal.
func (h *Host) Do(f func() error) error {
	done := make(chan error, 1)
	go func() { done <- onThread(func() error { return h.enter(f) }) }()
	return <-done
}

func (h *Host) enter(f func() error) error {
	if err := netns.Set(h.ns); err != nil {
		return fmt.Errorf("enter namespace %s: %w", h.name, err)
	}
	return f()
}

// Command returns a command for [Host.Run] or [Host.Start]. The end of the test kills it if it
// still runs.
func (h *Host) Command(name string, args ...string) *exec.Cmd {
	return exec.CommandContext(h.tb.Context(), name, args...)
}

// Start starts cmd inside the host. Unlike under `ip netns exec`, cmd has the test's mounts, so
// /sys shows the test's own namespace.
func (h *Host) Start(cmd *exec.Cmd) error { return h.Do(cmd.Start) }

// Run runs cmd inside the host and waits for its end.
func (h *Host) Run(cmd *exec.Cmd) error { return h.Do(cmd.Run) }

func (h *Host) remove() {
	if h.nl != nil {
		h.nl.Close()
	}
	err := errors.Join(h.ns.Close(), netns.DeleteNamed(h.name))
	if err != nil {
		h.tb.Errorf("testnet: remove %s: %v", h.name, err)
	}
}

// createNamespace creates a named namespace without changing the caller's.
func createNamespace(name string) (ns netns.NsHandle, err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		err = onThread(func() error {
			ns, err = netns.NewNamed(name)
			return err
		})
	}()
	<-done
	if err != nil {
		// A failed mount leaves its mount point behind.
		_ = os.Remove(filepath.Join(nsDir, name))
	}
	return ns, err
}

// onThread runs f on the calling goroutine's thread, and then returns the thread to its namespace.
// If that fails, the thread stays locked, and the runtime ends it together with the goroutine.
func onThread(f func() error) error {
	runtime.LockOSThread()
	home, err := netns.Get()
	if err != nil {
		return fmt.Errorf("own network namespace: %w", err)
	}
	defer home.Close()
	err = f()
	if back := netns.Set(home); back == nil {
		runtime.UnlockOSThread()
	}
	return err
}

const (
	nsDir      = "/run/netns"
	namePrefix = "pktstat-" // followed by PID and number
)

var removeStaleOnce = sync.OnceFunc(removeStale)

// removeStale removes the namespaces of killed test processes.
func removeStale() {
	names, err := filepath.Glob(filepath.Join(nsDir, namePrefix+"*"))
	if err != nil {
		return // impossible: the pattern is a valid constant
	}
	for _, path := range names {
		name := filepath.Base(path)
		if pid, ok := ownerOf(name); ok && !alive(pid) {
			// Ignore an error: another test process may have removed it.
			_ = netns.DeleteNamed(name)
		}
	}
}

func ownerOf(name string) (pid int, ok bool) {
	var n uint64
	if c, err := fmt.Sscanf(name, namePrefix+"%d-%d", &pid, &n); err != nil || c != 2 {
		return 0, false
	}
	return pid, name == namePrefix+strconv.Itoa(pid)+"-"+strconv.FormatUint(n, 10)
}

func alive(pid int) bool { return !errors.Is(unix.Kill(pid, 0), unix.ESRCH) }
