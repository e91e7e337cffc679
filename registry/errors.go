package registry

import "errors"

// Kinds of failure. Plugins wrap them with %w; the command maps them to exit
// codes. Anything else is a run-time failure (exit code 1).
var (
	// ErrUsage: what was asked makes no sense (2).
	ErrUsage = errors.New("usage")
	// ErrUnsupported: the kernel or the NIC lacks what was asked (3).
	ErrUnsupported = errors.New("not supported")
	// ErrPermission: a capability is missing (4). Say which, with [NeedCaps].
	ErrPermission = errors.New("permission denied")
)

// CapsError is an ErrPermission that knows the remedy.
type CapsError struct {
	Caps []string // "cap_bpf", "cap_net_admin", ... as setcap spells them
	Err  error    // what was refused; may be nil
}

// NeedCaps returns an error that names the missing capabilities.
func NeedCaps(err error, caps ...string) error { return &CapsError{Caps: caps, Err: err} }

func (e *CapsError) Error() string {
	s := "needs root or "
	for i, c := range e.Caps {
		if i > 0 {
			s += ","
		}
		s += c
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap makes errors.Is(err, ErrPermission) true, and the cause reachable.
func (e *CapsError) Unwrap() []error {
	if e.Err == nil {
		return []error{ErrPermission}
	}
	return []error{ErrPermission, e.Err}
}

// RefusedError is a refusal that no capability mends.
type RefusedError struct {
	Err    error  // what was refused
	Reason string // why, as a clause: "as this is no initial user namespace"
	Remedy string // what the user can do
	All    bool   // nothing of the kind is permitted here, so it is an ErrPermission
}

func (e *RefusedError) Error() string { return e.Err.Error() + ", " + e.Reason }

// Unwrap makes the cause reachable.
func (e *RefusedError) Unwrap() []error {
	if e.All {
		return []error{ErrPermission, e.Err}
	}
	return []error{e.Err}
}
