// Package bpfprobe helps backends with BPF programs to probe: it explains errors and provides a
// private network namespace.
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

// Explain adds the kind of a loading or attaching error. [registry.ErrUnsupported]: the kernel
// lacks a feature. [registry.ErrPermission]: the process lacks some of needs, or may not use BPF
// for another reason. [registry.RefusedError]: the reason of a refusal is unknown. Other errors
// keep their kind.
func Explain(err error, needs ...caps.Capability) error {
	var before *registry.RefusedError
	if err == nil || errors.Is(err, ErrNoNetNS) || errors.As(err, &before) {
		return err // creating a namespace needs other capabilities
	}
	err = tidy(err)
	if errors.Is(err, ebpf.ErrNotSupported) && !errors.Is(err, registry.ErrUnsupported) {
		return fmt.Errorf("%w: %w", registry.ErrUnsupported, err)
	}
	var refused *ebpf.VerifierError
	if (errors.As(err, &refused) || errors.Is(err, unix.EFAULT)) && !allHeld(needs) {
		// Without CAP_PERFMON the verifier also follows mispredicted branches. It may then give
		// up for other reasons than the capability: too many branches (seen on 7.3), or EFAULT
		// (on 6.18).
		return registry.NeedCaps(nil, caps.Names(needs...)...)
	}
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) {
		return explainRefusal(err, needs...)
	}
	return err
}

// NeedBTF returns an [registry.ErrUnsupported] unless the kernel has BTF. Programs need it to
// find the fields that they read.
func NeedBTF() error {
	if _, err := btf.LoadKernelSpec(); err != nil {
		return fmt.Errorf("%w: the kernel has no BTF type information (CONFIG_DEBUG_INFO_BTF): %w",
			registry.ErrUnsupported, err)
	}
	return nil
}

// FEntrySince returns the first Linux version that calls BPF programs at the entry of its
// functions on this architecture. arm64 needed ftrace's direct calls first.
func FEntrySince() string {
	if runtime.GOARCH == "arm64" {
		return "6.4"
	}
	return "5.5"
}

func allHeld(cs []caps.Capability) bool {
	return !slices.ContainsFunc(cs, func(c caps.Capability) bool { return !caps.Held(c) })
}

// Check returns the result of trying a feature. Only success and ErrUnsupported are conclusive: a
// missing permission hides what the kernel supports.
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

// Refused returns the result of a probe that ends with a failed check, because all others depend
// on it.
func Refused(name, since string, err error, needs ...caps.Capability) registry.ProbeResult {
	c := Check(name, since, err, needs...)
	return registry.ProbeResult{Verdict: c.Verdict, Err: Explain(err, needs...), Checks: []registry.Check{c}}
}

// ErrNoNetNS is the error of a probe without permission to create a network namespace
// (CAP_SYS_ADMIN). The result is then unknown.
var ErrNoNetNS = errors.New("not tried, as pktstat may not create a network namespace for it")

// InPrivateNetNS runs f in a network namespace that ends with f. It has a loopback interface with
// index 1, which is down.
func InPrivateNetNS(f func() error) error {
	result := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread and its namespace end with the goroutine
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			result <- fmt.Errorf("%w: %w", ErrNoNetNS, err)
			return
		}
		result <- f()
	}()
	return <-result
}
