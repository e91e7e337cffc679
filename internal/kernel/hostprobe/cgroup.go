package hostprobe

import (
	"errors"

	"github.com/pktstat/pktstat/internal/kernel/bpfprobe"
	"github.com/pktstat/pktstat/internal/kernel/cgroup2"
	"github.com/pktstat/pktstat/registry"
)

// cgroups looks for the hierarchy of cgroup v2.
func cgroups() []registry.Check {
	path, err := cgroup2.Path()
	c := found(bpfprobe.Check("cgroup v2", "4.5", err), path)
	if errors.Is(err, cgroup2.ErrNotMounted) {
		// `ip netns exec` gives its command a /sys of its own, without what was mounted there.
		c.Remedy = "outside of `ip netns exec`, or: mount -t cgroup2 none DIRECTORY"
	}
	return []registry.Check{c}
}
