package registry

import (
	"context"

	"github.com/pktstat/pktstat/flow"
)

// Verdict is the result of a probe. Inconclusive means that a missing permission hides what the
// kernel supports.
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

// Check is one feature that a probe tried.
type Check struct {
	Name    string // "TCX", "BTF", "cap_net_admin", ...; the same on every machine
	Since   string // first kernel version with the feature; "" if it depends on no version
	Verdict Verdict
	Detail  string   // what the probe found: a path, a value; "" if nothing
	Reason  string   // why the feature is missing; "" if supported
	Remedy  string   // what the user can do; "" if nothing
	Caps    []string // missing Linux capabilities that the check needs; setcap adds them
}

// ProbeResult is what a backend found out about this machine.
type ProbeResult struct {
	Verdict Verdict
	Err     error // why the backend is not usable: wraps ErrPermission or ErrUnsupported; nil if supported
	Checks  []Check
}

// InterfaceProber is implemented by configs that can probe a single interface. ProbeInterface is
// called after Probe. It changes nothing on the interface and sends no packet. Its verdict is
// about counting on the interface with the config's options; checks of other features do not
// affect it.
type InterfaceProber interface {
	ProbeInterface(ctx context.Context, i flow.Interface) ProbeResult
}
