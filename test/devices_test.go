package test

import (
	"errors"
	"net/netip"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/test/testenv"
	"github.com/pktstat/pktstat/internal/test/testnet"
)

// vrfRouter returns a router with p0 in the VRF red, and a neighbour at p0.
func vrfRouter(t *testing.T) (r *router, near, far *testnet.Iface) {
	t.Helper()
	r = newRouter(t, 1)
	testenv.Feature(t, "interfaces of type vrf", "4.3", func() error { return r.try("link add red type vrf table 10") })
	r.ip("link set red up", "link set p0 master red", "addr add 10.1.0.1/24 dev p0")
	other := &router{Host: r.remote[0].Host, t: t}
	other.ip("addr add 10.1.0.2/24 dev eth0")
	near, far = r.iface("p0"), other.iface("eth0")
	near.IPv4, far.IPv4 = netip.AddrFrom4([4]byte{10, 1, 0, 1}), netip.AddrFrom4([4]byte{10, 1, 0, 2})
	return r, near, far
}

// TestLinkTypeVRF: packets of a VRF do not pass tc and XDP. If the user asks for these backends,
// they explain what to use. auto and the probe choose packet sockets, which also see the direction.
func TestLinkTypeVRF(t *testing.T) {
	testenv.Privileged(t)
	r, near, far := vrfRouter(t)
	for _, c := range []struct{ backend, point string }{{"tc", "tc"}, {"xdp", "XDP"}} {
		p := start(t, nil, "--netns", r.NetNS(), "-b", c.backend, "-i", "red", "-t", "1ms")
		code, said := p.wait(), p.errors()
		want := "interface red: the traffic of a VRF does not pass " + c.point + ": name its members (p0) or use --backend afpacket\n"
		if code != 3 || !strings.HasSuffix(said, want) || strings.Count(said, "\n") != 1 {
			t.Errorf("%s: exit code %d, %s", c.backend, code, said)
		}
	}
	probed := probe(t, nil, exec.CommandContext(t.Context(), pktstat(t), "probe", "--json", "--netns", r.NetNS(), "-i", "red"))
	passes := map[string]string{}
	for _, b := range probed.Backends {
		for _, i := range b.Interfaces {
			passes[b.Name] = i.Name + " " + i.Checks[0].Name + " " + i.Checks[0].Verdict
		}
	}
	if probed.Auto.Backend != "afpacket" || passes["tc"] != "red its packets pass no" ||
		passes["xdp"] != "red its packets pass no" || passes["afpacket"] != "red its packets pass supported" {
		t.Errorf("auto %+v, %q", probed.Auto, passes)
	}

	for _, spec := range []string{"red", "re*"} {
		p := start(t, nil, "--netns", r.NetNS(), "-i", spec, "-t", "0", "-j")
		p.counting()
		in, out := testnet.SendPing(t, far, near, testnet.Ping{Payload: 100, Count: 5})
		p.signal(syscall.SIGINT)
		got := finalOf(t, p)
		in.Key.Dir, out.Key.Dir = flow.Ingress, flow.Egress
		checkFlows(t, got.byPassage(), []testnet.Flow{in, out})
		if got.Backend != "afpacket" {
			t.Errorf("-i %s: auto takes %s", spec, got.Backend)
		}
	}
}

// TestLinkTypeVRFWithin: with any, traffic through a VRF counts on its members. Traffic inside the
// VRF counts once, on the VRF, as on lo.
func TestLinkTypeVRFWithin(t *testing.T) {
	testenv.Privileged(t)
	r, near, far := vrfRouter(t)
	red := r.iface("red")
	red.IPv4 = netip.AddrFrom4([4]byte{10, 1, 0, 3})
	r.ip("addr add " + red.IPv4.String() + "/32 dev red")
	for _, backend := range []string{"tc", "afpacket"} {
		p := start(t, nil, "--netns", r.NetNS(), "-b", backend, "-i", "any", "-t", "0", "-j")
		p.counting()
		in, out := testnet.SendPing(t, far, near, testnet.Ping{Count: 4})
		sendWithin(t, red, 3)
		p.signal(syscall.SIGINT)
		got := finalOf(t, p)
		if backend == "tc" && !strings.Contains(p.errors(), "the traffic of a VRF does not pass tc: its members are counted") {
			t.Errorf("%s", p.errors())
		}
		at := map[string]uint64{}
		for _, f := range got.Flows {
			if f.Proto == "UDP" || f.Proto == "ICMP" {
				at[f.Iface+" "+f.Proto+" "+f.Direction] += f.Packets
			}
		}
		if at["p0 ICMP ingress"] != in.Packets || at["p0 ICMP egress"] != out.Packets || at["red UDP ingress"] != 3 || at["red UDP egress"] != 0 {
			t.Errorf("%s: %v", backend, at)
		}
		if link := got.LinkTotal; link == nil || link.Packets >= got.Total.Packets {
			t.Errorf("%s: link total %+v of %+v", backend, link, got.Total)
		}
	}
}

// sendWithin sends datagrams from an address of a VRF to the same address. No socket receives them.
func sendWithin(t *testing.T, vrf *testnet.Iface, n int) {
	t.Helper()
	err := vrf.Do(func() error {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		defer func() { _ = unix.Close(fd) }()
		if err := unix.BindToDevice(fd, vrf.Name); err != nil {
			return err
		}
		for range n {
			err := unix.Sendto(fd, make([]byte, 50), 0, &unix.SockaddrInet4{Port: 9, Addr: vrf.IPv4.As4()})
			if err != nil && !errors.Is(err, unix.ECONNREFUSED) {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestLinkTypeVRFQueued: with a qdisc, packets that leave a VRF have another header.
func TestLinkTypeVRFQueued(t *testing.T) {
	testenv.Privileged(t)
	r, near, far := vrfRouter(t)
	r.tc("qdisc add dev red root pfifo")
	p := start(t, nil, "--netns", r.NetNS(), "-i", "red", "-t", "0", "-j")
	p.counting()
	in, out := testnet.SendPing(t, far, near, testnet.Ping{Payload: 100, Count: 5})
	p.signal(syscall.SIGINT)
	in.Key.Dir, out.Key.Dir = flow.Ingress, flow.Egress
	checkFlows(t, finalOf(t, p).byPassage(), []testnet.Flow{in, out})
}

// TestLinkTypeL3S: packets that arrive on an ipvlan interface in mode l3s pass no hook. A note
// reports that. XDP, which sees only arriving packets, refuses the interface.
func TestLinkTypeL3S(t *testing.T) {
	testenv.Privileged(t)
	r, inner := newRouter(t, 1), quietHost(t)
	testenv.Feature(t, "ipvlan in mode l3s", "4.9", func() error { return r.try("link add x link p0 type ipvlan mode l3s") })
	r.ip("addr add 10.1.0.254/24 dev p0", "link set x netns "+inner.NetNS())
	inner.ip("link set x up", "addr add 10.1.0.1/24 dev x")
	other := &router{Host: r.remote[0].Host, t: t}
	other.ip("addr add 10.1.0.2/24 dev eth0", "neigh add 10.1.0.1 lladdr "+r.iface("p0").MAC.String()+" dev eth0 nud permanent")
	near, far := inner.iface("x"), other.iface("eth0")
	near.IPv4, far.IPv4 = netip.AddrFrom4([4]byte{10, 1, 0, 1}), netip.AddrFrom4([4]byte{10, 1, 0, 2})
	for _, backend := range []string{"tc", "afpacket"} {
		p := start(t, nil, "--netns", inner.NetNS(), "-b", backend, "-i", "x", "-t", "0", "-j")
		p.counting()
		in, out := testnet.SendPing(t, far, near, testnet.Ping{Payload: 100, Count: 5})
		p.signal(syscall.SIGINT)
		got := finalOf(t, p).byPassage()
		in.Key.Dir, out.Key.Dir = flow.Ingress, flow.Egress
		checkFlows(t, got, []testnet.Flow{out})
		if c, ok := got[passageOf(&in.Key)]; ok {
			t.Errorf("%s: arriving packets are counted although the note denies it: %+v", backend, c)
		}
		if !strings.Contains(p.errors(), "x: incoming packets of an ipvlan interface in mode l3s do not pass") {
			t.Errorf("%s: %s", backend, p.errors())
		}
	}
	p := start(t, nil, "--netns", inner.NetNS(), "-b", "xdp", "-i", "x", "-t", "1ms")
	if code := p.wait(); code != 3 || !strings.HasSuffix(p.errors(), "do not pass XDP: use --backend afpacket or --backend tc\n") {
		t.Errorf("exit code %d, %s", code, p.errors())
	}
}

// TestStackedIfb: an ifb shows redirected packets a second time.
func TestStackedIfb(t *testing.T) {
	testenv.Privileged(t)
	r := newRouter(t, 1)
	testenv.Feature(t, "interfaces of type ifb", "2.6", func() error { return r.try("link add ifb0 type ifb") })
	r.ip("link set ifb0 up")
	ifb, far := r.iface("ifb0"), r.remote[0]
	r.tc("qdisc add dev p0 clsact")
	r.tc("filter add dev p0 ingress protocol all prio 9 u32 match u32 0 0 action mirred egress redirect dev ifb0")
	for _, only := range []bool{false, true} {
		args := []string{"--netns", r.NetNS(), "-b", "tc", "-i", "ifb0", "-t", "0", "-j"}
		if !only {
			args = append(args, "-i", "p0")
		}
		p := start(t, nil, args...)
		p.counting()
		before := ifb.Stats().TxPackets
		far.SendFrames(6, far.Ethernet(r.iface("p0").MAC, 0x88b5, make([]byte, 46)))
		eventually(t, "ifb0 has not handed on 6 packets", func() (bool, error) { return ifb.Stats().TxPackets >= before+6, nil })
		p.signal(syscall.SIGTERM)
		got := finalOf(t, p)
		if only {
			if got.Links != nil || got.Total.Packets != 6 {
				t.Errorf("%+v", got)
			}
			continue
		}
		checkStack(t, got.stacked(), map[string]string{"ifb0": "p0", "p0": ""})
		if got.LinkTotal == nil || got.LinkTotal.Packets != 6 || got.Total.Packets != 12 {
			t.Errorf("total %+v, link total %+v", got.Total, got.LinkTotal)
		}
	}
}

// tc runs tc(8).
func (r *router) tc(args string) {
	r.t.Helper()
	if err := r.Run(r.Command(testenv.Tool(r.t, "tc", "iproute2"), strings.Fields(args)...)); err != nil {
		r.t.Fatalf("tc %s: %v", args, err)
	}
}
