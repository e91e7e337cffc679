package vmtest

import (
	"slices"
	"time"
)

// Kernel is a column of the matrix: the newest cloud kernel of a Debian suite.
type Kernel struct {
	Name   string // value of the command's -kernel
	Suite  string
	Arch   string
	ByName bool   // runs only if the user names it
	Skip   string // -test.skip, unless the user names tests; empty: none
}

// contract skips tests that take a third of the time and depend on the kernel least. They are about
// the contract between backends and the engine, coverage, delays, and interfaces that appear or are
// stacked. The oldest and the newest kernel of amd64 run them.
const contract = "^Test(Conformance|SameAsTC|Coverage|Stacked|Follow|Delay)$"

// slow skips tests on arm64. They take more than half of the time and depend on the processor
// least. They run on amd64, and on arm64 if -run names them.
const slow = "^Test(Conformance|SameAsTC|Coverage|IPsec|BigTCP|ManyInterfaces|Headed|MPLSSegments|Namespaces|SwitchedOff|Clsact.*|TakenOff.*)$"

// Kernels is the matrix, oldest first in each architecture. The archive decides which 5.10.x it is,
// and which kernel is the newest.
var Kernels = []Kernel{
	{Name: "5.10", Suite: "bullseye-security", Arch: AMD64},
	{Name: "6.1", Suite: "bookworm", Arch: AMD64, Skip: contract},
	{Name: "6.12", Suite: "trixie", Arch: AMD64, Skip: contract},
	{Name: "newest", Suite: "trixie-backports", Arch: AMD64},
	{Name: "arm64-5.10", Suite: "bullseye", Arch: ARM64, ByName: true},
	{Name: "arm64-6.1", Suite: "bookworm", Arch: ARM64, Skip: slow},
	{Name: "arm64-6.12", Suite: "trixie", Arch: ARM64, ByName: true},
	{Name: "arm64-newest", Suite: "trixie-backports", Arch: ARM64, Skip: slow},
}

// Package is a package whose tests run in every machine. They find the package's testdata as under
// go test.
type Package struct {
	Dir     string        // from the repository's root
	Run     string        // -test.run; empty: all
	Args    []string      // more flags of the test binary
	Files   []string      // other files or directories that the tests read, from the repository's root
	Kernels []string      // only these, by name; empty: all of Arch
	Arch    string        // only its machines; empty: all
	Program bool          // the tests run pktstat itself: PKTSTAT_BIN names it
	Timeout time.Duration // for slow tests; 0: defaultTimeout. Emulation is 10 to 30 times slower than the host
}

// RunsOn reports whether the package's tests run in the machine of a kernel.
func (p *Package) RunsOn(k Kernel) bool {
	return (p.Arch == "" || p.Arch == k.Arch) && (len(p.Kernels) == 0 || slices.Contains(p.Kernels, k.Name))
}

const defaultTimeout = 5 * time.Minute

// Packages are the packages that run in the machines: those that depend on the kernel.
var Packages = []Package{
	{Dir: "tools/vmtest/selftest", Run: "^TestMachine"},
	{Dir: "internal/test/testnet"},
	{Dir: "internal/kernel/bpfflow", Files: []string{
		"backends/tc/tc_bpfel.o", "backends/xdp/xdp_bpfel.o", "backends/cgroup/cgroup_bpfel.o", "backends/kprobe/kprobe_bpfel.o",
	}},
	{Dir: "internal/kernel/retransmit"},
	{Dir: "backends/tc", Args: []string{"-tc.packets=200000"}, Files: []string{"testdata/packets"}, Timeout: 10 * time.Minute},
	{Dir: "backends/xdp", Args: []string{"-xdp.packets=20000"}, Files: []string{"testdata/packets"}},
	{Dir: "backends/afpacket", Args: []string{"-afpacket.packets=5000"}, Files: []string{"testdata/packets"}},
	{Dir: "backends/cgroup", Files: []string{"testdata/packets"}, Timeout: 10 * time.Minute},
	{Dir: "backends/kprobe", Files: []string{"testdata/packets"}, Timeout: 20 * time.Minute},
	{Dir: "tools/bench", Run: "^TestStack$", Kernels: []string{"newest"}, Timeout: 30 * time.Minute},
	{Dir: "internal/netif/attach", Arch: AMD64},
	{Dir: "labels/socket"},
	// This takes minutes, so it runs only on the kernel that reports least about sockets. It is the
	// same for all backends that count on interfaces.
	{Dir: "internal/owner/process", Kernels: []string{"5.10"}, Args: []string{"-test.skip=/^(xdp|afpacket)$"}, Timeout: 20 * time.Minute},
	// The differences between kernels, with one backend.
	{Dir: "internal/owner/process", Kernels: []string{"6.1", "6.12", "newest"}, Run: "^Test(Handover|Devices|DevicesTCP|StackedDevices|ProcPorts|PingElsewhere|Passed|Spawn|Exec)$/^(tc|bridge|vrf)", Timeout: 10 * time.Minute},
	{Dir: "internal/owner/process", Arch: ARM64, Run: "^Test(Handover|ProcPorts|Passed|Spawn|Exec)$/^(tc|cgroup)", Timeout: 10 * time.Minute},
	// These tests read files, so they depend on the processor, not on the kernel. The machines lack
	// Wireshark's tools.
	{Dir: "backends/pcap", Arch: ARM64, Args: []string{"-test.skip=^(TestFilesOfOtherTools|TestMergecap)$"}},
	{Dir: "tools/vmtest/kernels", Run: "^TestMachine$", Program: true},
	{Dir: "internal/test/difftest", Arch: AMD64, Args: []string{"-parity.inputs=20000"}, Files: []string{"testdata/packets"}},
	{Dir: "test", Arch: AMD64, Run: "^TestLinkType|Stacked|BehindGeneric|OnALink|SuperFrames|LiveEquals|UnderIP|Whose|RefusedBPF|ProcessesOfOthers|TestTransfer$|ConversationsLive|TestDelay", Program: true, Timeout: 15 * time.Minute},
	// These tests depend little on the kernel.
	{Dir: "test", Run: "Stopped|TwoAtOnce|ExitOver$|LiveUntil|Signal|Killed|Clock|Suspend|Churn", Kernels: []string{"newest"}, Program: true, Timeout: 20 * time.Minute},
}

// modules are loaded before the tests. Their parameters keep them from making devices by
// themselves.
var modules = []Module{
	{Name: "veth"},
	{Name: "dummy", Params: "numdummies=0"},
	{Name: "ifb", Params: "numifbs=0"},
	{Name: "tun"},
	{Name: "8021q"},
	{Name: "macvlan"},
	{Name: "bridge"},
	{Name: "bonding", Params: "max_bonds=0"},
	{Name: "vrf"},
	{Name: "vxlan"},
	{Name: "ip_gre"},
	{Name: "ipip"},
	{Name: "sit"},
	{Name: "wireguard"},
	{Name: "mpls_iptunnel"}, // also loads mpls_router
	{Name: "mpls_gso"},
	{Name: "ipvlan"},
	{Name: "geneve"},
	{Name: "openvswitch"},
	{Name: "tcp_diag"},
	{Name: "macsec"},
	{Name: "ip_vti"},
	{Name: "xfrm_interface"},
	{Name: "xfrm_user"},
	{Name: "esp4"},
	{Name: "esp6"},
	{Name: "esp4_offload"},
	{Name: "authenc"},
	{Name: "crypto_null"},
	{Name: "echainiv"},
	{Name: "drbg", IfThere: true},
	{Name: "gcm"},
	{Name: "ghash_generic", IfThere: true},
	{Name: "ctr"},
	{Name: "sctp"},
	{Name: "pktgen"},
	{Name: "sch_ingress"},
	{Name: "sch_fq"},
	{Name: "sch_netem"},
	{Name: "sch_tbf"},
	{Name: "cls_bpf"},
	{Name: "cls_matchall"},
	{Name: "cls_u32"},
	{Name: "act_bpf"},
	{Name: "act_gact"},
	{Name: "act_mirred"},
}
