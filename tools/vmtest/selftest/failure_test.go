package selftest

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// TestFailure fails in the ways of a broken test or kernel, one at a time, when the test of
// tools/vmtest asks for it. The run must not pass.
func TestFailure(t *testing.T) {
	inMachine(t)
	if os.Getenv("VMTEST_FAILURE") == "" {
		t.Skip("VMTEST_FAILURE is not set")
	}
	t.Run("none", func(t *testing.T) {
		t.Log("all is well")
		report := filepath.Join(os.Getenv("PKTSTAT_OUT"), "sub", "report")
		if err := os.MkdirAll(filepath.Dir(report), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(report, []byte(t.Name()), 0o644); err != nil {
			t.Fatal(err)
		}
	})
	t.Run("stray", func(t *testing.T) { // passes; the next run must not see the process
		if err := exec.Command("sleep", "600").Start(); err != nil {
			t.Fatal(err)
		}
	})
	t.Run("afterstray", func(t *testing.T) {
		if out, err := exec.Command("pgrep", "sleep").Output(); err == nil {
			t.Errorf("left behind: %s", out)
		}
	})
	t.Run("skiplater", func(t *testing.T) { t.Skip("needs Linux 99.1: time travel: not yet") })
	t.Run("skipnow", func(t *testing.T) { t.Skip("needs Linux 4.18: BTF: never found it") })
	t.Run("skipwhatever", func(t *testing.T) { t.Skip("not today") })
	t.Run("error", func(t *testing.T) { t.Error("on purpose") })
	t.Run("panic", func(*testing.T) { panic("on purpose") })
	t.Run("kill", func(t *testing.T) {
		if err := syscall.Kill(os.Getpid(), syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		select {}
	})
	t.Run("hang", func(*testing.T) { time.Sleep(time.Hour) })
	t.Run("warn", func(t *testing.T) { // into the kernel's log
		if err := os.WriteFile("/dev/kmsg", []byte("<2>BUG: on purpose"), 0); err != nil {
			t.Fatal(err)
		}
	})
	t.Run("crash", func(t *testing.T) {
		if err := os.WriteFile("/proc/sysrq-trigger", []byte("c"), 0); err != nil {
			t.Fatal(err)
		}
		select {}
	})
}
