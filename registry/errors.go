package registry

import "errors"

// Kinds of errors. Plugins wrap them with %w. The command maps them to exit codes; any other
// error is a run-time failure (exit code 1).
var (
	// ErrUsage: the user's request is invalid (exit code 2).
	ErrUsage = errors.New("usage")
	// ErrUnsupported: the kernel or the NIC lacks a feature (exit code 3).
	ErrUnsupported = errors.New("not supported")
	// ErrPermission: a Linux capability is missing (exit code 4). [NeedCaps] names it.
	ErrPermission = errors.New("permission denied")
)

// CapsError is an ErrPermission that names the missing capabilities.
type CapsError struct {
	Caps []string // "cap_bpf", "cap_net_admin", ... as in setcap(8)
	Err  error    // the operation that was refused; may be nil
}

// NeedCaps returns an error that names the missing capabilities. err may be nil.
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

// Unwrap returns ErrPermission and the cause.
func (e *CapsError) Unwrap() []error {
	if e.Err == nil {
		return []error{ErrPermission}
	}
	return []error{ErrPermission, e.Err}
}

// RefusedError is a refusal that no capability can lift.
type RefusedError struct {
	Err    error  // the operation that was refused
	Reason string // why, as a clause: "as this is no initial user namespace"
	Remedy string // what the user can do
	All    bool   // every operation of this kind is refused, so the error is an ErrPermission
}

func (e *RefusedError) Error() string { return e.Err.Error() + ", " + e.Reason }

// Unwrap returns the cause, and ErrPermission if All is set.
func (e *RefusedError) Unwrap() []error {
	if e.All {
		return []error{ErrPermission, e.Err}
	}
	return []error{e.Err}
}
