package choose

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"strings"
	"testing"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/registry"
)

// fixed is a backend with the probe results of the test.
type fixed struct{ machine, on registry.ProbeResult }

func (fixed) Flags(*flag.FlagSet) {}

func (f fixed) Probe(context.Context) registry.ProbeResult { return f.machine }

func (fixed) Open(context.Context, registry.BackendEnv) (registry.Source, error) {
	return nil, errors.New("Choose opened a backend")
}

func (f fixed) ProbeInterface(context.Context, flow.Interface) registry.ProbeResult { return f.on }

var (
	_ registry.BackendConfig   = fixed{}
	_ registry.InterfaceProber = fixed{}
)

// request asks for any of five backends, which all work.
func request() (r *Request, named map[string]*Backend) {
	r, named = &Request{Name: Auto}, map[string]*Backend{}
	for _, p := range []Probed{
		candidateOf("afpacket", bothWays, registry.CostCopy, works),
		candidateOf("cgroup", noIfaces, registry.CostSocket, works),
		candidateOf("pcap", fromFiles, registry.CostCopy, works),
		candidateOf("tc", bothWays, registry.CostQdisc, works),
		candidateOf("xdp", inOnly, registry.CostDriver, works),
	} {
		p.Config = fixed{}
		named[p.Name] = p.Backend
		r.Backends = append(r.Backends, p.Backend)
	}
	named["pcap"].Plugin.Clock = registry.ClockSource
	return r, named
}

// TestChoose: an option selects a backend, or Choose returns an error.
func TestChoose(t *testing.T) {
	for _, tc := range []struct {
		name string
		ask  func(*Request, map[string]*Backend)
		want string // names, after a colon the reason if there is one
		err  string // of a usage error
	}{
		{"nothing", func(*Request, map[string]*Backend) {}, "afpacket,cgroup,tc", ""},
		{"by name", func(r *Request, _ map[string]*Backend) { r.Name = "xdp" }, "xdp", ""},
		{"by a name that is unknown", func(r *Request, _ map[string]*Backend) { r.Name = "ebpf" }, "", `unknown backend "ebpf"`},
		{"by shorthand", func(_ *Request, b map[string]*Backend) { b["tc"].Shorthands = []string{"-T"} }, "tc", ""},
		{"by name and shorthand", func(r *Request, b map[string]*Backend) {
			r.Name, b["tc"].Shorthands = "tc", []string{"-T"}
		}, "tc", ""},
		{"by a name and another's shorthand", func(r *Request, b map[string]*Backend) {
			r.Name, b["tc"].Shorthands = "xdp", []string{"-T"}
		}, "", "--backend xdp and -T ask for two backends"},
		{"by an option", func(_ *Request, b map[string]*Backend) {
			b["pcap"].Wants, b["pcap"].Options = []string{"--pcap-file"}, []string{"--pcap-file"}
		}, "pcap: chosen by --pcap-file", ""},
		{"by options of two", func(_ *Request, b map[string]*Backend) {
			b["cgroup"].Wants, b["pcap"].Wants = []string{"--cgroup-path"}, []string{"--pcap-file"}
		}, "", "--cgroup-path and --pcap-file ask for two backends"},
		{"another's option", func(r *Request, b map[string]*Backend) {
			r.Name, b["xdp"].Options = "tc", []string{"--xdp-mode", "--xdp-x"}
		}, "", "--xdp-mode is an option of backend xdp, but backend tc is chosen (--backend tc): name it with --backend xdp"},
		{"an interface, for what has none", func(r *Request, _ map[string]*Backend) {
			r.Name, r.Iface = "cgroup", "--netns"
		}, "", "backend cgroup (--backend cgroup) does not count on interfaces: --netns makes no sense"},
		{"an interface", func(r *Request, _ map[string]*Backend) { r.Iface = "--iface" }, "afpacket,tc", ""},
		{"a layer", func(r *Request, b map[string]*Backend) {
			r.Layer, b["tc"].Plugin.Layers = flow.LayerFrame, flow.LayerIP
		}, "afpacket,cgroup", ""},
		{"a layer that none sees", func(r *Request, b map[string]*Backend) {
			r.Layer = flow.LayerFrame
			for _, each := range b {
				each.Plugin.Layers = flow.LayerIP
			}
		}, "", "no backend of this build counts live traffic in both directions: name one with --backend"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r, named := request()
			tc.ask(r, named)
			c, err := r.Choose()
			if tc.err != "" {
				if !errors.Is(err, registry.ErrUsage) || !strings.HasSuffix(err.Error(), ": "+tc.err) {
					t.Errorf("error %v, want %q", err, tc.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var all []string
			for _, b := range c.Backends {
				all = append(all, b.Name)
			}
			got := strings.Join(all, ",")
			if c.reason != "" {
				got += ": " + c.reason
			}
			if got != tc.want || c.Auto != (len(all) > 1) {
				t.Errorf("%s, auto %t, want %s", got, c.Auto, tc.want)
			}
			if want := tc.want == "pcap: chosen by --pcap-file"; want != (c.Clock() == registry.ClockSource) || c.Has(registry.CapFile) != want {
				t.Errorf("clock %v", c.Clock())
			}
		})
	}
}

// TestPlan: Plan does not probe a named backend. For auto, it probes all, and logs what does not
// work.
func TestPlan(t *testing.T) {
	for _, tc := range []struct {
		name     string
		ask      func(*Request, map[string]*Backend)
		want     string // candidates
		rejected string // the debug message
		err      string
	}{
		{"named", func(r *Request, b map[string]*Backend) { r.Name, b["tc"].Config = "tc", fixed{machine: lacks} }, "tc", "", ""},
		{"auto", func(_ *Request, b map[string]*Backend) { b["cgroup"].Config = fixed{machine: lacks} },
			"tc,afpacket", "backend cgroup: not supported: old kernel", ""},
		{"auto, by interface", func(_ *Request, b map[string]*Backend) { b["tc"].Config = fixed{on: noNativeOn} },
			"cgroup,afpacket", "backend tc: not supported: eth1: taken", ""},
		{"an option of the best", func(_ *Request, b map[string]*Backend) { b["tc"].Options = []string{"--tc-attach"} }, "tc", "", ""},
		{"an option of another one", func(_ *Request, b map[string]*Backend) { b["xdp"].Options = []string{"--xdp-mode"} }, "", "",
			"--xdp-mode is an option of backend xdp, but backend tc is chosen (by --backend auto): name it with --backend xdp"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r, named := request()
			tc.ask(r, named)
			c, err := r.Choose()
			if err != nil {
				t.Fatal(err)
			}
			var rejected []string
			debugf := func(format string, args ...any) { rejected = append(rejected, fmt.Sprintf(format, args...)) }
			env := &registry.BackendEnv{Interfaces: []flow.Interface{{Index: 1, Name: "eth1"}}}
			pl, err := r.Plan(t.Context(), c, env, debugf)
			if tc.err != "" && (!errors.Is(err, registry.ErrUsage) || !strings.HasSuffix(err.Error(), ": "+tc.err)) || tc.err == "" && err != nil {
				t.Errorf("error %v, want %q", err, tc.err)
			}
			if got := names(pl.Candidates); got != tc.want || strings.Join(rejected, "; ") != tc.rejected {
				t.Errorf("%s, rejected %q; want %s, %q", got, rejected, tc.want, tc.rejected)
			}
		})
	}
}
