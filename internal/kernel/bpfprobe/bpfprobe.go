// Package bpfprobe is what backends that load BPF programs have in common when they
// find out whether they work here: what a failure means, and a place to try things.
package bpfprobe

import (
	"errors"
	"fmt"
	"runtime"
	"slices"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"golang.org/x/sys/unix"

	"github.com/pktstat/pktstat/internal/kernel/caps"
	"github.com/pktstat/pktstat/registry"
)

// Explain adds to an error of loading or attaching what kind of failure it is: the
// kernel lacks something ([registry.ErrUnsupported]), or the process lacks some of
// needs, or it may not use BPF for another reason ([registry.ErrPermission]). What is
// refused for no known reason is a [registry.RefusedError]. Other errors keep their kind.
func Explain(err error, needs ...caps.Capability) error {
	var before *registry.RefusedError
	if err == nil || errors.Is(err, ErrNoNetNS) || errors.As(err, &before) {
		return err // without a namespace to try in it takes more than needs
	}
	err = tidy(err)
	if errors.Is(err, ebpf.ErrNotSupported) && !errors.Is(err, registry.ErrUnsupported) {
		return fmt.Errorf("%w: %w", registry.ErrUnsupported, err)
	}
	var refused *ebpf.VerifierError
	if (errors.As(err, &refused) || errors.Is(err, unix.EFAULT)) && !allHeld(needs) {
		// Without CAP_PERFMON the verifier follows mispredicted branches, too, and may give up
		// for other reasons than the capability: too many of them (seen on 7.3), or a fault of
		// its own (EFAULT, on 6.18).
		return registry.NeedCaps(nil, caps.Names(needs...)...)
	}
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) {
		return explainRefusal(err, needs...)
	}
	return err
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

func allHeld(cs []caps.Capability) bool {
	return !slices.ContainsFunc(cs, func(c caps.Capability) bool { return !caps.Held(c) })
}

// Check is the outcome of trying one thing. Only that it works and that the kernel says
// that it has no such thing are conclusive: who may not try does not know.
func Check(name, since string, err error, needs ...caps.Capability) registry.Check {
	c := registry.Check{Name: name, Since: since}
	if err == nil {
		return c
	}
	err = Explain(err, needs...)
	c.Verdict, c.Reason = registry.Inconclusive, err.Error()
	var missing *registry.CapsError
	var refused *registry.RefusedError
	switch {
	case errors.Is(err, ErrNoNetNS):
		if !caps.Held(caps.SysAdmin) {
			c.Caps = caps.Names(append(slices.Clone(needs), caps.SysAdmin)...)
		}
	case errors.As(err, &missing):
		c.Caps = missing.Caps
		c.Reason = registry.NeedCaps(nil, missing.Caps...).Error()
	case errors.Is(err, registry.ErrUnsupported):
		c.Verdict = registry.No
	case errors.As(err, &refused):
		c.Reason, c.Remedy = "not permitted, "+refused.Reason, refused.Remedy
	}
	return c
}

// Refused is the result when a check has failed without which there is nothing to try.
func Refused(name, since string, err error, needs ...caps.Capability) registry.ProbeResult {
	c := Check(name, since, err, needs...)
	return registry.ProbeResult{Verdict: c.Verdict, Err: Explain(err, needs...), Checks: []registry.Check{c}}
}

// ErrNoNetNS is what trying comes to without the right to create a network namespace
// (CAP_SYS_ADMIN): nothing is known then.
var ErrNoNetNS = errors.New("not tried, as there is no network namespace to try it in")

// InPrivateNetNS runs f in a network namespace that ends with it. There is a loopback
// interface, of index 1, which is down.
func InPrivateNetNS(f func() error) error {
	result := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // for good: the thread and its namespace end with the goroutine
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			result <- fmt.Errorf("%w: %w", ErrNoNetNS, err)
			return
		}
		result <- f()
	}()
	return <-result
}
