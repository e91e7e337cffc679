package test

import (
	"maps"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/test/testenv"
	"github.com/pktstat/pktstat/internal/test/testnet"
)

// TestStacked: interfaces on top of each other show the same packets more than once. link_total has
// each once, and the probe reports the stack.
func TestStacked(t *testing.T) {
	testenv.Privileged(t)
	for _, c := range []struct {
		name  string
		ports int
		kind  string // type of interface that some kernels lack
		make  []string
		top   string // frames are sent to and from this one
		tag   []byte // in frames on the wire
		links map[string]string
	}{
		{
			name: "bridge", ports: 2, top: "br0",
			make:  []string{"link add br0 type bridge mcast_snooping 0", "link set p0 master br0", "link set p1 master br0", "link set br0 up"},
			links: map[string]string{"br0": "p0 p1", "p0": "", "p1": ""},
		}, {
			name: "macvlan", ports: 1, top: "mv",
			make:  []string{"link add mv link p0 type macvlan mode bridge", "link set mv up"},
			links: map[string]string{"mv": "p0", "p0": ""},
		}, {
			name: "bond", ports: 2, kind: "bond", top: "bond",
			make: []string{"link add bond type bond mode active-backup", "link set p0 down", "link set p1 down",
				"link set p0 master bond", "link set p1 master bond", "link set bond up"},
			links: map[string]string{"bond": "p0 p1", "p0": "", "p1": ""},
		}, {
			name: "vlan", ports: 1, kind: "vlan", top: "child", tag: []byte{0x81, 0, 0, 7},
			make:  []string{"link add child link p0 type vlan id 7", "link set child up"},
			links: map[string]string{"child": "p0", "p0": ""},
		}, {
			name: "bridge on a vlan on a bond", ports: 1, kind: "bond", top: "br0", tag: []byte{0x81, 0, 0, 7},
			make: []string{"link add bond type bond mode active-backup", "link set p0 down", "link set p0 master bond", "link set bond up",
				"link add child link bond type vlan id 7", "link set child up", "link add br0 type bridge mcast_snooping 0", "link set child master br0", "link set br0 up"},
			links: map[string]string{"br0": "child", "child": "bond", "bond": "p0", "p0": ""},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRouter(t, c.ports)
			if c.kind != "" {
				testenv.Feature(t, "interfaces of type "+c.kind, "2.6", func() error { return r.try("link add try" + typeArgs(c.kind)) })
				r.ip("link del try")
			}
			r.ip(c.make...)
			top := r.iface(c.top)
			for _, backend := range []string{"tc", "afpacket"} {
				p := start(t, nil, "--netns", r.NetNS(), "-b", backend, "-i", "any", "-i", "!lo", "-t", "0", "-j")
				p.counting()
				const in, out = 30, 20
				before := top.Stats().RxPackets
				far := r.remote[0]
				far.SendFrames(in, tagged(far.Ethernet(top.MAC, 0x88b5, make([]byte, 46)), c.tag))
				received(t, top, before+in)
				top.SendFrames(out, top.Ethernet(far.MAC, 0x88b5, make([]byte, 46)))
				p.signal(syscall.SIGTERM)
				if code := p.wait(); code != 0 {
					t.Fatalf("exit code %d:\n%s", code, p.errors())
				}
				length := uint64(60 + len(c.tag))
				load := flow.Counters{Packets: in + out, FrameBytes: (in + out) * length}
				got := parseReport(t, []byte(p.stdout.String()))
				if got.LinkTotal == nil || got.LinkTotal.flow() != load {
					t.Errorf("%s: link total %+v, sent %+v", backend, got.LinkTotal, load)
				}
				checkStack(t, got.stacked(), c.links)
				for _, l := range got.Links {
					want := load.Packets
					if l.Iface == "p1" {
						want = 0
					}
					if l.Packets != want {
						t.Errorf("%s: %s has %d packets, want %d", backend, l.Iface, l.Packets, want)
					}
				}
			}
			probed := probe(t, nil, exec.CommandContext(t.Context(), pktstat(t), "probe", "--json", "--netns", r.NetNS()))
			stack := map[string]string{}
			for name := range c.links {
				stack[name] = ""
			}
			for _, s := range probed.Stacked {
				stack[s.Iface] = strings.Join(s.On, " ")
			}
			checkStack(t, stack, c.links)
		})
	}
}

// TestStackedForwarding: packets that a bridge forwards count on both ports.
func TestStackedForwarding(t *testing.T) {
	testenv.Privileged(t)
	r := newRouter(t, 2)
	r.ip("link add br0 type bridge mcast_snooping 0", "link set p0 master br0", "link set p1 master br0", "link set br0 up")
	r.iface("br0")
	p := start(t, nil, "--netns", r.NetNS(), "-b", "tc", "-i", "any", "-i", "!lo", "-t", "0", "-j")
	p.counting()
	const forwarded = 50
	from, to := r.remote[0], r.remote[1]
	before := to.Stats().RxPackets
	from.SendFrames(forwarded, from.Ethernet(to.MAC, 0x88b5, make([]byte, 46)))
	received(t, to, before+forwarded)
	p.signal(syscall.SIGTERM)
	if code := p.wait(); code != 0 {
		t.Fatalf("exit code %d:\n%s", code, p.errors())
	}
	got := parseReport(t, []byte(p.stdout.String()))
	if got.Total.Packets != 2*forwarded || got.LinkTotal == nil || got.LinkTotal.Packets != 2*forwarded {
		t.Errorf("total %+v, link total %+v", got.Total, got.LinkTotal)
	}
	for _, l := range got.Links {
		if want := map[string]uint64{"p0": forwarded, "p1": forwarded}[l.Iface]; l.Packets != want {
			t.Errorf("%s has %d packets, want %d", l.Iface, l.Packets, want)
		}
	}
}

// TestStackedPeers: what enters one end of a veth pair leaves at the other. If only one end is
// counted, its packets are not omitted.
func TestStackedPeers(t *testing.T) {
	testenv.Privileged(t)
	r := newRouter(t, 0)
	r.ip("link add x type veth peer name y", "link set x up", "link set y up")
	x, y := r.iface("x"), r.iface("y")
	for _, only := range []bool{false, true} {
		args := []string{"--netns", r.NetNS(), "-b", "tc", "-i", "y", "-t", "0", "-j"}
		if !only {
			args = append(args, "-i", "x")
		}
		p := start(t, nil, args...)
		p.counting()
		sent := x.Stats().RxPackets
		x.SendFrames(5, x.Ethernet(testnet.UnusedMAC, 0x88b5, make([]byte, 46)))
		y.SendFrames(4, y.Ethernet(testnet.UnusedMAC, 0x88b5, make([]byte, 46)))
		received(t, x, sent+4)
		received(t, y, sent+5)
		p.signal(syscall.SIGTERM)
		if code := p.wait(); code != 0 {
			t.Fatalf("exit code %d:\n%s", code, p.errors())
		}
		got := parseReport(t, []byte(p.stdout.String()))
		if only {
			if got.Total.Packets != 9 || got.Links != nil || got.LinkTotal != nil {
				t.Errorf("%+v", got)
			}
			continue
		}
		if got.Total.Packets != 18 || got.LinkTotal == nil || got.LinkTotal.Packets != 9 {
			t.Errorf("total %+v, link total %+v", got.Total, got.LinkTotal)
		}
		stack := got.stacked() // the newer end is the upper one
		if stack["x"]+stack["y"] != "x" && stack["x"]+stack["y"] != "y" {
			t.Errorf("%v", stack)
		}
	}
}

// TestStackedForAWhile: a bridge counts alone while it has no port. Packets that its ports have
// also counted stay omitted after the ports are gone.
func TestStackedForAWhile(t *testing.T) {
	testenv.Privileged(t)
	r := newRouter(t, 1)
	r.ip("link add br0 type bridge mcast_snooping 0", "link set br0 up", "link set p0 master br0")
	br := r.iface("br0")
	p := start(t, nil, "--netns", r.NetNS(), "-b", "tc", "-i", "any", "-i", "!lo", "-t", "0", "-j")
	p.counting()
	far := r.remote[0]
	far.SendFrames(7, far.Ethernet(br.MAC, 0x88b5, make([]byte, 46)))
	received(t, br, 7)
	r.ip("link del p0")
	p.expect("interface p0 has gone")
	p.signal(syscall.SIGTERM)
	if code := p.wait(); code != 0 {
		t.Fatalf("exit code %d:\n%s", code, p.errors())
	}
	got := parseReport(t, []byte(p.stdout.String()))
	if got.Total.Packets != 14 || got.LinkTotal.Packets != 7 || got.stacked()["br0"] != "p0" {
		t.Errorf("total %+v, link total %+v, %v", got.Total, got.LinkTotal, got.stacked())
	}
}

func typeArgs(kind string) string {
	if kind == "vlan" {
		return " link p0 type vlan id 5"
	}
	return " type " + kind
}

// tagged inserts a tag after the addresses of a frame.
func tagged(frame, tag []byte) []byte { return slices.Concat(frame[:12], tag, frame[12:]) }

func checkStack(t *testing.T, got, want map[string]string) {
	t.Helper()
	if !maps.Equal(got, want) {
		t.Errorf("stacked %q, want %q", got, want)
	}
}
