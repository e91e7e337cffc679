// Package bpfprobe is what backends that load BPF programs have in common when they
// find out whether they work here: what a failure means, and a place to try things.
package bpfprobe

import (
	"errors"
	"fmt"
	"runtime"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"golang.org/x/sys/unix"

	"github.com/pktstat/pktstat/internal/caps"
	"github.com/pktstat/pktstat/registry"
)

// Explain adds to an error of loading or attaching what kind of failure it is: the
// kernel lacks something ([registry.ErrUnsupported]), or the process lacks some of
// needs ([registry.ErrPermission]). Other errors are returned as they are.
func Explain(err error, needs ...caps.Capability) error {
	if errors.Is(err, ebpf.ErrNotSupported) && !errors.Is(err, registry.ErrUnsupported) {
		return fmt.Errorf("%w: %w", registry.ErrUnsupported, err)
	}
	return caps.Explain(err, needs...)
}

// NeedBTF returns an [registry.ErrUnsupported] unless the kernel describes its types,
// without which programs cannot find the fields that they read.
func NeedBTF() error {
	if _, err := btf.LoadKernelSpec(); err != nil {
		return fmt.Errorf("%w: the kernel has no BTF, which describes its types (CONFIG_DEBUG_INFO_BTF): %w",
			registry.ErrUnsupported, err)
	}
	return nil
}

// Check is the outcome of trying one thing. Only what a kernel says clearly is
// conclusive.
func Check(name, since string, err error, needs ...caps.Capability) registry.Check {
	c := registry.Check{Name: name, Since: since}
	if err == nil {
		return c
	}
	err = Explain(err, needs...)
	c.Verdict, c.Reason = registry.Inconclusive, err.Error()
	if errors.Is(err, registry.ErrUnsupported) || errors.Is(err, registry.ErrPermission) {
		c.Verdict = registry.No
	}
	return c
}

// Refused is the result when a check has failed without which there is nothing to try.
func Refused(name, since string, err error, needs ...caps.Capability) registry.ProbeResult {
	c := Check(name, since, err, needs...)
	return registry.ProbeResult{Verdict: c.Verdict, Err: Explain(err, needs...), Checks: []registry.Check{c}}
}

// ErrNoNetNS: there is no right to create a network namespace (CAP_SYS_ADMIN).
var ErrNoNetNS = errors.New("not tried: creating a network namespace is not permitted")

// InPrivateNetNS runs f in a network namespace that ends with it. There is a loopback
// interface, of index 1, which is down.
func InPrivateNetNS(f func() error) error {
	result := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // for good: the thread and its namespace end with the goroutine
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			result <- fmt.Errorf("%w: %v", ErrNoNetNS, err)
			return
		}
		result <- f()
	}()
	return <-result
}
