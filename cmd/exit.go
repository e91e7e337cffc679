package cmd

import (
	"errors"
	"fmt"
	"strings"
	"syscall"

	"github.com/hashicorp/go-multierror"

	"github.com/pktstat/pktstat/internal/count/engine"
	"github.com/pktstat/pktstat/registry"
)

// Exit codes.
const (
	exitDone        = 0
	exitFailure     = 1 // while counting
	exitUsage       = 2
	exitUnsupported = 3   // the kernel or the network card lacks a feature
	exitPermission  = 4   // a capability is missing
	exitOutput      = 5   // counted, but an output failed
	exitOver        = 10  // a threshold of --exit-over was exceeded
	exitDiffers     = 11  // verify found a difference without a known reason
	exitSignal      = 128 // plus the signal: no final report
)

// exit prints a line for each error, and returns the exit code.
func (s *session) exit(err error) int {
	s.endProgress()
	for _, e := range flatten(err) {
		s.say("%s: %s", program, s.message(e))
	}
	return exitCode(err)
}

// exitCode returns the exit code of an error. Of several errors, the first one that is not about an
// output decides.
func exitCode(err error) int {
	errs := flatten(err)
	for _, e := range errs {
		if code := codeOf(e); code != exitOutput {
			return code
		}
	}
	if len(errs) > 0 {
		return exitOutput
	}
	return exitDone
}

func codeOf(err error) int {
	var sig *signalError
	switch {
	case errors.As(err, &sig):
		return exitSignal + int(sig.signal)
	case errors.As(err, new(*engine.OverError)):
		return exitOver
	case errors.As(err, new(*unexplainedError)):
		return exitDiffers
	case errors.Is(err, engine.ErrOutput):
		return exitOutput
	case errors.Is(err, registry.ErrUsage):
		return exitUsage
	case errors.Is(err, registry.ErrPermission):
		return exitPermission
	case errors.Is(err, registry.ErrUnsupported):
		return exitUnsupported
	}
	return exitFailure
}

func flatten(err error) []error {
	if err == nil {
		return nil
	}
	several, ok := err.(*multierror.Error) //nolint:errorlint // a wrapped one belongs to the message around it
	if !ok {
		return []error{err}
	}
	var errs []error
	for _, e := range several.Errors {
		errs = append(errs, flatten(e)...)
	}
	return errs
}

// message returns an error as one line, with the remedy if there is one.
func (s *session) message(err error) string {
	text := oneLine(err.Error())
	switch codeOf(err) {
	case exitUsage:
		// The exit code and the hint show that it is about usage.
		text = strings.Replace(text, registry.ErrUsage.Error()+": ", "", 1)
		command := program
		if of := (*commandError)(nil); errors.As(err, &of) {
			command += " " + of.command
		}
		text += "; try '" + command + " --help'"
	case exitPermission:
		text += s.permissionRemedy(err)
	default:
		if refused := (*registry.RefusedError)(nil); errors.As(err, &refused) {
			text += "; " + refused.Remedy
		}
	}
	if errors.Is(err, syscall.EMFILE) {
		text += filesRemedy()
	}
	return text
}

// filesRemedy is the remedy if the process may open no more files.
func filesRemedy() string {
	var limit syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit) != nil {
		return "; raise the limit (ulimit -n)"
	}
	return fmt.Sprintf("; the limit is %d: raise it (ulimit -n)", limit.Cur)
}

func (s *session) permissionRemedy(err error) string {
	var need *registry.CapsError
	var refused *registry.RefusedError
	switch {
	case errors.As(err, &need):
		return "; " + s.capsRemedy(need.Caps)
	case errors.As(err, &refused):
		return "; " + refused.Remedy
	}
	return "; run it as root"
}

// capsRemedy returns how to get capabilities, with the names that setcap uses.
func (s *session) capsRemedy(needs []string) string {
	if s.Root {
		return "root lacks them here: in a container, add them"
	}
	return fmt.Sprintf("run it as root, or once: sudo setcap %s=+ep %s", strings.Join(needs, ","), s.Executable)
}

func oneLine(s string) string {
	var parts []string
	for line := range strings.Lines(s) {
		if line = strings.TrimSpace(line); line != "" {
			parts = append(parts, line)
		}
	}
	return strings.Join(parts, "; ")
}

// outputError is a failed write of the command's own text.
type outputError struct{ err error }

func (e *outputError) Error() string   { return "write to standard output: " + e.err.Error() }
func (e *outputError) Unwrap() []error { return []error{engine.ErrOutput, e.err} }
