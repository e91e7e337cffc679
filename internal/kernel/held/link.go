package held

import (
	"github.com/cilium/ebpf/link"
)

// heldLink returns how to find out whether a BPF link, which has just been attached, is so still
// and has its program. Others can detach it (BPF_LINK_DETACH, since 5.9) and put another
// program into it (BPF_LINK_UPDATE).
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

// hasTarget reports whether a link is attached to anything. Links of other types cannot be
// detached.
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
