package selftest

import (
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// kernelEnv is set only in the machines: the kernel's major and minor version number.
const kernelEnv = "PKTSTAT_KERNEL"

func inMachine(t *testing.T) {
	t.Helper()
	if os.Getenv(kernelEnv) == "" {
		t.Skip("not in a machine of tools/vmtest")
	}
}

func TestMachineKernel(t *testing.T) {
	inMachine(t)
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		t.Fatal(err)
	}
	release, want := unix.ByteSliceToString(u.Release[:]), os.Getenv(kernelEnv)
	if !strings.HasPrefix(release, want+".") || !strings.HasSuffix(release, "cloud-"+runtime.GOARCH) {
		t.Errorf("kernel %s, want Debian's %s for the cloud", release, want)
	}
	if n := runtime.NumCPU(); n != 2 {
		t.Errorf("%d CPUs, want 2", n)
	}
	if os.Getuid() != 0 || os.Getpid() == 1 {
		t.Errorf("uid %d, pid %d", os.Getuid(), os.Getpid())
	}
}

func TestMachineFileSystems(t *testing.T) {
	inMachine(t)
	for dir, magic := range map[string]int64{
		"/proc":                unix.PROC_SUPER_MAGIC,
		"/sys":                 unix.SYSFS_MAGIC,
		"/sys/fs/bpf":          unix.BPF_FS_MAGIC,
		"/sys/fs/cgroup":       unix.CGROUP2_SUPER_MAGIC,
		"/sys/kernel/tracing":  unix.TRACEFS_MAGIC,
		"/sys/kernel/debug":    unix.DEBUGFS_MAGIC,
		"/sys/kernel/security": unix.SECURITYFS_MAGIC,
		"/tmp":                 unix.TMPFS_MAGIC,
		"/run":                 unix.TMPFS_MAGIC,
	} {
		var s unix.Statfs_t
		if err := unix.Statfs(dir, &s); err != nil {
			t.Errorf("%s: %v", dir, err)
		} else if s.Type != magic {
			t.Errorf("%s is of type %#x, want %#x", dir, s.Type, magic)
		}
	}
	if info, err := os.Stat("/sys/kernel/btf/vmlinux"); err != nil {
		t.Error(err)
	} else if info.Size() < 1<<20 {
		t.Errorf("the kernel's BTF has %d bytes", info.Size())
	}
}

func TestMachineTools(t *testing.T) {
	inMachine(t)
	for _, command := range []string{
		"ip link add name veth1 type veth peer name veth2",
		"ip link add link veth1 name veth1.7 type vlan id 7",
		"ip link add name dummy1 type dummy",
		"ip tuntap add mode tun name tun1",
		"tc qdisc add dev veth1 clsact",
		"ethtool -K veth1 tso off",
		"ip netns add n",
		"ip netns exec n ip link set lo up",
		"ip netns del n",
		"bpftool prog list",
		"tcpdump --version",
		"ping -c 1 127.0.0.1",
		"ping -c 1 ::1",
		"ip link del dev veth1",
		"ip link del dev dummy1",
		"ip link del dev tun1",
		"test -z \"$(ip -o link | grep -v ' lo:')\"", // no other interface exists
		"mount | busybox grep -q bpf",
	} {
		if out, err := exec.Command("sh", "-c", command).CombinedOutput(); err != nil {
			t.Errorf("%s: %v: %s", command, err, out)
		}
	}
}
