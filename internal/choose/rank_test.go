package choose

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/count/engine"
	"github.com/pktstat/pktstat/registry"
)

// candidateOf returns a backend with these probe results.
func candidateOf(name string, caps registry.Caps, cost registry.Cost, machine registry.ProbeResult, on ...registry.ProbeResult) Probed {
	p := Probed{
		Backend: &Backend{Name: name, Plugin: registry.Backend{Caps: caps, Cost: cost, Layers: flow.LayerIP | flow.LayerFrame}},
		Machine: machine,
	}
	for i, r := range on {
		p.Interfaces = append(p.Interfaces, ProbedInterface{fmt.Sprint("eth", i), r})
	}
	return p
}

const (
	bothWays  = registry.CapLive | registry.CapInterfaces | registry.CapIngress | registry.CapEgress
	inOnly    = bothWays &^ registry.CapEgress
	noIfaces  = bothWays &^ registry.CapInterfaces
	fromFiles = registry.CapFile | registry.CapIngress | registry.CapEgress
)

var (
	works      = registry.ProbeResult{}
	maybe      = registry.ProbeResult{Verdict: registry.Inconclusive, Err: errors.New("not tried")}
	lacks      = registry.ProbeResult{Verdict: registry.No, Err: fmt.Errorf("%w: old kernel", registry.ErrUnsupported)}
	deniedBPF  = deniedFor("cap_bpf", "cap_net_admin", "cap_perfmon")
	deniedRaw  = deniedFor("cap_net_raw")
	noNativeOn = registry.ProbeResult{Verdict: registry.No, Err: fmt.Errorf("%w: eth1: taken", registry.ErrUnsupported)}
)

func deniedFor(caps ...string) registry.ProbeResult {
	return registry.ProbeResult{Verdict: registry.Inconclusive, Err: registry.NeedCaps(syscall.EPERM, caps...)}
}

// TestRanking: the order in which auto tries backends, on various machines.
func TestRanking(t *testing.T) {
	for _, tc := range []struct {
		name                      string
		tc, xdp, afpacket, cgroup registry.ProbeResult
		tcOn                      []registry.ProbeResult
		ifaces                    bool
		layer                     flow.Layer
		want                      string // names, in the order of Open
		notTaken                  string // alternatives if the first one opens, joined by "; "
		fails                     error
		message                   string // part of the error
	}{
		{
			name: "root on a new kernel", want: "tc,cgroup,afpacket",
			notTaken: "cgroup (works here too, cost: socket); afpacket (works here too, cost: copy); xdp (egress is not seen)",
		},
		{
			name: "with -i", ifaces: true, want: "tc,afpacket",
			notTaken: "afpacket (works here too, cost: copy); cgroup (does not count on interfaces (--iface)); xdp (egress is not seen)",
		},
		{
			name: "only cap_net_raw", tc: deniedBPF, xdp: deniedBPF, cgroup: deniedBPF, want: "afpacket",
			notTaken: "tc (needs root or cap_bpf,cap_net_admin,cap_perfmon: operation not permitted); " +
				"cgroup (needs root or cap_bpf,cap_net_admin,cap_perfmon: operation not permitted); xdp (egress is not seen)",
		},
		{
			name: "nothing", tc: deniedBPF, xdp: deniedBPF, cgroup: deniedBPF, afpacket: deniedRaw,
			fails: registry.ErrPermission, message: "backend tc: needs root or cap_bpf,cap_net_admin,cap_perfmon",
		},
		{
			name: "nothing, and BPF is not built in", tc: lacks, xdp: lacks, cgroup: lacks, afpacket: deniedRaw,
			fails: registry.ErrPermission, message: "backend afpacket: needs root or cap_net_raw",
		},
		{
			name: "XDP alone is no choice", tc: lacks, cgroup: lacks, afpacket: lacks,
			fails: registry.ErrUnsupported, message: "backend tc: not supported: old kernel",
		},
		{
			name: "what works comes before what may", tc: maybe, cgroup: lacks, want: "afpacket,tc",
			notTaken: "tc (may not work: not tried, cost: qdisc); cgroup (not supported: old kernel); xdp (egress is not seen)",
		},
		{
			name: "one of the interfaces cannot", tcOn: []registry.ProbeResult{works, noNativeOn}, cgroup: lacks, want: "afpacket",
			notTaken: "tc (not supported: eth1: taken); cgroup (not supported: old kernel); xdp (egress is not seen)",
		},
		{
			name: "by IP bytes", layer: flow.LayerIP, ifaces: true, want: "tc,afpacket",
			notTaken: "afpacket (works here too, cost: copy); cgroup (does not count on interfaces (--iface)); xdp (egress is not seen)",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			all := []Probed{
				candidateOf("afpacket", bothWays, registry.CostCopy, tc.afpacket),
				candidateOf("cgroup", noIfaces, registry.CostSocket, tc.cgroup),
				candidateOf("pcap", fromFiles, registry.CostCopy, works),
				candidateOf("tc", bothWays, registry.CostQdisc, tc.tc, tc.tcOn...),
				candidateOf("xdp", inOnly, registry.CostDriver, tc.xdp),
			}
			asked := &Request{Name: Auto, Layer: tc.layer}
			if tc.ifaces {
				asked.Iface = "--iface"
			}
			for _, p := range all {
				asked.Backends = append(asked.Backends, p.Backend)
			}
			c, err := asked.Choose()
			if err != nil {
				t.Fatal(err)
			}
			r := c.Rank(all)
			if err := r.Best(); !errors.Is(err, tc.fails) || err != nil && !strings.Contains(err.Error(), tc.message) {
				t.Fatalf("error %v, want %q", err, tc.message)
			}
			pl := r.Plan("")
			if got := names(pl.Candidates); got != tc.want {
				t.Errorf("order %s, want %s", got, tc.want)
			}
			if len(pl.Candidates) == 0 {
				return
			}
			var others []string
			for _, cand := range pl.Candidates[1:] {
				others = append(others, fmt.Sprintf("%s (%s)", cand.Name, cand.WhyNot))
			}
			for _, o := range pl.Alternatives {
				others = append(others, fmt.Sprintf("%s (%s)", o.Backend, o.Why))
			}
			if got := strings.Join(others, "; "); got != tc.notTaken {
				t.Errorf("not taken: %s\nwant: %s", got, tc.notTaken)
			}
		})
	}
}

func names(candidates []engine.Candidate) string {
	var all []string
	for _, c := range candidates {
		all = append(all, c.Name)
	}
	return strings.Join(all, ",")
}

// TestOptionBinds: an option that only the best backend has excludes the others.
func TestOptionBinds(t *testing.T) {
	all := []Probed{
		candidateOf("afpacket", bothWays, registry.CostCopy, works), candidateOf("tc", bothWays, registry.CostQdisc, works),
	}
	c := Choice{Backends: []*Backend{all[0].Backend, all[1].Backend}, Auto: true}
	pl := c.Rank(all).Plan("--tc-attach")
	if names(pl.Candidates) != "tc" || !slices.Equal(pl.Alternatives, []flow.Alternative{{Backend: "afpacket", Why: "--tc-attach is not for it"}}) {
		t.Errorf("%v, %v", names(pl.Candidates), pl.Alternatives)
	}
}
