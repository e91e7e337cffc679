// Package hostprobe finds out what this machine offers to any backend: BPF, hooks,
// cgroups, capabilities, and what containers and kernel settings take away. It tries
// things where nobody notices, and changes nothing: what is attached goes to functions
// and tracepoints that only BPF_PROG_TEST_RUN uses, and goes away with its descriptor,
// that is with the process at the latest.
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

// Host is what was found.
type Host struct {
	Kernel string // release, as uname -r has it
	Arch   string // as uname -m has it
	Groups []Group
}

// Group is checks of one kind. Names and order are the same on every machine.
type Group struct {
	Name   string
	Checks []registry.Check
}

// Probe tries everything. When ctx ends, it returns with the groups it has.
func Probe(ctx context.Context) (Host, error) {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return Host{}, fmt.Errorf("uname: %w", err)
	}
	h := Host{Kernel: unix.ByteSliceToString(u.Release[:]), Arch: unix.ByteSliceToString(u.Machine[:])}
	// Before 5.11 the memory of maps and programs counts against this limit, and trying
	// would fail for its sake. Later it does nothing.
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

// found adds what was found to a check that holds.
func found(c registry.Check, detail string) registry.Check {
	c.Detail = detail
	return c
}
