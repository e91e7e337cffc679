package testenv

import (
	"os"
	"testing"
)

// TestMachineIsNoWord: the environment variable alone does not allow a test to set the clock.
func TestMachineIsNoWord(t *testing.T) {
	if first, err := os.Readlink("/proc/1/exe"); err == nil && first == "/init" {
		t.Skip("the first process has the same path as in a matrix machine")
	}
	for _, kernel := range []string{"", "6.1"} {
		t.Setenv("PKTSTAT_KERNEL", kernel)
		var v verdict
		if Machine(&v); v.skipped == "" {
			t.Errorf("with PKTSTAT_KERNEL=%q, IsMachine is true", kernel)
		}
	}
}
