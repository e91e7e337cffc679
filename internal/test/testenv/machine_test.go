package testenv

import (
	"os"
	"testing"
)

// A word in the environment does not make this a machine whose clock may be set.
func TestMachineIsNoWord(t *testing.T) {
	if first, err := os.Readlink("/proc/1/exe"); err == nil && first == "/init" {
		t.Skip("the first process is called as that of the machines")
	}
	for _, kernel := range []string{"", "6.1"} {
		t.Setenv("PKTSTAT_KERNEL", kernel)
		var v verdict
		if Machine(&v); v.skipped == "" {
			t.Errorf("with PKTSTAT_KERNEL=%q, this is one", kernel)
		}
	}
}
