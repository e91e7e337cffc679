package testenv

import (
	"os"
	"testing"
)

// Machine skips the test unless it runs in a machine of the kernel matrix
// (tools/vmtest), where it may do what no other machine can be asked to bear:
// set the clock, or sleep.
func Machine(tb testing.TB) {
	tb.Helper()
	if !IsMachine() {
		tb.Skip("not in a machine of the kernel matrix: make test-vm")
	}
}

// IsMachine reports whether this is a machine of the kernel matrix, which nobody but the
// test uses.
func IsMachine() bool {
	// The environment says so to whoever asks. Where it does so by mistake, the first
	// process is not the one that the machines have.
	first, err := os.Readlink("/proc/1/exe")
	return os.Getenv("PKTSTAT_KERNEL") != "" && err == nil && first == "/init"
}
