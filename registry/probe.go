package registry

// Verdict of a probe. Only Supported and No are conclusive.
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
	Name    string // "TCX", "BTF", "cap_net_admin", ...
	Since   string // kernel version that has it, "" if not bound to one
	Verdict Verdict
	Reason  string // why not; "" when supported
	Remedy  string // what the user can do, if anything
}

// ProbeResult is what a backend found out about this machine.
type ProbeResult struct {
	Verdict Verdict
	Err     error // why not usable: wraps ErrPermission or ErrUnsupported; nil when supported
	Checks  []Check
}
