package vmtest

import (
	"context"
	"fmt"
	"os/exec"
	"strconv"
)

// AMD64 and ARM64 are names of architectures in Go and in Debian.
const (
	AMD64 = "amd64"
	ARM64 = "arm64"
)

// arch is what the machines of an architecture are made of.
type arch struct {
	qemu, debianPackage string
	machine             []string // QEMU's arguments for the board and its processors
	console             string   // the kernel's console: the board's first serial line
	tests               []string // QEMU's arguments for the second line, with the character device "tests"
	testsDevice         string   // its name in the machine
	kernelArgs          string
	// multi is QEMU's first major version that emulates each processor in its own thread without
	// a fault. busy is the number of the host's processors that such a machine takes.
	multi, busy int
}

// archs are the architectures of the matrix, by name.
var archs = map[string]arch{
	AMD64: {
		qemu: "qemu-system-x86_64", debianPackage: "qemu-system-x86",
		// QEMU 7.2 sets wrong flags after cmpxchg16b, which sometimes causes a debug exception or a
		// double fault.
		machine: []string{"-machine", "q35", "-cpu", "max,-cx16"},
		console: "ttyS0", tests: []string{"-serial", "chardev:tests"}, testsDevice: "/dev/ttyS1",
		kernelArgs: "no_timer_check",
		// With threads, QEMU 7.2 runs instructions that another processor has just replaced (static
		// keys and BPF trampolines: "Oops: int3"). QEMU 10.0 does not.
		multi: 10, busy: processors,
	},
	ARM64: {
		qemu: "qemu-system-aarch64", debianPackage: "qemu-system-arm",
		// A server's processor. Linux before 5.12 does not boot on "max", which has LPA2.
		machine: []string{"-machine", "virt,gic-version=3", "-cpu", "neoverse-n1"},
		// The board has only one serial line. The kernels have the driver of this card built in.
		console: "ttyAMA0", tests: []string{"-device", "pci-serial,chardev=tests"}, testsDevice: "/dev/ttyS0",
		// The tests seldom use the second processor.
		multi: 7, busy: 1,
	},
}

// archOf returns the architecture with a name.
func archOf(name string) (arch, error) {
	a, ok := archs[name]
	if !ok {
		return arch{}, fmt.Errorf("architecture %q: no machine has it", name)
	}
	return a, nil
}

// emulation returns QEMU's -accel for emulation, and how many processors of the host a machine then
// uses.
func (a arch) emulation(ctx context.Context) (accel string, threads int, err error) {
	out, err := exec.CommandContext(ctx, a.qemu, "--version").Output()
	if err != nil {
		return "", 0, fmt.Errorf("the machines need %s (apt-get install %s): %w", a.qemu, a.debianPackage, err)
	}
	accel, threads = a.emulationOf(string(out))
	return accel, threads, nil
}

// emulationOf decides by QEMU's version.
func (a arch) emulationOf(version string) (accel string, threads int) {
	var major int
	if _, err := fmt.Sscanf(version, "QEMU emulator version %d.", &major); err == nil && major >= a.multi {
		return "tcg,thread=multi", a.busy
	}
	return "tcg,thread=single", 1
}

// processors is the number of processors of a machine. With two, the tests include races between
// them.
const processors = 2

// kernelArgs make the machine end when its kernel ends. They also raise the kernel's time limits,
// because emulation on a busy host is slow.
const kernelArgs = "loglevel=5 panic=-1 oops=panic random.trust_cpu=on " +
	"rcupdate.rcu_cpu_stall_timeout=90 watchdog_thresh=60"

// args returns QEMU's arguments for the machine.
func (m *machine) args() []string {
	args := []string{
		"-nodefaults", "-no-user-config", "-display", "none", "-monitor", "none", "-no-reboot",
		"-accel", m.accel, "-smp", strconv.Itoa(processors), "-m", strconv.Itoa(m.memoryMB),
		"-kernel", m.image, "-initrd", m.initramfs,
		"-append", "console=" + m.arch.console + " " + kernelArgs + " " + m.arch.kernelArgs,
		"-chardev", "file,id=console,path=/dev/fd/3", "-serial", "chardev:console",
		"-chardev", "file,id=tests,path=/dev/fd/4",
	}
	return append(append(args, m.arch.tests...), m.arch.machine...)
}
