package afpacket

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
	"time"

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

func TestConformance(t *testing.T) {
	testenv.Privileged(t)
	for _, args := range [][]string{nil, {"-rings=1"}, {"-rings=3", "-ring-size=2", "-snaplen=128"}} {
		t.Run(strings.Join(args, ""), func(t *testing.T) {
			a, b := testnet.Pair(t, testnet.Link{})
			missing := &testnet.Iface{Name: "none", Index: 1 << 20}
			traffic := func(tb testing.TB) (sent flow.Counters) {
				for _, v6 := range []bool{false, true} {
					sent.Add(testnet.SendUDP(tb, a, b, testnet.UDP{V6: v6, Payload: 100, Count: 500}).Counters)
					sent.Add(testnet.SendUDP(tb, b, a, testnet.UDP{V6: v6, Payload: 1, Count: 100, SrcPort: 5}).Counters)
				}
				return sent
			}
			sourcetest.Run(t, sourcetest.Options{
				Backend: "afpacket",
				Setup:   func(testing.TB) sourcetest.Setup { return livetest.Setup(args, b) },
				Traffic: func(tb testing.TB) { traffic(tb) },
				Want:    traffic(t),
				Enter: func(tb testing.TB, f func()) {
					if err := b.Do(func() error { f(); return nil }); err != nil {
						tb.Error(err)
					}
				},
				Failures: []sourcetest.Failure{
					{Name: "no interface", Setup: sourcetest.Setup{Args: args}, Is: registry.ErrUsage},
					{Name: "missing interface", Setup: livetest.Setup(args, missing)},
					{Name: "the second interface is missing", Setup: livetest.Setup(args, b, missing)},
				},
			})
		})
	}
}

// TestReplay sends the packets of the corpus over links with and without a header.
func TestReplay(t *testing.T) {
	testenv.Privileged(t)
	cases, err := corpus.Load()
	if err != nil {
		t.Fatal(err)
	}
	a, b := testnet.Pair(t, testnet.Link{MTU: 9100})
	in, out := livetest.Open(t, "afpacket", nil, b), livetest.Open(t, "afpacket", nil, a)
	sender, err := a.OpenSender()
	if err != nil {
		t.Fatal(err)
	}
	defer sender.Close()
	tun, device := newTun(t, a.Host)
	raw := livetest.Open(t, "afpacket", nil, tun)

	want := map[flow.Packed]*expected{}
	ethernet, layer3 := 0, 0
	for i := range cases {
		c := &cases[i]
		switch {
		case !c.Whole():
		case c.LinkType == packet.LinkTypeEthernet && len(c.Data) >= ethernetLen:
			if err := sender.Send(c.Data); err != nil {
				t.Logf("%s: %v", c.Name, err)
				continue
			}
			ethernet++
			expect(want, c, flow.Egress, a)
			if !droppedAsTag(c.Data) {
				expect(want, c, flow.Ingress, b)
			}
		case c.LinkType == packet.LinkTypeRaw:
			// The device refuses packets whose first bits are neither IPv4 nor IPv6.
			if err := device.send(c.Data); err != nil {
				t.Logf("%s: %v", c.Name, err)
				continue
			}
			layer3++
			expect(want, c, flow.Ingress, tun)
		}
	}
	if ethernet < 40 || layer3 < 2 {
		t.Errorf("only %d frames and %d packets without a header were sent", ethernet, layer3)
	}
	b.Settle()
	for _, r := range append(append(in.Records(), out.Records()...), raw.Records()...) {
		w := want[r.Key]
		switch {
		case w == nil && r.Key.Ifindex == uint32(tun.Index) && r.Key.Dir == flow.Egress:
			continue // the host's own
		case w == nil:
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
}

// expected is a flow of several packets of the corpus.
type expected struct {
	flow.Counters
	names []string
}

func expect(all map[flow.Packed]*expected, c *corpus.Case, dir flow.Direction, on *testnet.Iface) {
	k := c.Want.Key
	k.Dir, k.Ifindex = dir, uint32(on.Index)
	if all[k] == nil {
		all[k] = &expected{}
	}
	all[k].Add(c.Want.Counters)
	all[k].names = append(all[k].names, c.Name)
}

// droppedAsTag reports whether the kernel drops a frame before packet sockets see it. Such a
// frame ends before the data that must follow a tag (skb_vlan_untag in net/core/skbuff.c).
func droppedAsTag(frame []byte) bool {
	t := binary.BigEndian.Uint16(frame[12:])
	return (t == 0x8100 || t == 0x88a8) && len(frame) < ethernetLen+4+2
}

// TestTags: on ingress the outermost tag is in the metadata, on egress in the frame. Both ends
// see the same, also of jumbo frames.
func TestTags(t *testing.T) {
	testenv.Privileged(t)
	a, b := testnet.Pair(t, testnet.Link{MTU: 9000})
	out, in := livetest.Open(t, "afpacket", nil, a), livetest.Open(t, "afpacket", nil, b)
	const payload, n = 8000, 5
	ip := udp4(20 + 8 + payload)
	frames := map[uint16][]byte{
		0:  a.Ethernet(testnet.UnusedMAC, 0x0800, ip),
		42: a.Ethernet(testnet.UnusedMAC, 0x8100, append([]byte{0x60, 42, 0x08, 0x00}, ip...)),
		7:  a.Ethernet(testnet.UnusedMAC, 0x88a8, append([]byte{0, 7, 0x81, 0, 0, 42, 0x08, 0x00}, ip...)),
	}
	for _, f := range frames {
		a.SendFrames(n, f)
	}
	b.Settle()
	for _, s := range []*livetest.Source{out, in} {
		records := s.Records()
		if len(records) != len(frames) {
			t.Errorf("%d flows, want %d", len(records), len(frames))
		}
		for _, r := range records {
			want := flow.Counters{Packets: n, Bytes: n * uint64(len(ip)), FrameBytes: n * uint64(len(frames[r.Key.VLAN]))}
			if r.Counters != want || r.Key.Proto != flow.UDP {
				t.Errorf("VLAN %d: counted %+v, want %+v: %+v", r.Key.VLAN, r.Counters, want, r.Key.Key())
			}
		}
	}
}

// TestLoopback: a packet on lo passes egress and then ingress, and counts once.
func TestLoopback(t *testing.T) {
	testenv.Privileged(t)
	h := testnet.NewHost(t)
	s := livetest.Open(t, "afpacket", []string{"-rings=4"}, &testnet.Iface{Host: h, Name: "lo", Index: 1})
	const n = 7
	if err := h.Do(func() error { return sendTo([4]byte{127, 0, 0, 1}, "", 10, n) }); err != nil {
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
	on, device := newTun(t, h)
	s := livetest.Open(t, "afpacket", nil, on)
	for _, p := range [][]byte{udp4(46), udp4(46), udp6(76)} {
		if err := device.send(p); err != nil {
			t.Fatal(err)
		}
	}
	if err := h.Do(func() error { return sendTo([4]byte{10, 9, 0, 2}, on.Name, 32, 1) }); err != nil {
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
}

// TestSeveral counts on interfaces of different kinds at once, one of them down.
func TestSeveral(t *testing.T) {
	testenv.Privileged(t)
	a, b := testnet.Pair(t, testnet.Link{})
	c, d := testnet.Connect(t, a.Host, b.Host, testnet.Link{})
	tun, device := newTun(t, b.Host)
	link, err := d.Netlink().LinkByIndex(d.Index)
	if err == nil {
		err = d.Netlink().LinkSetDown(link)
	}
	if err != nil {
		t.Fatal(err)
	}
	s := livetest.Open(t, "afpacket", []string{"-rings=2"}, b, d, tun, &testnet.Iface{Host: b.Host, Name: "lo", Index: 1})
	if err := d.Netlink().LinkSetUp(link); err != nil {
		t.Fatal(err)
	}
	up := func() bool {
		l, err := c.Netlink().LinkByIndex(c.Index)
		return err == nil && l.Attrs().OperState == netlink.OperUp
	}
	for end := time.Now().Add(10 * time.Second); !up() && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	a.SendFrames(3, a.Ethernet(testnet.UnusedMAC, 0x0800, udp4(46)))
	c.SendFrames(5, c.Ethernet(testnet.UnusedMAC, 0x0800, udp4(46)))
	if err := device.send(udp4(46)); err != nil {
		t.Fatal(err)
	}
	d.Settle()
	got := map[uint32]uint64{}
	for _, r := range s.Records() {
		if r.Key.Proto == flow.UDP && r.Key.Dir == flow.Ingress {
			got[r.Key.Ifindex] += r.Packets
		}
	}
	for on, n := range map[*testnet.Iface]uint64{b: 3, d: 5, tun: 1} {
		if got[uint32(on.Index)] != n {
			t.Errorf("%s: %d packets counted, want %d", on, got[uint32(on.Index)], n)
		}
	}
	if a := s.Attachment(); len(a.Interfaces) != 4 || a.Method != method {
		t.Errorf("attached: %+v", a)
	}
}

// device is the far end of a tun interface.
type device struct{ tun *netlink.Tuntap }

func (d device) send(packet []byte) error {
	_, err := d.tun.Fds[0].Write(packet)
	return err
}

// newTun creates a tun interface with the address 10.9.0.1/24.
func newTun(t *testing.T, h *testnet.Host) (*testnet.Iface, device) {
	t.Helper()
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
	t.Cleanup(func() { _ = tun.Fds[0].Close() })
	link, err := h.Netlink().LinkByName("tun0")
	if err != nil {
		t.Fatal(err)
	}
	return &testnet.Iface{Host: h, Name: "tun0", Index: link.Attrs().Index}, device{tun}
}

// sendTo sends n datagrams to port 9, through a device if there is a name.
func sendTo(addr [4]byte, through string, payload, n int) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if through != "" {
		if err := unix.BindToDevice(fd, through); err != nil {
			return err
		}
	}
	for range n {
		if err := unix.Sendto(fd, make([]byte, payload), 0, &unix.SockaddrInet4{Addr: addr, Port: 9}); err != nil && err != unix.ECONNREFUSED {
			return err
		}
	}
	return nil
}

// udp4 returns a UDP datagram in an IPv4 packet of n bytes.
func udp4(n int) []byte {
	ip := make([]byte, n)
	ip[0], ip[8], ip[9] = 0x45, 64, byte(flow.UDP)
	binary.BigEndian.PutUint16(ip[2:], uint16(n))
	copy(ip[12:], []byte{198, 18, 0, 1, 198, 18, 0, 2})
	binary.BigEndian.PutUint32(ip[20:], flow.Ports(40000, 9))
	return ip
}

// udp6 returns a UDP datagram in an IPv6 packet of n bytes.
func udp6(n int) []byte {
	ip := make([]byte, n)
	ip[0], ip[6], ip[7] = 0x60, byte(flow.UDP), 64
	binary.BigEndian.PutUint16(ip[4:], uint16(n-40))
	ip[8], ip[24], ip[39] = 0xfd, 0xfd, 2
	binary.BigEndian.PutUint32(ip[40:], flow.Ports(40000, 9))
	return ip
}
