package held

import (
	"github.com/cilium/ebpf/link"
)

// heldLink returns a function that checks whether a new BPF link is still attached and has its
// program. Other programs can detach it (BPF_LINK_DETACH, since 5.9) or replace its program
// (BPF_LINK_UPDATE).
func heldLink(l link.Link) func() (bool, error) {
	first, err := l.Info()
	return func() (bool, error) {
		info, infoErr := l.Info()
		if infoErr != nil {
			return false, infoErr
		}
		return hasTarget(info) && (err != nil || info.Program == first.Program), nil
	}
}

// hasTarget reports whether a link is attached. Other types of links cannot be detached.
func hasTarget(info *link.Info) bool {
	switch {
	case info.TCX() != nil:
		return info.TCX().Ifindex != 0
	case info.XDP() != nil:
		return info.XDP().Ifindex != 0
	case info.Cgroup() != nil:
		return info.Cgroup().CgroupId != 0
	}
	return true
}
