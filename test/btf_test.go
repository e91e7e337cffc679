package test

import (
	"errors"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/pktstat/pktstat/internal/test/testenv"
)

// TestWithoutBTF: without BTF of the kernel, the backends that need it report that. A mount hides
// the BTF from pktstat only.
func TestWithoutBTF(t *testing.T) {
	testenv.Privileged(t)
	for _, backend := range []string{"cgroup", "kprobe"} {
		cmd := exec.Command("sh", "-c", `mount -t tmpfs none /sys/kernel/btf && exec "$0" "$@"`,
			pktstat(t), "--backend", backend, "-t", "1s")
		cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
		out, err := cmd.CombinedOutput()
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != 3 || !strings.Contains(string(out), "CONFIG_DEBUG_INFO_BTF") {
			t.Errorf("backend %s: %v\n%s", backend, err, out)
		}
	}
}
