package hostprobe

import (
	"golang.org/x/sys/unix"

	"github.com/pktstat/pktstat/internal/kernel/caps"
	"github.com/pktstat/pktstat/registry"
)

// capabilities tells which are held, and if not, whether they can be had at all.
func capabilities() []registry.Check {
	var checks []registry.Check
	for _, c := range []struct {
		caps.Capability
		since, does string
	}{
		{caps.BPF, "5.8", "loading BPF programs"},
		{caps.NetAdmin, "", "attaching to interfaces and cgroups"},
		{caps.PerfMon, "5.8", "attaching to the kernel's functions, and programs that reckon with pointers"},
		{caps.NetRaw, "", "packet sockets"},
		{caps.SysAdmin, "", "trying things in a network namespace of their own, and naming the programs of others"},
		{caps.SysPtrace, "", "the sockets of other users' processes, together with cap_dac_read_search"},
	} {
		check := registry.Check{Name: c.String(), Since: c.since}
		switch {
		case caps.Held(c.Capability):
		case !inBoundingSet(c.Capability):
			check.Verdict = registry.No
			check.Reason = "not held, and not to be had here; it is for " + c.does
			check.Remedy = "in a container, add it (--cap-add)"
		default:
			check.Verdict = registry.No
			check.Reason = "not held; it is for " + c.does
			check.Caps = []string{c.String()}
		}
		checks = append(checks, check)
	}
	return checks
}

// inBoundingSet reports whether a program that is executed can gain a capability.
func inBoundingSet(c caps.Capability) bool {
	in, err := unix.PrctlRetInt(unix.PR_CAPBSET_READ, uintptr(c), 0, 0, 0)
	return err != nil || in == 1
}
