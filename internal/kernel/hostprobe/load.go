package hostprobe

import (
	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/btf"
	"github.com/cilium/ebpf/features"

	"github.com/pktstat/pktstat/internal/kernel/bpfprobe"
	"github.com/pktstat/pktstat/internal/kernel/caps"
	"github.com/pktstat/pktstat/registry"
)

// The capabilities for loading, by the kind of program.
var (
	forNet     = []caps.Capability{caps.BPF, caps.NetAdmin}
	forTracing = []caps.Capability{caps.BPF, caps.PerfMon}
)

// programTypes leaves out Tracing, because the type alone does not show what can be attached. See
// hooks.
func programTypes() []registry.Check {
	return eachCheck([]attempt[ebpf.ProgramType]{
		{"socket_filter", "3.19", ebpf.SocketFilter, []caps.Capability{caps.BPF}},
		{"sched_cls", "4.1", ebpf.SchedCLS, forNet},
		{"xdp", "4.8", ebpf.XDP, forNet},
		{"cgroup_skb", "4.10", ebpf.CGroupSKB, forNet},
		{"cgroup_sock", "4.10", ebpf.CGroupSock, forNet},
		{"sock_ops", "4.13", ebpf.SockOps, forNet},
		{"cgroup_sock_addr", "4.17", ebpf.CGroupSockAddr, forNet},
		{"raw_tracepoint", "4.17", ebpf.RawTracepoint, forTracing},
	}, features.HaveProgramType)
}

// helper is a BPF helper for programs of a type.
type helper struct {
	in ebpf.ProgramType
	fn asm.BuiltinFunc
}

func helpers() []registry.Check {
	return eachCheck([]attempt[helper]{
		{"skb_load_bytes", "4.5", helper{ebpf.SchedCLS, asm.FnSkbLoadBytes}, forNet},
		{"ktime_get_coarse_ns", "5.11", helper{ebpf.SchedCLS, asm.FnKtimeGetCoarseNs}, forNet},
		{"xdp_get_buff_len", "5.18", helper{ebpf.XDP, asm.FnXdpGetBuffLen}, forNet},
		{"xdp_load_bytes", "5.18", helper{ebpf.XDP, asm.FnXdpLoadBytes}, forNet},
		{"get_socket_cookie", "4.12", helper{ebpf.CGroupSKB, asm.FnGetSocketCookie}, forNet},
		// Lockdown in mode confidentiality disables it.
		{"probe_read_kernel", "5.5", helper{ebpf.RawTracepoint, asm.FnProbeReadKernel}, forTracing},
	}, func(h helper) error { return features.HaveProgramHelper(h.in, h.fn) })
}

func maps() []registry.Check {
	return []registry.Check{
		bpfprobe.Check("shared with user space", "5.5", features.HaveMapFlag(features.BPF_F_MMAPABLE), caps.BPF),
		bpfprobe.Check("ring buffer", "5.8", features.HaveMapType(ebpf.RingBuf), caps.BPF),
	}
}

// attempt is a feature to try, with the capabilities that trying needs.
type attempt[T any] struct {
	name, since string
	what        T
	needs       []caps.Capability
}

func eachCheck[T any](all []attempt[T], try func(T) error) []registry.Check {
	checks := make([]registry.Check, len(all))
	for i, a := range all {
		checks[i] = bpfprobe.Check(a.name, a.since, try(a.what), a.needs...)
	}
	return checks
}

// haveBTF reads the kernel's type information. Programs need it to find fields of kernel
// structures.
func haveBTF() error {
	_, err := btf.LoadKernelSpec()
	return err
}
