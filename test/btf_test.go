package test

import (
	"encoding/json"
	"errors"
	"os/exec"
	"slices"
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

// TestRetransmitsWithoutBTF: without BTF of the kernel, tc counts, and a note reports that it counts
// no retransmits.
func TestRetransmitsWithoutBTF(t *testing.T) {
	testenv.Privileged(t)
	cmd := exec.Command("sh", "-c", `mount -t tmpfs none /sys/kernel/btf && exec "$0" "$@"`,
		pktstat(t), "--backend", "tc", "-i", "lo", "-t", "1s", "--output", "json")
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var report struct{ Notes []string }
	if err := json.Unmarshal(out, &report); err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(report.Notes, func(n string) bool {
		return strings.HasPrefix(n, "retransmits are not known: ") && strings.Contains(n, "CONFIG_DEBUG_INFO_BTF")
	}) {
		t.Errorf("notes %q", report.Notes)
	}
}
