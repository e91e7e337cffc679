// Package hostprobe finds out what this machine supports for all backends: BPF, hooks, cgroups
// and capabilities. It also finds restrictions of containers and kernel settings. It changes
// nothing on the system. It attaches programs only to functions and tracepoints that
// BPF_PROG_TEST_RUN alone uses. Closing a descriptor detaches each, at the latest when the
// process ends.
//
//   - load.go: program types, maps, helpers; attach.go: hooks
//   - cgroup.go: where cgroup v2 is mounted; limits.go: namespaces, seccomp
//   - kernel.go: lockdown and sysctls; held.go: capabilities
package hostprobe

import (
	"context"
	"fmt"

	"github.com/cilium/ebpf/rlimit"
	"golang.org/x/sys/unix"

	"github.com/pktstat/pktstat/registry"
)

// Host is the result of Probe.
type Host struct {
	Kernel string // release as in uname -r
	Arch   string // architecture as in uname -m
	Groups []Group
}

// Group holds the checks of one kind. Names and order are the same on every machine.
type Group struct {
	Name   string
	Checks []registry.Check
}

// Probe runs all checks. When ctx ends, it returns the groups so far.
func Probe(ctx context.Context) (Host, error) {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return Host{}, fmt.Errorf("uname: %w", err)
	}
	h := Host{Kernel: unix.ByteSliceToString(u.Release[:]), Arch: unix.ByteSliceToString(u.Machine[:])}
	// Before 5.11 the memory of maps and programs counts for RLIMIT_MEMLOCK, and checks would
	// fail because of it. Since 5.11 this call does nothing.
	_ = rlimit.RemoveMemlock()
	for _, g := range []struct {
		name   string
		checks func() []registry.Check
	}{
		{"capabilities", capabilities},
		{"limits", limits},
		{"kernel", kernel},
		{"program types", programTypes},
		{"helpers", helpers},
		{"maps", maps},
		{"hooks", hooks},
		{"cgroups", cgroups},
	} {
		if err := ctx.Err(); err != nil {
			return h, err
		}
		h.Groups = append(h.Groups, Group{g.name, g.checks()})
	}
	return h, nil
}

// found adds details to a successful check.
func found(c registry.Check, detail string) registry.Check {
	c.Detail = detail
	return c
}
