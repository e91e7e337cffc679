package hostprobe

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"unsafe"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"github.com/pktstat/pktstat/internal/kernel/bpfprobe"
	"github.com/pktstat/pktstat/registry"
)

// Only BPF_PROG_TEST_RUN reaches these (net/bpf/test_run.c), so attaching to them has no effect
// on others.
const (
	quietFunction   = "bpf_fentry_test1" // since 5.5
	quietTracepoint = "bpf_test_finish"  // since 5.2
)

// hooks tries to attach to hooks. The backends try the hooks of interfaces.
func hooks() []registry.Check {
	return []registry.Check{
		bpfprobe.Check("raw_tp", "4.17", RawTracepoint(), forTracing...),
		bpfprobe.Check("tp_btf", "5.5", BTFTracepoint(), forTracing...),
		bpfprobe.Check("fentry", bpfprobe.FEntrySince(), FEntry(), forTracing...),
		bpfprobe.Check("kprobe", "4.17", Kprobe(), forTracing...),
		bpfprobe.Check("iter/task_file", "5.8", TaskFileIterator(), forTracing...),
		bpfprobe.Check("cgroup_skb", "5.7", CgroupSKB(), forNet...),
	}
}

// RawTracepoint tries to attach a program to a raw tracepoint.
func RawTracepoint() error {
	return withProgram(ebpf.ProgramSpec{Type: ebpf.RawTracepoint}, func(prog *ebpf.Program) (link.Link, error) {
		return link.AttachRawTracepoint(link.RawTracepointOptions{Name: quietTracepoint, Program: prog})
	})
}

// BTFTracepoint tries to attach a program to a tracepoint with BTF arguments. The program type
// alone does not show that the kernel supports this.
func BTFTracepoint() error {
	return withProgram(ebpf.ProgramSpec{
		Type: ebpf.Tracing, AttachType: ebpf.AttachTraceRawTp, AttachTo: quietTracepoint,
	}, tracing)
}

// FEntry tries to attach a program to the entry of a function.
func FEntry() error {
	return withProgram(ebpf.ProgramSpec{
		Type: ebpf.Tracing, AttachType: ebpf.AttachTraceFEntry, AttachTo: quietFunction,
	}, tracing)
}

// TaskFileIterator tries to attach a program to the iterator over the files of all processes. The
// program does not run.
func TaskFileIterator() error {
	return withProgram(ebpf.ProgramSpec{
		Type: ebpf.Tracing, AttachType: ebpf.AttachTraceIter, AttachTo: "task_file",
	}, func(prog *ebpf.Program) (link.Link, error) {
		return link.AttachIter(link.IterOptions{Program: prog})
	})
}

// CgroupSKB tries to attach a program to a file that is not a cgroup. A kernel with the hook
// returns EBADF. Attaching to a real cgroup would affect packets of other programs.
func CgroupSKB() error {
	null, err := os.Open(os.DevNull)
	if err != nil {
		return err
	}
	defer func() { _ = null.Close() }()
	err = withProgram(ebpf.ProgramSpec{Type: ebpf.CGroupSKB, AttachType: ebpf.AttachCGroupInetIngress},
		func(prog *ebpf.Program) (link.Link, error) {
			return link.AttachRawLink(link.RawLinkOptions{
				Target: int(null.Fd()), Program: prog, Attach: ebpf.AttachCGroupInetIngress,
			})
		})
	switch {
	case errors.Is(err, unix.EBADF):
		return nil
	case errors.Is(err, unix.EINVAL): // a kernel without CONFIG_CGROUP_BPF returns EINVAL
		return fmt.Errorf("%w: %w", registry.ErrUnsupported, err)
	}
	return err
}

func tracing(prog *ebpf.Program) (link.Link, error) {
	return link.AttachTracing(link.TracingOptions{Program: prog})
}

// withProgram loads an empty program, attaches it and detaches it.
func withProgram(spec ebpf.ProgramSpec, attach func(*ebpf.Program) (link.Link, error)) error {
	spec.License = "Dual MIT/GPL"
	spec.Instructions = asm.Instructions{asm.Mov.Imm(asm.R0, 0), asm.Return()}
	prog, err := ebpf.NewProgram(&spec)
	if err != nil {
		return fmt.Errorf("load: %w", err)
	}
	defer func() { _ = prog.Close() }()
	l, err := attach(prog)
	if err != nil {
		return fmt.Errorf("attach: %w", err)
	}
	return l.Close()
}

// Kprobe tries to attach a program to a kprobe. It does not use package link: without the perf
// PMU, that would use tracefs, whose probes outlive a killed process.
func Kprobe() error {
	const pmu = "/sys/bus/event_source/devices/kprobe/type"
	text, err := os.ReadFile(pmu)
	if errors.Is(err, os.ErrNotExist) {
		if _, err := os.Stat("/sys/bus/event_source"); err != nil {
			return fmt.Errorf("not tried, as sysfs is not mounted on /sys: %w", err)
		}
		return fmt.Errorf("%w: the kernel has no kprobes (CONFIG_KPROBE_EVENTS)", registry.ErrUnsupported)
	}
	if err != nil {
		return err
	}
	kind, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 32)
	if err != nil {
		return fmt.Errorf("%s: %w", pmu, err)
	}
	prog, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Type: ebpf.Kprobe, License: "Dual MIT/GPL",
		Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, 0), asm.Return()},
	})
	if err != nil {
		return fmt.Errorf("load: %w", err)
	}
	defer func() { _ = prog.Close() }()

	function, err := unix.BytePtrFromString(quietFunction)
	if err != nil {
		return err
	}
	fd, err := unix.PerfEventOpen(&unix.PerfEventAttr{
		Type: uint32(kind), Ext1: uint64(uintptr(unsafe.Pointer(function))),
		Size: uint32(unsafe.Sizeof(unix.PerfEventAttr{})),
	}, -1, 0, -1, unix.PERF_FLAG_FD_CLOEXEC)
	runtime.KeepAlive(function)
	if err != nil {
		return fmt.Errorf("create the kprobe: %w", err)
	}
	err = unix.IoctlSetInt(fd, unix.PERF_EVENT_IOC_SET_BPF, prog.FD())
	if err != nil {
		err = fmt.Errorf("attach: %w", err)
	}
	return errors.Join(err, unix.Close(fd))
}
