package xdp

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"
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

var modes = []string{modeNative, modeGeneric}

func args(mode string) []string { return []string{"-mode=" + mode} }

func TestConformance(t *testing.T) {
	testenv.Privileged(t)
	for _, mode := range modes {
		t.Run(mode, func(t *testing.T) {
			a, b := testnet.Pair(t, testnet.Link{})
			missing := &testnet.Iface{Name: "none", Index: 1 << 20}
			traffic := func(tb testing.TB) (sent flow.Counters) {
				for _, v6 := range []bool{false, true} {
					sent.Add(testnet.SendUDP(tb, a, b, testnet.UDP{V6: v6, Payload: 100, Count: 500}).Counters)
					testnet.SendUDP(tb, b, a, testnet.UDP{V6: v6, Payload: 1, Count: 100, SrcPort: 5}) // not seen
				}
				return sent
			}
			sourcetest.Run(t, sourcetest.Options{
				Backend: "xdp",
				Setup:   func(testing.TB) sourcetest.Setup { return livetest.Setup(args(mode), b) },
				Traffic: func(tb testing.TB) { traffic(tb) },
				Want:    traffic(t),
				Enter: func(tb testing.TB, f func()) {
					if err := b.Do(func() error { f(); return nil }); err != nil {
						tb.Error(err)
					}
				},
				Failures: []sourcetest.Failure{
					{Name: "no interface", Setup: sourcetest.Setup{Args: args(mode)}, Is: registry.ErrUsage},
					{Name: "missing interface", Setup: livetest.Setup(args(mode), missing)},
					{Name: "the second interface is missing", Setup: livetest.Setup(args(mode), b, missing)},
					{Name: "offload", Setup: livetest.Setup(args(modeOffload), b), Is: registry.ErrUnsupported},
					{Name: "native on lo", Setup: livetest.Setup(args(modeNative), loopback(b.Host)), Is: registry.ErrUnsupported},
				},
			})
		})
	}
}

func loopback(h *testnet.Host) *testnet.Iface { return &testnet.Iface{Host: h, Name: "lo", Index: 1} }

// TestReplay sends the Ethernet packets of the corpus over a link.
func TestReplay(t *testing.T) {
	testenv.Privileged(t)
	cases, err := corpus.Load()
	if err != nil {
		t.Fatal(err)
	}
	for _, mode := range modes {
		t.Run(mode, func(t *testing.T) {
			a, b := testnet.Pair(t, testnet.Link{MTU: replayMTU(mode)})
			s := livetest.Open(t, "xdp", args(mode), b)
			sender, err := a.OpenSender()
			if err != nil {
				t.Fatal(err)
			}
			defer sender.Close()
			ran, large := 0, 0
			want := map[flow.Packed]flow.Counters{}
			names := map[flow.Packed][]string{}
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
				if len(c.Data) > os.Getpagesize() {
					large++
				}
				k := c.Want.Key
				k.Dir, k.Ifindex = flow.Ingress, uint32(b.Index)
				sum := want[k]
				sum.Add(c.Want.Counters)
				want[k], names[k] = sum, append(names[k], c.Name)
			}
			if ran < 40 || large == 0 && haveFrags() == nil {
				t.Errorf("only %d packets were sent, %d of them larger than a page", ran, large)
			}
			b.Settle()
			for _, r := range s.Records() {
				if w := want[r.Key]; r.Counters != w {
					t.Errorf("%v: %+v: counted %+v, sent %+v", names[r.Key], r.Key.Key(), r.Counters, w)
				}
				delete(want, r.Key)
			}
			for k := range want {
				t.Errorf("%v: %+v is not counted", names[k], k.Key())
			}
		})
	}
}

// replayMTU is a jumbo MTU if XDP takes it: always in generic mode, and in the driver with
// packets in several parts.
func replayMTU(mode string) int {
	if mode == modeGeneric || haveFrags() == nil {
		return 9100
	}
	return linearMTU()
}

// TestTCP compares the counts of connections with the packets that cross the link: the driver
// merges nothing, with any offloads.
func TestTCP(t *testing.T) {
	testenv.Privileged(t)
	for _, c := range []struct {
		mode     string
		offloads bool
	}{{modeNative, true}, {modeNative, false}, {modeGeneric, false}} {
		for _, v6 := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/offloads=%v/v6=%v", c.mode, c.offloads, v6), func(t *testing.T) {
				a, b := testnet.Pair(t, testnet.Link{Offloads: c.offloads})
				s := livetest.Open(t, "xdp", args(c.mode), b)
				before := b.Settle()
				there, _ := testnet.SendTCP(t, a, b, testnet.TCP{V6: v6, Request: 10 << 20, Reply: 1 << 20})
				wire := b.Settle().Minus(before)
				records := s.Records()
				got := livetest.Sum(records, there)
				frames := wire.RxBytes
				if c.mode == modeNative {
					frames += wire.RxPackets * ethernetLen // veth_xdp_rcv_skb counts without the header
				}
				if got.Packets != wire.RxPackets || got.FrameBytes != frames || got.Packets < 10<<20/1500 {
					t.Errorf("counted %+v, received %+v", got, wire)
				}
				if all := livetest.Sum(records, flow.Key{}); all != got {
					t.Errorf("other flows: all are %+v, the connection's way there %+v", all, got)
				}
			})
		}
	}
}

// TestSuperFrames: in generic mode, one frame may be several packets on the wire. XDP does not
// know their number, which the report notes; it knows their length.
func TestSuperFrames(t *testing.T) {
	testenv.Privileged(t)
	a, b := testnet.Pair(t, testnet.Link{Offloads: true})
	s := livetest.Open(t, "xdp", args(modeGeneric), b)
	before := b.Settle()
	there, _ := testnet.SendTCP(t, a, b, testnet.TCP{Request: 10 << 20})
	wire := b.Settle().Minus(before)
	if got := livetest.Sum(s.Records(), there); got.Packets != wire.RxPackets || got.FrameBytes != wire.RxBytes {
		t.Errorf("counted %+v, received %+v", got, wire)
	}
	if wire.RxPackets > 10<<20/1500 {
		t.Errorf("%d packets: nothing was merged, so this test says nothing", wire.RxPackets)
	}
	if a := s.Attachment(); !a.PacketsInexact || !slices.Contains(a.Notes, noteMerged) {
		t.Errorf("the report does not say that packets are inexact: %+v", a)
	}
}

// TestLoopback: auto takes the mode that works, and a packet on lo counts once.
func TestLoopback(t *testing.T) {
	testenv.Privileged(t)
	h := testnet.NewHost(t)
	s := livetest.Open(t, "xdp", args(modeAuto), loopback(h))
	if m := s.Attachment().Method; m != modeGeneric {
		t.Errorf("auto attaches to lo by %s", m)
	}
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
		if r.Key.Proto == flow.UDP {
			udp.Add(r.Counters)
		}
	}
	if want := (flow.Counters{Packets: n, Bytes: n * 38, FrameBytes: n * 52}); udp != want {
		t.Errorf("counted %+v, want %+v", udp, want)
	}
}

// TestTun counts on interfaces whose packets come from a program. Those without a link header
// have no native XDP, those with one have it.
func TestTun(t *testing.T) {
	testenv.Privileged(t)
	v4 := udp4(60)
	v6 := udp6(94)
	for _, c := range []struct {
		kind     netlink.TuntapMode
		header   int
		mode     string
		attached string
	}{
		{netlink.TUNTAP_MODE_TUN, 0, modeAuto, modeGeneric},
		{netlink.TUNTAP_MODE_TAP, ethernetLen, modeAuto, modeNative},
		{netlink.TUNTAP_MODE_TAP, ethernetLen, modeGeneric, modeGeneric},
	} {
		t.Run(fmt.Sprintf("%s/%s", c.kind, c.mode), func(t *testing.T) {
			h := testnet.NewHost(t)
			tun, on := newTun(t, h, c.kind)
			s := livetest.Open(t, "xdp", args(c.mode), on)
			if a := s.Attachment(); a.Method != c.attached || !a.PacketsInexact {
				t.Errorf("attachment %+v, want %s and inexact packets", a, c.attached)
			}
			for _, f := range [][]byte{v4, v4, v6} {
				if _, err := tun.Write(f[ethernetLen-c.header:]); err != nil {
					t.Fatal(err)
				}
			}
			header := uint64(c.header)
			want := map[flow.Family]flow.Counters{
				flow.FamilyIPv4: {Packets: 2, Bytes: 92, FrameBytes: 92 + 2*header},
				flow.FamilyIPv6: {Packets: 1, Bytes: 80, FrameBytes: 80 + header},
			}
			for _, r := range s.Records() {
				if r.Counters != want[r.Key.Family] || r.Key.Dir != flow.Ingress || r.Key.Proto != flow.UDP {
					t.Errorf("%+v: %+v, want %+v", r.Key.Key(), r.Counters, want[r.Key.Family])
				}
				delete(want, r.Key.Family)
			}
			if len(want) > 0 {
				t.Errorf("not counted: %+v", want)
			}
		})
	}
}

// newTun creates an interface whose packets come from this process.
func newTun(t *testing.T, h *testnet.Host, kind netlink.TuntapMode) (*os.File, *testnet.Iface) {
	t.Helper()
	tun := &netlink.Tuntap{
		LinkAttrs: netlink.LinkAttrs{Name: "tun0"}, Mode: kind,
		Flags: netlink.TUNTAP_NO_PI | netlink.TUNTAP_ONE_QUEUE, Queues: 1,
	}
	err := h.Do(func() error {
		if err := netlink.LinkAdd(tun); err != nil {
			return err
		}
		return netlink.LinkSetUp(tun)
	})
	if err != nil {
		testenv.Missing(t, fmt.Sprintf("no tun device: %v", err))
	}
	t.Cleanup(func() { _ = tun.Fds[0].Close() })
	link, err := h.Netlink().LinkByName("tun0")
	if err != nil {
		t.Fatal(err)
	}
	return tun.Fds[0], &testnet.Iface{Host: h, Name: "tun0", Index: link.Attrs().Index}
}

// TestMixed attaches to two interfaces, one of them without native XDP.
func TestMixed(t *testing.T) {
	testenv.Privileged(t)
	_, b := testnet.Pair(t, testnet.Link{})
	a := livetest.Open(t, "xdp", nil, b, loopback(b.Host)).Attachment()
	if a.Method != "native+generic" || !a.PacketsInexact || len(a.Interfaces) != 2 {
		t.Errorf("attachment %+v", a)
	}
	for _, note := range []string{noteIngress, "native: " + b.Name, "generic: lo"} {
		if !slices.Contains(a.Notes, note) {
			t.Errorf("no note %q in %q", note, a.Notes)
		}
	}
}

// TestTagsOutside: XDP does not see tags that the kernel holds outside of the frame. The report
// notes that, with a remedy that works.
func TestTagsOutside(t *testing.T) {
	testenv.Privileged(t)
	ethtool := testenv.Tool(t, "ethtool", "ethtool")
	for _, mode := range modes {
		t.Run(mode, func(t *testing.T) {
			a, b := testnet.Pair(t, testnet.Link{})
			pushTags(t, a, 42)
			s := livetest.Open(t, "xdp", args(mode), b)
			if n := s.Attachment().Notes; !slices.ContainsFunc(n, func(n string) bool { return strings.Contains(n, "PEER txvlan off") }) {
				t.Errorf("notes %q", n)
			}
			frame := a.Ethernet(testnet.UnusedMAC, 0x0800, udp4(100)[ethernetLen:])
			for seen, off := range []bool{false, true} {
				if off {
					if err := a.Run(a.Command(ethtool, "-K", a.Name, "txvlan", "off")); err != nil {
						t.Fatal(err)
					}
				}
				a.SendFrames(5, frame)
				b.Settle()
				records := s.Records()
				want := flow.Counters{Packets: 5, Bytes: 5 * 86, FrameBytes: 5 * uint64(100+4*seen)}
				if len(records) != 1 || records[0].Counters != want || records[0].Key.VLAN != uint16(42*seen) {
					t.Errorf("txvlan off: %v: counted %+v, want %+v", off, records, want)
				}
			}
		})
	}
}

// pushTags makes an interface tag what it sends.
func pushTags(t *testing.T, on *testnet.Iface, id int32) {
	t.Helper()
	prog, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Type: ebpf.SchedCLS, License: "MIT",
		Instructions: asm.Instructions{
			asm.Mov.Imm(asm.R2, 0x0081), // ETH_P_8021Q, in network order
			asm.Mov.Imm(asm.R3, id),
			asm.FnSkbVlanPush.Call(),
			asm.Mov.Imm(asm.R0, 0),
			asm.Return(),
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = prog.Close() })
	testenv.Feature(t, "TCX", "6.6", func() error {
		return on.Do(func() error {
			l, err := link.AttachTCX(link.TCXOptions{Interface: on.Index, Program: prog, Attach: ebpf.AttachTCXEgress})
			if err == nil {
				t.Cleanup(func() { _ = l.Close() })
			}
			return err
		})
	})
}

func TestCPUComesOnline(t *testing.T) {
	livetest.CPUComesOnline(t, func(on *testnet.Iface) *livetest.Source {
		return livetest.Open(t, "xdp", args(modeAuto), on)
	})
}
