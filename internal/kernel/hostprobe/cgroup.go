package hostprobe

import (
	"errors"

	"github.com/pktstat/pktstat/internal/kernel/bpfprobe"
	"github.com/pktstat/pktstat/internal/kernel/cgroup2"
	"github.com/pktstat/pktstat/registry"
)

// cgroups looks for the cgroup v2 hierarchy.
func cgroups() []registry.Check {
	path, err := cgroup2.Path()
	c := found(bpfprobe.Check("cgroup v2", "4.5", err), path)
	if errors.Is(err, cgroup2.ErrNotMounted) {
		// `ip netns exec` mounts a new sysfs on /sys, without the mounts below the old one.
		c.Remedy = "run pktstat outside of `ip netns exec`, or: mount -t cgroup2 none DIRECTORY"
	}
	return []registry.Check{c}
}
