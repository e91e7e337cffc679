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

// explainRefusal finds out why the kernel refuses BPF.
func explainRefusal(err error, needs ...caps.Capability) error {
	if initial, nsErr := caps.InitialUserNS(); nsErr == nil && !initial {
		return &registry.RefusedError{
			Err:    unix.EPERM, // the user does not know the refused operation
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
			Reason: "as the limit on locked memory is too low (it applies to BPF before Linux 5.11)",
			Remedy: "raise it (ulimit -l unlimited), or run it as root",
			All:    true,
		}
	}
	return &registry.RefusedError{
		Err:    err,
		Reason: "although the process has the capabilities",
		Remedy: "check for lockdown, a security module or the seccomp filter of a container",
	}
}

// countsLockedMemory reports whether BPF's memory counts for RLIMIT_MEMLOCK: before 5.11. Package
// rlimit cannot distinguish that from other refusals.
func countsLockedMemory() bool {
	var u unix.Utsname
	var major, minor int
	if unix.Uname(&u) != nil {
		return false
	}
	_, err := fmt.Sscanf(unix.ByteSliceToString(u.Release[:]), "%d.%d", &major, &minor)
	return err == nil && (major < 5 || major == 5 && minor < 11)
}

// memlockHint is the hint that package ebpf adds to each EPERM.
const memlockHint = " (MEMLOCK may be too low, consider rlimit.RemoveMemlock)"

// tidied is an error without the parts of its text that package ebpf adds for programmers.
type tidied struct {
	error
	text string
}

func (t *tidied) Error() string { return t.text }
func (t *tidied) Unwrap() error { return t.error }

// tidy removes the hint on the memlock limit, and the verifier's log from before the kernel ran
// out of descriptors.
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
