package bpfprobe

import (
	"errors"
	"fmt"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/rlimit"
	"golang.org/x/sys/unix"

	"github.com/pktstat/pktstat/internal/kernel/caps"
	"github.com/pktstat/pktstat/registry"
)

// explainRefusal says why the kernel refuses BPF.
func explainRefusal(err error, needs ...caps.Capability) error {
	if initial, nsErr := caps.InitialUserNS(); nsErr == nil && !initial {
		return &registry.RefusedError{
			Err:    unix.EPERM, // what was being done tells a user nothing
			Reason: "as capabilities of another user namespace (a rootless container) do not count for BPF",
			Remedy: "run it as root of the machine",
			All:    true,
		}
	}
	if missing := caps.Explain(err, needs...); errors.Is(missing, registry.ErrPermission) || errors.Is(err, registry.ErrUnsupported) {
		return missing
	}
	if countsLockedMemory() && rlimit.RemoveMemlock() != nil {
		return &registry.RefusedError{
			Err:    unix.EPERM,
			Reason: "as the limit on locked memory, which holds for BPF before Linux 5.11, is too low",
			Remedy: "raise it (ulimit -l unlimited), or run it as root",
			All:    true,
		}
	}
	return &registry.RefusedError{
		Err:    err,
		Reason: "although the capabilities are held",
		Remedy: "look for lockdown, a security module or the seccomp filter of a container",
	}
}

// countsLockedMemory reports whether BPF's memory counts against RLIMIT_MEMLOCK: before
// 5.11. Package rlimit cannot tell that from other refusals.
func countsLockedMemory() bool {
	var u unix.Utsname
	var major, minor int
	if unix.Uname(&u) != nil {
		return false
	}
	_, err := fmt.Sscanf(unix.ByteSliceToString(u.Release[:]), "%d.%d", &major, &minor)
	return err == nil && (major < 5 || major == 5 && minor < 11)
}

// memlockHint is what package ebpf guesses about each EPERM of creating and loading.
const memlockHint = " (MEMLOCK may be too low, consider rlimit.RemoveMemlock)"

// tidied is an error without what package ebpf adds to its text for programmers.
type tidied struct {
	error
	text string
}

func (t *tidied) Error() string { return t.text }
func (t *tidied) Unwrap() error { return t.error }

// tidy takes out of an error's text the guess about the memlock limit, and what the
// verifier logged before the kernel ran out of descriptors.
func tidy(err error) error {
	text := strings.ReplaceAll(err.Error(), memlockHint, "")
	if errors.As(err, new(*ebpf.VerifierError)) && errors.Is(err, unix.EMFILE) {
		text = unix.EMFILE.Error()
	}
	if text == err.Error() {
		return err
	}
	return &tidied{err, text}
}
