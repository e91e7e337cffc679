package tc

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/vishvananda/netlink"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/netif/attach"
	"github.com/pktstat/pktstat/internal/test/livetest"
	"github.com/pktstat/pktstat/internal/test/testenv"
	"github.com/pktstat/pktstat/internal/test/testnet"
)

// TestSegments compares super-frames with the segments that the kernel makes of them. It segments
// the sender's in software behind tc, so the receiver sees the packets of a wire.
func TestSegments(t *testing.T) {
	testenv.Privileged(t)
	for _, v6 := range []bool{false, true} {
		t.Run(fmt.Sprintf("v6=%v", v6), func(t *testing.T) {
			a, b := testnet.Pair(t, testnet.Link{})
			out, in := livetest.Open(t, "tc", args(methodAuto), a), livetest.Open(t, "tc", args(methodAuto), b)
			ethtool(t, a, "gso", "on")
			before := b.Settle()
			there, back := testnet.SendTCP(t, a, b, testnet.TCP{V6: v6, Request: 20 << 20, Reply: 100_000})
			stats := b.Settle().Minus(before)
			sent, got := out.Records(), in.Records()
			for _, k := range []flow.Key{there, back} {
				if s, g := livetest.Sum(sent, k), livetest.Sum(got, k); s != g || s.IsZero() {
					t.Errorf("%v: counted %+v, in segments %+v", k, s, g)
				}
			}
			all := livetest.Sum(got, flow.Key{})
			if all.Packets != stats.RxPackets+stats.TxPackets || all.FrameBytes != stats.RxBytes+stats.TxBytes {
				t.Errorf("counted %+v, the interface %+v", all, stats)
			}
			// Were there super-frames? The sender's interface counts before
			// segmentation.
			if n := livetest.Sum(sent, there).Packets; n < 10_000 {
				t.Errorf("only %d packets were sent", n)
			}
		})
	}
}

// TestSuperFrames compares the two ends of a link that super-frames cross whole, with all
// offloads. No packet may have more bytes than the MTU allows.
func TestSuperFrames(t *testing.T) {
	testenv.Privileged(t)
	for _, v6 := range []bool{false, true} {
		t.Run(fmt.Sprintf("v6=%v", v6), func(t *testing.T) {
			a, b := testnet.Pair(t, testnet.Link{Offloads: true})
			out, in := livetest.Open(t, "tc", args(methodAuto), a), livetest.Open(t, "tc", args(methodAuto), b)
			before := b.Settle()
			there, back := testnet.SendTCP(t, a, b, testnet.TCP{V6: v6, Request: 20 << 20, Reply: 1 << 20})
			crossed := b.Settle().Minus(before)
			sent, got := out.Records(), in.Records()
			for _, k := range []flow.Key{there, back} {
				s, g := livetest.Sum(sent, k), livetest.Sum(got, k)
				if s != g || s.IsZero() {
					t.Errorf("%v: counted %+v at one end, %+v at the other", k, s, g)
				}
				if s.FrameBytes > s.Packets*(1500+ethernetLen) {
					t.Errorf("%v: %d packets cannot have %d bytes", k, s.Packets, s.FrameBytes)
				}
			}
			if n := livetest.Sum(got, there).Packets; n < 2*crossed.RxPackets {
				t.Errorf("%d packets in %d frames: there were no super-frames", n, crossed.RxPackets)
			}
		})
	}
}

// TestBigTCP is TestSegments with super-frames above 64 KiB. On older kernels, IPv6 super-frames
// have a header that their segments lack. IPv4 super-frames have no total length.
func TestBigTCP(t *testing.T) {
	testenv.Privileged(t)
	for _, v6 := range []bool{false, true} {
		t.Run(fmt.Sprintf("v6=%v", v6), func(t *testing.T) {
			a, b := testnet.Pair(t, testnet.Link{})
			link, err := a.Netlink().LinkByIndex(a.Index)
			if err != nil {
				t.Fatal(err)
			}
			const size = 180_000
			if v6 {
				testenv.Feature(t, "BIG TCP over IPv6", "5.19", func() error { return a.Netlink().LinkSetGSOMaxSize(link, size) })
			} else {
				testenv.Feature(t, "BIG TCP over IPv4", "6.3", func() error {
					err := a.Netlink().LinkSetGSOIPv4MaxSize(link, size)
					if err != nil {
						return err
					}
					// Older kernels ignore the attribute.
					if link, err = a.Netlink().LinkByIndex(a.Index); err == nil && link.Attrs().GSOIPv4MaxSize != size {
						err = errors.New("the largest size does not change")
					}
					return err
				})
			}
			largest := watchLargest(t, a)
			out, in := livetest.Open(t, "tc", args(methodAuto), a), livetest.Open(t, "tc", args(methodAuto), b)
			ethtool(t, a, "gso", "on")
			there, back := testnet.SendTCP(t, a, b, testnet.TCP{V6: v6, Request: 100 << 20})
			b.Settle()
			sent, got := out.Records(), in.Records()
			for _, k := range []flow.Key{there, back} {
				if s, g := livetest.Sum(sent, k), livetest.Sum(got, k); s != g || s.IsZero() {
					t.Errorf("%v: counted %+v, in segments %+v", k, s, g)
				}
			}
			if n := largest().len; n <= 1<<16 {
				t.Errorf("the largest super-frame has %d bytes", n)
			}
		})
	}
}

// TestTunnel is TestSegments through VXLAN: each segment also repeats the headers inside of the
// tunnel. The flow is the tunnel's.
func TestTunnel(t *testing.T) {
	testenv.Privileged(t)
	a, b := testnet.Pair(t, testnet.Link{})
	va, vb := addVXLAN(t, a, b, 1), addVXLAN(t, b, a, 2)
	out, in := livetest.Open(t, "tc", args(methodAuto), a), livetest.Open(t, "tc", args(methodAuto), b)
	largest := watchLargest(t, a)
	ethtool(t, a, "gso", "on")
	testnet.SendTCP(t, va, vb, testnet.TCP{Request: 20 << 20})
	b.Settle()
	testenv.Feature(t, "wire_len with the headers inside of tunnels", "6.17", func() error {
		s := largest()
		if s.segments < 2 {
			t.Fatalf("the largest frame that was sent is %+v: there were no super-frames", s)
		}
		const least = 14 + 20 + 8 + 8 + 14 + 20 + 20 // VXLAN over IPv4 and TCP in it
		if n := (s.wire - s.len) / (s.segments - 1); n < least {
			return fmt.Errorf("the kernel adds %d bytes for a segment", n)
		}
		return nil
	})
	sent, got := out.Records(), in.Records()
	compared := 0
	for _, r := range got {
		k := r.Key.Key()
		if k.Proto == flow.TCP {
			t.Errorf("a flow from inside of the tunnel: %+v", k)
		}
		if r.Packets < 100 {
			continue // the hosts' own
		}
		compared++
		if s, g := livetest.Sum(sent, k), livetest.Sum(got, k); s != g {
			t.Errorf("%v: counted %+v, in segments %+v", k, s, g)
		}
	}
	if compared < 2 {
		t.Errorf("%d flows were compared", compared)
	}
}

// addVXLAN adds an interface with the address 10.8.0.host.
func addVXLAN(t *testing.T, on, remote *testnet.Iface, host byte) *testnet.Iface {
	t.Helper()
	vxlan := &netlink.Vxlan{
		LinkAttrs: netlink.LinkAttrs{Name: "vxlan", MTU: 1450},
		VxlanId:   7, Port: 4789, Learning: false,
		Group: remote.IPv4.AsSlice(), SrcAddr: on.IPv4.AsSlice(), VtepDevIndex: on.Index,
	}
	nl := on.Netlink()
	err := nl.LinkAdd(vxlan)
	if err != nil {
		testenv.Missing(t, fmt.Sprintf("no vxlan interface: %v", err))
	}
	v := &testnet.Iface{Host: on.Host, Name: "vxlan", Index: vxlan.Index, IPv4: netip.AddrFrom4([4]byte{10, 8, 0, host})}
	addr := &netlink.Addr{IPNet: &net.IPNet{IP: v.IPv4.AsSlice(), Mask: net.CIDRMask(24, 32)}}
	if err := errors.Join(nl.AddrAdd(vxlan, addr), nl.LinkSetUp(vxlan)); err != nil {
		t.Fatal(err)
	}
	return v
}

// superFrame has the fields of struct __sk_buff for a super-frame.
type superFrame struct{ len, wire, segments uint32 }

// watchLargest returns the longest skb that an interface sends.
func watchLargest(t *testing.T, on *testnet.Iface) func() superFrame {
	t.Helper()
	const wireLen, gsoSegs = 160, 164 // struct __sk_buff
	found, err := ebpf.NewMap(&ebpf.MapSpec{Type: ebpf.Array, KeySize: 4, ValueSize: 12, MaxEntries: 1})
	if err != nil {
		t.Fatal(err)
	}
	prog, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Type: ebpf.SchedCLS, License: "MIT",
		Instructions: asm.Instructions{
			asm.Mov.Reg(asm.R8, asm.R1),
			asm.LoadMem(asm.R6, asm.R8, 0, asm.Word), // len
			asm.LoadMapValue(asm.R7, found.FD(), 0),
			asm.LoadMem(asm.R1, asm.R7, 0, asm.Word),
			asm.JGE.Reg(asm.R1, asm.R6, "next"),
			asm.StoreMem(asm.R7, 0, asm.R6, asm.Word),
			asm.LoadMem(asm.R1, asm.R8, wireLen, asm.Word),
			asm.StoreMem(asm.R7, 4, asm.R1, asm.Word),
			asm.LoadMem(asm.R1, asm.R8, gsoSegs, asm.Word),
			asm.StoreMem(asm.R7, 8, asm.R1, asm.Word),
			asm.Mov.Imm(asm.R0, -1).WithSymbol("next"),
			asm.Return(),
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	var a *clsact
	err = on.Do(func() (err error) {
		if a, err = newClsact(first); err != nil {
			return err
		}
		_, _, err = a.attach(&attach.Port{Interface: flow.Interface{Index: uint32(on.Index), Name: on.Name}}, flow.Egress, prog)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = a.close() // its filter goes with the interface
		_ = prog.Close()
		_ = found.Close()
	})
	return func() superFrame {
		var v [3]uint32
		if err := found.Lookup(uint32(0), &v); err != nil {
			t.Error(err)
		}
		return superFrame{len: v[0], wire: v[1], segments: v[2]}
	}
}

func ethtool(t *testing.T, on *testnet.Iface, features ...string) {
	t.Helper()
	cmd := on.Command(testenv.Tool(t, "ethtool", "ethtool"), append([]string{"-K", on.Name}, features...)...)
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := on.Run(cmd); err != nil {
		t.Fatalf("ethtool %q: %v: %s", features, err, &out)
	}
}
