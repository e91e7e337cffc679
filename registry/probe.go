package registry

import (
	"context"

	"github.com/pktstat/pktstat/flow"
)

// Verdict of a probe. Only Supported and No are conclusive: a missing permission
// hides what the kernel can do, so it is Inconclusive.
type Verdict uint8

// Verdicts, best first.
const (
	Supported Verdict = iota
	Inconclusive
	No
)

// String returns "supported", "inconclusive" or "no".
func (v Verdict) String() string {
	return [...]string{"supported", "inconclusive", "no"}[v]
}

// Check is one thing that a probe tried.
type Check struct {
	Name    string // "TCX", "BTF", "cap_net_admin", ... The same on every machine
	Since   string // kernel version that has it, "" if not bound to one
	Verdict Verdict
	Detail  string   // what was found: a path, a value; "" if there is nothing to tell
	Reason  string   // why not; "" when supported
	Remedy  string   // what the user can do, if anything
	Caps    []string // capabilities that trying takes, if some are missing; setcap is their remedy
}

// ProbeResult is what a backend found out about this machine.
type ProbeResult struct {
	Verdict Verdict
	Err     error // why not usable: wraps ErrPermission or ErrUnsupported; nil when supported
	Checks  []Check
}

// InterfaceProber is implemented by configs that can tell more of an interface than
// of the machine. ProbeInterface is called after Probe, changes nothing there, and
// sends no packet. Its verdict is on counting on that interface; checks that are not
// about what the options ask for do not count.
type InterfaceProber interface {
	ProbeInterface(ctx context.Context, i flow.Interface) ProbeResult
}
