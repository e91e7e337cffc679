package hostprobe

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/pktstat/pktstat/internal/kernel/bpfprobe"
	"github.com/pktstat/pktstat/internal/kernel/caps"
	"github.com/pktstat/pktstat/registry"
)

// kernel reads kernel settings.
func kernel() []registry.Check {
	return []registry.Check{
		bpfprobe.Check("BTF", "5.2", haveBTF()),
		lockdown(),
		sysctl("BPF without capabilities", "kernel/unprivileged_bpf_disabled", "", map[string]verdict{
			"0": {},
			"1": {no: "loading needs cap_bpf; only a reboot changes this setting"},
			"2": {no: "loading needs cap_bpf"},
		}),
		sysctl("BPF compiled to machine code", "net/core/bpf_jit_enable", "", map[string]verdict{
			"0": {no: "programs are interpreted, which is slow", remedy: "sysctl net.core.bpf_jit_enable=1"},
			"1": {}, "2": {},
		}),
		sysctl("perf events without capabilities", "kernel/perf_event_paranoid", "probes need cap_perfmon", map[string]verdict{
			"-1": {},
		}),
	}
}

// verdict is the verdict on a value of a sysctl. Zero: supported.
type verdict struct{ no, remedy string }

// sysctl judges the value of a sysctl. others is the reason for values that are not in the table.
func sysctl(name, path, others string, values map[string]verdict) registry.Check {
	sysctlName := strings.ReplaceAll(path, "/", ".")
	text, err := os.ReadFile("/proc/sys/" + path)
	if errors.Is(err, os.ErrPermission) {
		return registry.Check{
			Name: name, Verdict: registry.Inconclusive,
			Reason: sysctlName + " is readable by root only",
		}
	}
	if errors.Is(err, os.ErrNotExist) {
		return registry.Check{
			Name: name, Verdict: registry.Inconclusive,
			Reason: "this kernel or this network namespace has no " + sysctlName + "",
		}
	}
	if err != nil {
		return registry.Check{Name: name, Verdict: registry.Inconclusive, Reason: "unknown: " + err.Error()}
	}
	value := strings.TrimSpace(string(text))
	c := registry.Check{Name: name, Detail: sysctlName + " = " + value}
	v, known := values[value]
	switch {
	case known:
	case others != "":
		v.no = others
	default:
		v.no = "unknown value"
	}
	if v.no != "" {
		c.Verdict, c.Reason, c.Remedy = registry.No, v.no, v.remedy
	}
	return c
}

const lockdownName, lockdownSince = "no lockdown", "5.4"

// lockdown reads the kernel's restrictions on root (kernel_lockdown(7), since 5.4).
func lockdown() registry.Check {
	mode, err := lockdownMode()
	switch {
	case errors.Is(err, errors.ErrUnsupported), errors.Is(err, os.ErrNotExist):
		return found(registry.Check{Name: lockdownName, Since: lockdownSince}, "the kernel has no lockdown")
	case err != nil:
		return bpfprobe.Check(lockdownName, lockdownSince, err, caps.SysAdmin)
	}
	return judgeLockdown(mode)
}

func judgeLockdown(mode string) registry.Check {
	c := registry.Check{Name: lockdownName, Since: lockdownSince, Detail: mode}
	switch mode {
	case "none":
	case "confidentiality":
		c.Verdict = registry.No
		c.Reason = "programs cannot read kernel memory: kprobe and process attribution may not work"
		c.Remedy = "boot with lockdown=integrity"
	default:
		c.Verdict = registry.Inconclusive
		c.Reason = "fentry and lsm programs may be refused"
	}
	return c
}

// lockdownMode returns the mode: the word in brackets.
func lockdownMode() (string, error) {
	text, err := os.ReadFile("/sys/kernel/security/lockdown")
	if errors.Is(err, os.ErrNotExist) {
		text, err = securityFile("lockdown")
	}
	if err != nil {
		return "", fmt.Errorf("lockdown: %w", err)
	}
	return bracketed(string(text))
}

func bracketed(text string) (string, error) {
	_, rest, _ := strings.Cut(text, "[")
	mode, _, ok := strings.Cut(rest, "]")
	if !ok {
		return "", fmt.Errorf("lockdown: no word in brackets in %q", text)
	}
	return mode, nil
}

// securityFile reads a file of securityfs even if it is not mounted, as under `ip netns exec`. It
// mounts securityfs without a path (fsmount(2), since 5.2). The mount ends when its descriptor is
// closed.
func securityFile(name string) ([]byte, error) {
	fs, err := unix.Fsopen("securityfs", unix.FSOPEN_CLOEXEC)
	if errors.Is(err, unix.ENODEV) {
		return nil, errors.ErrUnsupported
	}
	if err != nil {
		return nil, fmt.Errorf("securityfs is not mounted: %w", err)
	}
	defer func() { _ = unix.Close(fs) }()
	if err := unix.FsconfigCreate(fs); err != nil {
		return nil, fmt.Errorf("open securityfs: %w", err)
	}
	dir, err := unix.Fsmount(fs, unix.FSMOUNT_CLOEXEC, unix.MOUNT_ATTR_RDONLY)
	if err != nil {
		return nil, fmt.Errorf("open securityfs: %w", err)
	}
	defer func() { _ = unix.Close(dir) }()
	fd, err := unix.Openat(dir, name, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), name)
	defer func() { _ = f.Close() }()
	buf := make([]byte, 256)
	n, err := f.Read(buf)
	return buf[:n], err
}
