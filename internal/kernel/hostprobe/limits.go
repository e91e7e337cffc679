package hostprobe

import (
	"bufio"
	"errors"
	"os"
	"strings"

	"github.com/pktstat/pktstat/internal/kernel/bpfprobe"
	"github.com/pktstat/pktstat/internal/kernel/caps"
	"github.com/pktstat/pktstat/registry"
)

// limits checks restrictions of containers.
func limits() []registry.Check {
	return []registry.Check{
		userNamespace(),
		networkNamespace(),
		privateNetNS(),
		seccomp(),
		fileCapabilities(),
	}
}

func userNamespace() registry.Check {
	c := registry.Check{Name: "initial user namespace"}
	switch initial, err := caps.InitialUserNS(); {
	case err != nil:
		c.Verdict, c.Reason = registry.Inconclusive, err.Error()
	case !initial:
		c.Verdict = registry.No
		c.Reason = "capabilities held in another user namespace (a rootless container) do not count for BPF"
		c.Remedy = "run it as root of the machine"
	}
	return c
}

// networkNamespace checks for a sysctl that only the initial network namespace has
// (net_core_table in net/core/sysctl_net_core.c). Unlike a comparison with process 1, this works
// in containers and needs no permission.
func networkNamespace() registry.Check {
	c := registry.Check{Name: "initial network namespace"}
	_, err := os.Stat("/proc/sys/net/core/dev_weight")
	switch {
	case errors.Is(err, os.ErrNotExist):
		c.Verdict = registry.No
		c.Reason = "pktstat sees the interfaces of this network namespace, not the machine's"
		c.Remedy = "run it outside of `ip netns exec`, or the container with --network host"
	case err != nil:
		c.Verdict, c.Reason = registry.Inconclusive, err.Error()
	}
	return c
}

func seccomp() registry.Check {
	c := registry.Check{Name: "no seccomp filter"}
	switch mode, err := status("Seccomp"); {
	case errors.Is(err, errNoField): // a kernel without seccomp
	case err != nil:
		c.Verdict, c.Reason = registry.Inconclusive, err.Error()
	case mode != "0":
		c.Verdict = registry.Inconclusive
		c.Reason = "a seccomp filter is active: it may refuse bpf(2) and perf_event_open(2)"
		c.Remedy = "in a container: --security-opt seccomp=unconfined, or a profile that allows them"
	}
	return c
}

func fileCapabilities() registry.Check {
	c := registry.Check{Name: "capabilities of files"}
	switch flag, err := status("NoNewPrivs"); {
	case errors.Is(err, errNoField):
	case err != nil:
		c.Verdict, c.Reason = registry.Inconclusive, err.Error()
	case flag != "0":
		c.Verdict = registry.No
		c.Reason = "no_new_privs is set for this process: setcap has no effect"
		c.Remedy = "start it without NoNewPrivileges= or --security-opt no-new-privileges"
	}
	return c
}

var errNoField = errors.New("no such field in /proc/self/status")

// status returns a field of /proc/self/status (proc_pid_status(5)).
func status(name string) (string, error) {
	f, err := os.Open("/proc/self/status")
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if field, value, ok := strings.Cut(lines.Text(), ":"); ok && field == name {
			return strings.TrimSpace(value), nil
		}
	}
	if err := lines.Err(); err != nil {
		return "", err
	}
	return "", errNoField
}

// privateNetNS checks whether backends can probe in a private network namespace.
func privateNetNS() registry.Check {
	err := bpfprobe.InPrivateNetNS(func() error { return nil })
	c := bpfprobe.Check("network namespaces to try in", "", err)
	if c.Reason != "" {
		c.Reason = "pktstat cannot create one, so it cannot try every feature"
	}
	return c
}
