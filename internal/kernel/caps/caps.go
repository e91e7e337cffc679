// Package caps tells which capabilities this process lacks (capabilities(7)).
package caps

import (
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/pktstat/pktstat/registry"
)

// Capability is a bit of a capability set.
type Capability uint

// The capabilities that backends need, and those that make them find out more.
const (
	NetAdmin  Capability = unix.CAP_NET_ADMIN
	NetRaw    Capability = unix.CAP_NET_RAW
	SysPtrace Capability = unix.CAP_SYS_PTRACE
	SysAdmin  Capability = unix.CAP_SYS_ADMIN
	PerfMon   Capability = unix.CAP_PERFMON
	BPF       Capability = unix.CAP_BPF

	DACReadSearch Capability = unix.CAP_DAC_READ_SEARCH
)

// String returns the name as setcap spells it.
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

// Names returns the names as setcap spells them.
func Names(cs ...Capability) []string {
	names := make([]string, len(cs))
	for i, c := range cs {
		names[i] = c.String()
	}
	return names
}

// Held reports whether the calling thread has a capability, or a wider one that stands
// for it. In doubt it has not.
func Held(c Capability) bool {
	missing, err := Missing(c)
	return err == nil && len(missing) == 0
}

// Missing returns which of want the calling thread lacks.
func Missing(want ...Capability) ([]Capability, error) {
	var data [2]unix.CapUserData
	head := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	if err := unix.Capget(&head, &data[0]); err != nil {
		return nil, fmt.Errorf("read the capabilities of this process: %w", err)
	}
	has := func(c Capability) bool { return data[c/32].Effective&(1<<(c%32)) != 0 }
	return slices.DeleteFunc(slices.Clone(want), func(c Capability) bool {
		// The older, wider capability stands for the two that were split off it in 5.8.
		return has(c) || (c == BPF || c == PerfMon) && has(SysAdmin)
	}), nil
}

// InitialUserNS reports whether the process is in the machine's initial user namespace
// (user_namespaces(7)). In another one, capabilities hold for what belongs to it only.
func InitialUserNS() (bool, error) {
	const first = 0xEFFFFFFD // PROC_USER_INIT_INO of include/linux/proc_ns.h
	var ns unix.Stat_t
	if err := unix.Stat("/proc/self/ns/user", &ns); err != nil {
		return false, fmt.Errorf("/proc/self/ns/user: %w", err)
	}
	return ns.Ino == first, nil
}

// Explain makes of an error that says "not permitted" a [registry.CapsError], if any of
// want is missing. It names all of want, as setcap has to be told all. Other errors are
// returned as they are.
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
		// Refused for another reason: a user namespace, a security module, lockdown.
		return err
	}
	// What was being done when it was refused tells a user nothing.
	return registry.NeedCaps(refusal, Names(want...)...)
}
