package testenv

import (
	"os"
	"testing"
)

// Machine skips the test unless it runs in a machine of the kernel matrix (tools/vmtest). There, a
// test may set the clock and suspend the machine.
func Machine(tb testing.TB) {
	tb.Helper()
	if !IsMachine() {
		tb.Skip("not in a machine of the kernel matrix: make test-vm")
	}
}

// IsMachine reports whether this is a machine of the kernel matrix, which only the test uses.
func IsMachine() bool {
	// Another machine may have the variable by mistake, but not the same first process.
	first, err := os.Readlink("/proc/1/exe")
	return os.Getenv("PKTSTAT_KERNEL") != "" && err == nil && first == "/init"
}
