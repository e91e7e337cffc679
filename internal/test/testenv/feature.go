package testenv

import (
	"os"
	"testing"

	"github.com/pktstat/pktstat/internal/test/linuxversion"
)

// Feature skips the test unless the kernel has a feature. try uses the feature as the test will,
// and returns nil if that works. since is the first Linux version with the feature, such as "6.6".
//
// A machine of the kernel matrix (tools/vmtest) has a full kernel. If a new enough kernel there
// lacks the feature, the test fails, because a skip would hide a regression. Other kernels may be
// built without the feature.
func Feature(tb testing.TB, name, since string, try func() error) {
	tb.Helper()
	first, err := linuxversion.Parse(since)
	if err != nil {
		tb.Fatalf("feature %s: %v", name, err)
	}
	running, err := linuxversion.Running()
	if err != nil {
		tb.Fatalf("feature %s: %v", name, err)
	}
	err = try()
	switch {
	case err == nil:
	case running.Before(first):
		tb.Skip("needs Linux " + first.String() + ": " + name + ": " + err.Error())
	case os.Getenv("PKTSTAT_KERNEL") != "":
		tb.Fatalf("Linux has %s since %s, but not this %s: %v", name, first, running, err)
	default:
		tb.Skip("this kernel was built or booted without " + name + ": " + err.Error())
	}
}
