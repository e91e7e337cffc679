// Package testenv decides whether a test can run here.
package testenv

import (
	"os"
	"strconv"
	"testing"
)

// Privileged skips the test unless it runs as root, and under -short. Where
// CI=true is set it fails instead if this is not root: there, a skipped test
// would hide that nothing was tested.
func Privileged(tb testing.TB) {
	tb.Helper()
	if testing.Short() {
		tb.Skip("needs root: not with -short")
	}
	if os.Geteuid() == 0 {
		return
	}
	Missing(tb, "needs root: BPF programs and network namespaces")
}

// Missing skips the test because this machine lacks something, and fails it
// where CI=true is set. The reason names what is missing.
func Missing(tb testing.TB, reason string) {
	tb.Helper()
	if ci, err := strconv.ParseBool(os.Getenv("CI")); err == nil && ci {
		tb.Fatalf("%s (a failure because CI=true)", reason)
	}
	tb.Skip(reason)
}
