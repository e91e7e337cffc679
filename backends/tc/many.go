package tc

import (
	"errors"
	"fmt"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"github.com/vishvananda/netlink"

	"github.com/pktstat/pktstat/internal/netif/attach"
)

// fewInterfaces is the number of interfaces up to which auto always takes TCX. Attaching or
// detaching a TCX link waits for an RCU grace period under the RTNL lock (tcx_entry_sync in
// include/net/tcx.h). Both directions of an interface take tens of milliseconds, and other
// threads wait meanwhile. A filter waits for no grace period.
const fewInterfaces = 32

const noteFast = "attached by clsact, which is faster than TCX for many interfaces: TCX programs that attach later run first, and only what they pass on counts"

// newHook returns the hook for a number of interfaces.
func newHook(c *config, programs map[string]*ebpf.Program, interfaces int, debugf func(string, ...any)) (*hook, error) {
	a, err := choose(c.method, c.position, debugf)
	if err != nil {
		return nil, err
	}
	h := &hook{programs: programs, attacher: a, debugf: debugf}
	if _, slow := a.(tcx); slow && c.method == methodAuto && interfaces > fewInterfaces {
		if h.fast, err = newClsact(c.position); err != nil {
			debugf("attaching to %d interfaces by %s: %v", interfaces, a.method(), err)
			h.fast = nil
		}
	}
	return h, nil
}

// alone returns nil if no tc program of others sees packets of an interface, so that a filter
// sees the same as a TCX program. The foreign filters are all filters of others.
func alone(p *attach.Port, foreign []netlink.Filter) error {
	if len(foreign) > 0 {
		return errors.New("there is a tc filter")
	}
	for _, dir := range directions(p) {
		others, err := link.QueryPrograms(link.QueryOptions{Target: int(p.Index), Attach: tcxHook(dir)})
		switch {
		case err != nil:
			return fmt.Errorf("look for other programs: %w", err)
		case len(others.Programs) > 0:
			return errors.New("there is a TCX program")
		}
	}
	return nil
}
