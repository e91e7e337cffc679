package hostprobe

import (
	"golang.org/x/sys/unix"

	"github.com/pktstat/pktstat/internal/kernel/caps"
	"github.com/pktstat/pktstat/registry"
)

// capabilities checks which capabilities the process has, and whether it can get the others.
func capabilities() []registry.Check {
	var checks []registry.Check
	for _, c := range []struct {
		caps.Capability
		since, does string
	}{
		{caps.BPF, "5.8", "loading BPF programs"},
		{caps.NetAdmin, "", "attaching to interfaces and cgroups"},
		{caps.PerfMon, "5.8", "attaching to kernel functions, and programs with pointer arithmetic"},
		{caps.NetRaw, "", "packet sockets"},
		{caps.SysAdmin, "", "probing in a private network namespace, and naming other programs at a hook"},
		{caps.SysPtrace, "", "the sockets of other users' processes, together with cap_dac_read_search"},
	} {
		check := registry.Check{Name: c.String(), Since: c.since}
		switch {
		case caps.Held(c.Capability):
		case !inBoundingSet(c.Capability):
			check.Verdict = registry.No
			check.Reason = "missing, and not available here; needed for " + c.does
			check.Remedy = "in a container, add it (--cap-add)"
		default:
			check.Verdict = registry.No
			check.Reason = "missing; needed for " + c.does
			check.Caps = []string{c.String()}
		}
		checks = append(checks, check)
	}
	return checks
}

// inBoundingSet reports whether an executed program can gain a capability.
func inBoundingSet(c caps.Capability) bool {
	in, err := unix.PrctlRetInt(unix.PR_CAPBSET_READ, uintptr(c), 0, 0, 0)
	return err != nil || in == 1
}
