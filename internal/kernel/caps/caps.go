// Package caps reports which Linux capabilities this process lacks (capabilities(7)).
package caps

import (
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/pktstat/pktstat/registry"
)

// Capability is the number of a capability.
type Capability uint

// The capabilities that backends need, and those that give them more information.
const (
	NetAdmin  Capability = unix.CAP_NET_ADMIN
	NetRaw    Capability = unix.CAP_NET_RAW
	SysPtrace Capability = unix.CAP_SYS_PTRACE
	SysAdmin  Capability = unix.CAP_SYS_ADMIN
	PerfMon   Capability = unix.CAP_PERFMON
	BPF       Capability = unix.CAP_BPF

	DACReadSearch Capability = unix.CAP_DAC_READ_SEARCH
)

// String returns the name as in setcap(8).
func (c Capability) String() string {
	switch c {
	case NetAdmin:
		return "cap_net_admin"
	case NetRaw:
		return "cap_net_raw"
	case SysPtrace:
		return "cap_sys_ptrace"
	case SysAdmin:
		return "cap_sys_admin"
	case PerfMon:
		return "cap_perfmon"
	case BPF:
		return "cap_bpf"
	case DACReadSearch:
		return "cap_dac_read_search"
	}
	return fmt.Sprintf("cap_%d", uint(c))
}

// Names returns the names as in setcap(8).
func Names(cs ...Capability) []string {
	names := make([]string, len(cs))
	for i, c := range cs {
		names[i] = c.String()
	}
	return names
}

// Held reports whether the calling thread has a capability, or a wider one that includes it. If
// that is unknown, it returns false.
func Held(c Capability) bool {
	missing, err := Missing(c)
	return err == nil && len(missing) == 0
}

// Missing returns the capabilities in want that the calling thread lacks.
func Missing(want ...Capability) ([]Capability, error) {
	var data [2]unix.CapUserData
	head := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	if err := unix.Capget(&head, &data[0]); err != nil {
		return nil, fmt.Errorf("read the capabilities of this process: %w", err)
	}
	has := func(c Capability) bool { return data[c/32].Effective&(1<<(c%32)) != 0 }
	return slices.DeleteFunc(slices.Clone(want), func(c Capability) bool {
		// CAP_SYS_ADMIN includes CAP_BPF and CAP_PERFMON, which Linux 5.8 split off.
		return has(c) || (c == BPF || c == PerfMon) && has(SysAdmin)
	}), nil
}

// InitialUserNS reports whether the process is in the initial user namespace
// (user_namespaces(7)). In another one, capabilities are valid for its own resources only.
func InitialUserNS() (bool, error) {
	const first = 0xEFFFFFFD // PROC_USER_INIT_INO of include/linux/proc_ns.h
	var ns unix.Stat_t
	if err := unix.Stat("/proc/self/ns/user", &ns); err != nil {
		return false, fmt.Errorf("/proc/self/ns/user: %w", err)
	}
	return ns.Ino == first, nil
}

// Explain turns an EPERM or EACCES into a [registry.CapsError] if any of want is missing. The
// error names all of want, because setcap replaces all capabilities of a file. Other errors are
// returned unchanged.
func Explain(err error, want ...Capability) error {
	refusal := unix.EPERM
	switch {
	case errors.Is(err, unix.EACCES):
		refusal = unix.EACCES
	case !errors.Is(err, unix.EPERM):
		return err
	}
	missing, capErr := Missing(want...)
	if capErr != nil || len(missing) == 0 {
		// Another reason: a user namespace, a security module, lockdown.
		return err
	}
	// The user does not know the refused operation.
	return registry.NeedCaps(refusal, Names(want...)...)
}
