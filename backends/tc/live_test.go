package tc

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/count/packet"
	"github.com/pktstat/pktstat/internal/test/corpus"
	"github.com/pktstat/pktstat/internal/test/livetest"
	"github.com/pktstat/pktstat/internal/test/testenv"
	"github.com/pktstat/pktstat/internal/test/testnet"
	"github.com/pktstat/pktstat/plugintest/sourcetest"
	"github.com/pktstat/pktstat/registry"
)

var methods = []string{methodTCX, methodClsact}

// needsMethod skips the test where the kernel cannot attach so.
func needsMethod(t *testing.T, method string) {
	t.Helper()
	if method == methodTCX {
		testenv.Feature(t, "TCX", "6.6", haveTCX)
	}
}

func TestConformance(t *testing.T) {
	testenv.Privileged(t)
	for _, method := range methods {
		t.Run(method, func(t *testing.T) {
			needsMethod(t, method)
			a, b := testnet.Pair(t, testnet.Link{})
			missing := &testnet.Iface{Name: "none", Index: 1 << 20}
			var sent flow.Counters
			traffic := func(tb testing.TB) {
				sent = flow.Counters{}
				for _, v6 := range []bool{false, true} {
					sent.Add(testnet.SendUDP(tb, a, b, testnet.UDP{V6: v6, Payload: 100, Count: 500}).Counters)
					sent.Add(testnet.SendUDP(tb, b, a, testnet.UDP{V6: v6, Payload: 1, Count: 100, SrcPort: 5}).Counters)
				}
			}
			traffic(t) // what it comes to
			sourcetest.Run(t, sourcetest.Options{
				Backend: "tc",
				Setup:   func(testing.TB) sourcetest.Setup { return livetest.Setup(args(method), b) },
				Traffic: traffic,
				Want:    sent,
				Enter:   func(tb testing.TB, f func()) { inside(tb, b.Host, f) },
				Failures: []sourcetest.Failure{
					{Name: "no interface", Setup: sourcetest.Setup{}, Is: registry.ErrUsage},
					{Name: "missing interface", Setup: livetest.Setup(args(method), missing)},
					{Name: "the second interface is missing", Setup: livetest.Setup(args(method), b, missing)},
				},
			})
		})
	}
}

// TestLargeIndex: an interface number that is too large for the IPv4 slots.
func TestLargeIndex(t *testing.T) {
	testenv.Privileged(t)
	const large = 1<<20 + 3
	h := testnet.NewHost(t)
	veth := netlink.NewVeth(netlink.LinkAttrs{Name: "large", Index: large})
	veth.PeerName = "peer"
	if err := h.Netlink().LinkAdd(veth); err != nil {
		t.Fatal(err)
	}
	for _, n := range []string{"large", "peer"} {
		link, err := h.Netlink().LinkByName(n)
		if err == nil {
			err = h.Netlink().LinkSetUp(link)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	on := &testnet.Iface{Host: h, Name: "large", Index: large}
	s := livetest.Open(t, "tc", args(methodAuto), on)
	on.SendFrames(3, udp4(60), udp6(80))
	records := s.Records()
	for _, c := range []struct {
		family flow.Family
		want   flow.Counters
	}{
		{flow.FamilyIPv4, flow.Counters{Packets: 3, Bytes: 3 * 46, FrameBytes: 3 * 60}},
		{flow.FamilyIPv6, flow.Counters{Packets: 3, Bytes: 3 * 66, FrameBytes: 3 * 80}},
	} {
		var got flow.Counters
		for _, r := range records {
			if r.Key.Family == c.family && r.Key.Proto == flow.UDP && r.Key.Ifindex == large && r.Key.Dir == flow.Egress {
				got.Add(r.Counters)
			}
		}
		if got != c.want {
			t.Errorf("IPv%d: counted %+v, want %+v", c.family, got, c.want)
		}
	}
}

// TestReplay sends the Ethernet packets of the corpus over a link, and frames that a test run
// cannot take. Tags end up in the skb's metadata, and large frames outside of its linear part.
func TestReplay(t *testing.T) {
	testenv.Privileged(t)
	cases, err := corpus.Load()
	if err != nil {
		t.Fatal(err)
	}
	for _, method := range methods {
		t.Run(method, func(t *testing.T) {
			needsMethod(t, method)
			a, b := testnet.Pair(t, testnet.Link{MTU: 9100})
			in, out := livetest.Open(t, "tc", args(method), b), livetest.Open(t, "tc", args(method), a)
			sender, err := a.OpenSender()
			if err != nil {
				t.Fatal(err)
			}
			defer sender.Close()
			ran := 0
			want := map[flow.Packed]*expected{}
			for i := range cases {
				c := &cases[i]
				if !c.Whole() || c.LinkType != packet.LinkTypeEthernet || len(c.Data) < ethernetLen {
					continue
				}
				if err := sender.Send(c.Data); err != nil {
					t.Logf("%s: %v", c.Name, err)
					continue
				}
				ran++
				addExpected(want, c, flow.Egress, uint32(a.Index))
				if !droppedAsTag(c.Data) {
					addExpected(want, c, flow.Ingress, uint32(b.Index))
				}
			}
			if ran < 40 {
				t.Errorf("only %d packets were sent", ran)
			}
			b.Settle()
			for _, r := range append(in.Records(), out.Records()...) {
				w := want[r.Key]
				if w == nil {
					t.Errorf("counted, but not sent: %+v %+v", r.Key.Key(), r.Counters)
					continue
				}
				if r.Counters != w.Counters {
					t.Errorf("%v: %+v: counted %+v, want %+v", w.names, r.Key.Key(), r.Counters, w.Counters)
				}
				delete(want, r.Key)
			}
			for k, w := range want {
				t.Errorf("%v: %+v is not counted", w.names, k.Key())
			}
		})
	}
}

// expected is a flow of several packets of the corpus.
type expected struct {
	flow.Counters
	names []string
}

func addExpected(all map[flow.Packed]*expected, c *corpus.Case, dir flow.Direction, ifindex uint32) {
	k := c.Want.Key
	k.Dir, k.Ifindex = dir, ifindex
	if all[k] == nil {
		all[k] = &expected{}
	}
	all[k].Add(c.Want.Counters)
	all[k].names = append(all[k].names, c.Name)
}

// droppedAsTag reports whether the kernel drops a frame before tc sees it: it ends before the
// data that must follow a tag (skb_vlan_untag in net/core/skbuff.c).
func droppedAsTag(frame []byte) bool {
	t := binary.BigEndian.Uint16(frame[12:])
	return (t == 0x8100 || t == 0x88a8) && len(frame) < ethernetLen+4+2
}

// TestLoopback: a packet on lo passes egress and then ingress, and counts once.
func TestLoopback(t *testing.T) {
	testenv.Privileged(t)
	h := testnet.NewHost(t)
	lo := &testnet.Iface{Host: h, Name: "lo", Index: 1}
	s := livetest.Open(t, "tc", args(methodAuto), lo)
	const n = 7
	err := h.Do(func() error {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		for range n {
			if err := unix.Sendto(fd, make([]byte, 10), 0, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}, Port: 9}); err != nil && err != unix.ECONNREFUSED {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	var udp flow.Counters
	for _, r := range s.Records() {
		if r.Key.Dir != flow.Ingress {
			t.Errorf("%s on lo: %+v", r.Key.Dir, r.Key.Key())
		}
		if r.Key.Proto == flow.UDP {
			udp.Add(r.Counters)
		}
	}
	if want := (flow.Counters{Packets: n, Bytes: n * 38, FrameBytes: n * 52}); udp != want {
		t.Errorf("counted %+v, want %+v", udp, want)
	}
}

// TestTun counts on an interface without a link header, both ways.
func TestTun(t *testing.T) {
	testenv.Privileged(t)
	h := testnet.NewHost(t)
	tun := &netlink.Tuntap{
		LinkAttrs: netlink.LinkAttrs{Name: "tun0"}, Mode: netlink.TUNTAP_MODE_TUN,
		Flags: netlink.TUNTAP_NO_PI | netlink.TUNTAP_ONE_QUEUE, Queues: 1,
	}
	err := h.Do(func() error {
		if err := netlink.LinkAdd(tun); err != nil {
			return err
		}
		if err := netlink.AddrAdd(tun, &netlink.Addr{IPNet: netlink.NewIPNet([]byte{10, 9, 0, 1})}); err != nil {
			return err
		}
		return netlink.LinkSetUp(tun)
	})
	if err != nil {
		testenv.Missing(t, fmt.Sprintf("no tun device: %v", err))
	}
	defer tun.Fds[0].Close()
	link, err := h.Netlink().LinkByName("tun0")
	if err != nil {
		t.Fatal(err)
	}
	s := livetest.Open(t, "tc", args(methodAuto), &testnet.Iface{Host: h, Name: "tun0", Index: link.Attrs().Index})
	s.Discard()

	v4, v6 := udp4(60)[ethernetLen:], udp6(90)[ethernetLen:]
	for _, p := range [][]byte{v4, v4, v6} {
		if _, err := tun.Fds[0].Write(p); err != nil {
			t.Fatal(err)
		}
	}
	err = h.Do(func() error {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		if err := unix.BindToDevice(fd, "tun0"); err != nil {
			return err
		}
		return unix.Sendto(fd, make([]byte, 32), 0, &unix.SockaddrInet4{Addr: [4]byte{10, 9, 0, 2}, Port: 9})
	})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]flow.Counters{
		"ingress 4": {Packets: 2, Bytes: 92, FrameBytes: 92},
		"ingress 6": {Packets: 1, Bytes: 76, FrameBytes: 76},
		"egress 4":  {Packets: 1, Bytes: 60, FrameBytes: 60},
	}
	for _, r := range s.Records() {
		k := fmt.Sprint(r.Key.Dir, " ", r.Key.Family)
		if r.Key.Proto != flow.UDP {
			continue // the host's own multicast
		}
		if r.Counters != want[k] {
			t.Errorf("%s: %+v, want %+v", k, r.Counters, want[k])
		}
		delete(want, k)
	}
	if len(want) > 0 {
		t.Errorf("not counted: %+v", want)
	}
	if c := coverageOf(t, s, flow.Ingress); c.Packets != 3 || c.LinkPackets != 3 || c.FrameBytes != c.LinkBytes {
		t.Errorf("%+v", c)
	}
	if c := coverageOf(t, s, flow.Egress); c.LinkPackets != 0 || len(c.Reasons) != 1 || !strings.Contains(c.Reasons[0], "when a program reads it") {
		t.Errorf("%+v: no program has read from the device", c)
	}
}

func args(method string) []string { return []string{"-attach=" + method} }

func inside(tb testing.TB, h *testnet.Host, f func()) {
	tb.Helper()
	if err := h.Do(func() error { f(); return nil }); err != nil {
		tb.Fatal(err)
	}
}

func TestCPUComesOnline(t *testing.T) {
	livetest.CPUComesOnline(t, func(on *testnet.Iface) *livetest.Source {
		return livetest.Open(t, "tc", args(methodAuto), on)
	})
}
