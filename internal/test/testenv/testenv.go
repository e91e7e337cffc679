// Package testenv decides whether a test can run here.
package testenv

import (
	"os"
	"strconv"
	"testing"
)

// Privileged skips the test unless it runs as root and without -short. With CI=true, it fails
// instead of skipping for lack of root.
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

// Missing skips the test because this machine lacks something. With CI=true, it fails instead.
// reason names what is missing.
func Missing(tb testing.TB, reason string) {
	tb.Helper()
	if ci, err := strconv.ParseBool(os.Getenv("CI")); err == nil && ci {
		tb.Fatalf("%s (a failure because CI=true)", reason)
	}
	tb.Skip(reason)
}
