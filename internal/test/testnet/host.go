// Package testnet builds small networks for tests: hosts, which are network
// namespaces, and links between them, which are veth pairs, with traffic whose
// packets and bytes are known.
//
//	a, b := testnet.Pair(t, testnet.Link{})
//	sent := testnet.SendUDP(t, a, b, testnet.UDP{Payload: 100, Count: 10})
//	got := b.Stats()
//
// Everything is removed when the test ends. What a killed run left behind is
// removed by the next one. All of it needs root: see testenv.Privileged.
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

// Host is a network namespace with a name of its own under /run/netns, so that
// `ip netns exec` finds it too.
type Host struct {
	tb    testing.TB
	name  string
	ns    netns.NsHandle
	nl    *netlink.Handle
	links int
}

// NewHost creates a host whose loopback interface is up. It is removed when the
// test ends.
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

// Netlink returns a route netlink handle inside the host.
func (h *Host) Netlink() *netlink.Handle { return h.nl }

// Do runs f inside the host, on a thread of its own, and returns its error.
// Sockets that f opens and processes that it starts stay in the host;
// goroutines that it starts are not in it. f must not call the test's Fatal.
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

// Command returns a command to be given to [Host.Run] or [Host.Start]. It is
// killed when the test ends, if it still runs then.
func (h *Host) Command(name string, args ...string) *exec.Cmd {
	return exec.CommandContext(h.tb.Context(), name, args...)
}

// Start starts cmd inside the host. The mounts are those of the test, so unlike
// under `ip netns exec` /sys is the one of the test's own namespace.
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

// createNamespace makes a named namespace without changing the caller's.
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
		// A failed mount leaves the file that it was meant for.
		_ = os.Remove(filepath.Join(nsDir, name))
	}
	return ns, err
}

// onThread runs f on the calling goroutine's thread and gives that thread back
// to its namespace, or up: the runtime ends the thread of a goroutine that ends
// while locked.
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
	namePrefix = "pktstat-" // then the process id, then a number
)

var removeStaleOnce = sync.OnceFunc(removeStale)

// removeStale removes the namespaces of test processes that were killed.
func removeStale() {
	names, err := filepath.Glob(filepath.Join(nsDir, namePrefix+"*"))
	if err != nil {
		return // the pattern is constant and well-formed
	}
	for _, path := range names {
		name := filepath.Base(path)
		if pid, ok := ownerOf(name); ok && !alive(pid) {
			// Another test process may have been faster.
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
