package tc

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"
	"github.com/vishvananda/netlink"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/test/livetest"
	"github.com/pktstat/pktstat/internal/test/testenv"
	"github.com/pktstat/pktstat/internal/test/testnet"
)

// TestCoverage: tc counts what the interface counts, in both directions.
func TestCoverage(t *testing.T) {
	for _, method := range []string{methodTCX, methodClsact} {
		t.Run(method, func(t *testing.T) {
			needsMethod(t, method)
			livetest.Coverage(t, "tc", args(method), flow.Ingress, flow.Egress)
		})
	}
}

// coverageOf returns the coverage of a direction.
func coverageOf(t *testing.T, s *livetest.Source, dir flow.Direction) flow.Coverage {
	t.Helper()
	for _, c := range s.Coverage() {
		if c.Dir == dir {
			return c
		}
	}
	t.Fatalf("no coverage of %v: %+v", dir, s.Coverage())
	return flow.Coverage{}
}

// TestDroppedByXDP: an XDP program drops packets before tc. The interface has counted them.
func TestDroppedByXDP(t *testing.T) {
	testenv.Privileged(t)
	a, b := testnet.Pair(t, testnet.Link{})
	s := livetest.Open(t, "tc", args(methodAuto), b)
	s.Discard()
	frame := a.Ethernet(b.MAC, 0x88cc, make([]byte, 100))
	a.SendFrames(50, frame)
	b.Settle()
	attachXDP(t, b, 1) // XDP_DROP
	a.SendFrames(30, frame)
	b.Settle()
	s.Discard()
	c := coverageOf(t, s, flow.Ingress)
	if c.Packets != 50 || c.LinkPackets != 80 || c.Percent() != 62.5 {
		t.Errorf("%+v", c)
	}
	if len(c.Reasons) != 1 || !strings.HasPrefix(c.Reasons[0], "an XDP program sees packets first") {
		t.Errorf("reasons %q", c.Reasons)
	}
}

// attachXDP attaches a program that returns a verdict to an interface, until the end of the test.
func attachXDP(t *testing.T, on *testnet.Iface, verdict int32) {
	t.Helper()
	prog, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Type: ebpf.XDP, License: "MIT", Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, verdict), asm.Return()},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = prog.Close() })
	inside(t, on.Host, func() {
		l, err := link.AttachXDP(link.XDPOptions{Program: prog, Interface: on.Index, Flags: link.XDPDriverMode})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = l.Close() })
	})
}

// TestDroppedByQueue: a queueing discipline drops packets after tc. The interface has not counted
// them.
func TestDroppedByQueue(t *testing.T) {
	testenv.Privileged(t)
	a, b := testnet.Pair(t, testnet.Link{})
	s := livetest.Open(t, "tc", args(methodAuto), b)
	s.Discard()
	testnet.SendUDP(t, b, a, testnet.UDP{Payload: 100, Count: 20})
	inside(t, b.Host, func() {
		must(t, netlink.QdiscAdd(&netlink.GenericQdisc{
			QdiscAttrs: netlink.QdiscAttrs{LinkIndex: b.Index, Parent: netlink.HANDLE_ROOT}, QdiscType: "blackhole",
		}))
		conn, err := net.DialUDP("udp", nil, &net.UDPAddr{IP: a.IPv4.AsSlice(), Port: 9})
		must(t, err)
		defer conn.Close()
		for range 30 {
			_, err := conn.Write(make([]byte, 100))
			must(t, err)
		}
	})
	b.Settle()
	s.Discard()
	c := coverageOf(t, s, flow.Egress)
	if c.Packets != 50 || c.LinkPackets != 20 || c.Percent() != 250 {
		t.Errorf("%+v", c)
	}
	if want := "the queue (qdisc) dropped 30 packets after the hook"; len(c.Reasons) != 1 || c.Reasons[0] != want {
		t.Errorf("reasons %q, want %q", c.Reasons, want)
	}
}

// TestQueued: packets wait in a queue behind tc. The interface counts them when it sends them.
func TestQueued(t *testing.T) {
	testenv.Privileged(t)
	for _, c := range []struct {
		rate   string
		waits  bool
		reason string
	}{{rate: "8mbit"}, {rate: "8kbit", waits: true, reason: "wait in the queue (qdisc)"}} {
		a, b := testnet.Pair(t, testnet.Link{})
		s := livetest.Open(t, "tc", args(methodAuto), b)
		shape(t, b, c.rate)
		s.Discard()
		inside(t, b.Host, func() {
			conn, err := net.ListenPacket("udp4", ":0")
			must(t, err)
			defer conn.Close()
			for range 40 {
				_, err := conn.WriteTo(make([]byte, 100), &net.UDPAddr{IP: a.IPv4.AsSlice(), Port: 9})
				must(t, err)
			}
		})
		s.Discard()
		got := coverageOf(t, s, flow.Egress)
		if got.Packets != 40 || (got.LinkPackets < 40) != c.waits {
			t.Errorf("%s: %+v", c.rate, got)
		}
		if c.waits && (len(got.Reasons) != 1 || !strings.HasSuffix(got.Reasons[0], c.reason)) {
			t.Errorf("reasons %q", got.Reasons)
		}
	}
}

// shape limits what an interface sends.
func shape(t *testing.T, on *testnet.Iface, rate string) {
	t.Helper()
	cmd := on.Command(testenv.Tool(t, "tc", "iproute2"), "qdisc", "add", "dev", on.Name, "root", "tbf", "rate", rate, "burst", "1600", "limit", "100000")
	out := &strings.Builder{}
	cmd.Stdout, cmd.Stderr = out, out
	if err := on.Run(cmd); err != nil {
		testenv.Missing(t, "no sch_tbf: "+out.String())
	}
}

// TestMixedSegmentation: the kernel segments UDP behind tc, and hands super-frames of TCP to the
// driver. The interface counts segments and super-frames.
func TestMixedSegmentation(t *testing.T) {
	testenv.Privileged(t)
	a, b := testnet.Pair(t, testnet.Link{Offloads: true})
	ethtool(t, b, "tx-tcp6-segmentation", "off")
	s := livetest.Open(t, "tc", args(methodAuto), b)
	s.Discard()
	for _, v6 := range []bool{false, true} {
		testnet.SendTCP(t, b, a, testnet.TCP{V6: v6, Request: 5 << 20})
	}
	b.Settle()
	s.Discard()
	if c := coverageOf(t, s, flow.Egress); c.Packets != c.LinkPackets || !c.Segments {
		t.Errorf("%+v", c)
	}
}

// TestMergedOnArrival: the interface counts frames, and GRO merges them before tc.
func TestMergedOnArrival(t *testing.T) {
	testenv.Privileged(t)
	a, b := testnet.Pair(t, testnet.Link{})
	ethtool(t, b, "gro", "on")
	s := livetest.Open(t, "tc", args(methodAuto), b)
	s.Discard()
	testnet.SendTCP(t, a, b, testnet.TCP{Request: 10 << 20})
	b.Settle()
	s.Discard()
	c := coverageOf(t, s, flow.Ingress)
	if c.Packets < 5000 || c.Packets != c.LinkPackets {
		t.Errorf("%+v", c)
	}
	testenv.Feature(t, "GRO of veth without XDP", "5.13", func() error {
		if !c.Segments {
			return errors.New("no packets were merged")
		}
		return nil
	})
}

// TestCoverageOfOthers: the counters of other kinds of interfaces are understood.
func TestCoverageOfOthers(t *testing.T) {
	testenv.Privileged(t)
	t.Run("bridge", func(t *testing.T) {
		a, b := testnet.Pair(t, testnet.Link{})
		bridge := &netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: "br0"}}
		must(t, b.Netlink().LinkAdd(bridge))
		port, err := b.Netlink().LinkByName(b.Name)
		must(t, err)
		must(t, b.Netlink().LinkSetMaster(port, bridge))
		must(t, b.Netlink().LinkSetUp(bridge))
		on := &testnet.Iface{Host: b.Host, Name: "br0", Index: bridge.Index}
		s := livetest.Open(t, "tc", args(methodAuto), on)
		s.Discard()
		a.SendFrames(40, a.Ethernet(net.HardwareAddr{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, 0x88cc, make([]byte, 100)))
		b.Settle()
		s.Discard()
		c := coverageOf(t, s, flow.Ingress)
		if c.Packets < 40 || c.Packets != c.LinkPackets || c.FrameBytes <= c.LinkBytes {
			t.Errorf("%+v", c)
		}
		if len(c.ByteReasons) != 1 || !strings.Contains(c.ByteReasons[0], "without their link header") {
			t.Errorf("reasons %q", c.ByteReasons)
		}
	})
	t.Run("lo", func(t *testing.T) {
		h := testnet.NewHost(t)
		lo, err := h.Netlink().LinkByName("lo")
		must(t, err)
		must(t, h.Netlink().LinkSetUp(lo))
		s := livetest.Open(t, "tc", args(methodAuto), &testnet.Iface{Host: h, Name: "lo", Index: lo.Attrs().Index})
		s.Discard()
		inside(t, h, func() {
			conn, err := net.ListenPacket("udp", "127.0.0.1:0")
			must(t, err)
			defer conn.Close()
			for range 25 {
				_, err := conn.WriteTo(make([]byte, 10), conn.LocalAddr())
				must(t, err)
				_, _, err = conn.ReadFrom(make([]byte, 10))
				must(t, err)
			}
		})
		s.Discard()
		all := s.Coverage()
		if len(all) != 1 || all[0].Dir != flow.Ingress || all[0].Packets < 25 || all[0].Packets != all[0].LinkPackets {
			t.Errorf("%s", fmt.Sprint(all))
		}
		if len(all[0].ByteReasons) == 0 && all[0].FrameBytes != all[0].LinkBytes {
			t.Errorf("bytes of %+v", all[0])
		}
	})
}
