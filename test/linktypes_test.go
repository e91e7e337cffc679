package test

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/test/linuxversion"
	"github.com/pktstat/pktstat/internal/test/testenv"
	"github.com/pktstat/pktstat/internal/test/testnet"
)

// linkTypes are types of interfaces between two hosts. One host has 10.0.0.1 on p0, the other has
// 10.0.0.2 on eth0. In the commands, DEV is p0 or eth0, and LOCAL and REMOTE are the addresses. OUT
// and IN are numbers for each direction. FAR is the other MAC address.
var linkTypes = []struct {
	name    string
	since   string // the kernel may lack it
	make    []string
	raw, v6 bool
	outer   bool // before Linux 5.14, tc gets the outer header (docs/interfaces.md)
}{
	{name: "veth"},
	{name: "bridge", make: []string{"link add x type bridge mcast_snooping 0", "link set DEV master x"}},
	{name: "macvlan", make: []string{"link add x link DEV type macvlan mode bridge"}},
	{name: "vxlan", make: []string{"link add x type vxlan id 7 local LOCAL remote REMOTE dstport 4789 dev DEV"}},
	{name: "bond", since: "2.6", make: []string{"link add x type bond mode active-backup", "link set DEV down", "link set DEV master x"}},
	{name: "vlan", since: "2.6", make: []string{"link add x link DEV type vlan id 7"}},
	{name: "802.1ad", since: "3.10", make: []string{"link add y link DEV type vlan proto 802.1ad id 7", "link set y up", "link add x link y type vlan id 8"}},
	{name: "gretap", since: "2.6", make: []string{"link add x type gretap local LOCAL remote REMOTE"}},
	{name: "gre", since: "2.6", raw: true, outer: true, make: []string{"link add x type gre local LOCAL remote REMOTE ttl 64"}},
	{name: "ipip", since: "2.6", raw: true, outer: true, make: []string{"link add x type ipip local LOCAL remote REMOTE"}},
	{name: "sit", since: "2.6", raw: true, outer: true, v6: true, make: []string{"link add x type sit local LOCAL remote REMOTE ttl 64"}},
	{name: "geneve", since: "4.2", make: []string{"link add x type geneve id 7 remote REMOTE"}},
	{name: "ipvlan", since: "3.19", make: []string{"link add x link DEV type ipvlan mode l2"}},
	{name: "macsec", since: "4.6", make: []string{"link add x link DEV type macsec port 1 encrypt off",
		"macsec add x tx sa 0 pn 1 on key 00 " + key16, "macsec add x rx port 1 address FAR",
		"macsec add x rx port 1 address FAR sa 0 pn 1 on key 01 " + key16}},
	{name: "xfrm", since: "4.19", raw: true, v6: true, make: ipsec("link add x type xfrm dev DEV if_id 7", "if_id 7", "if_id 7")},
	{name: "vti", since: "2.6", raw: true, make: ipsec("link add x type vti local LOCAL remote REMOTE key 7", "", "mark 7")},
}

const key16 = "00112233445566778899aabbccddeeff"

// ipsec returns the commands for an interface that is one end of an ESP tunnel.
func ipsec(link, ofState, ofPolicy string) []string {
	commands := []string{link}
	for _, way := range []string{"src LOCAL dst REMOTE proto esp spi 0x100OUT", "src REMOTE dst LOCAL proto esp spi 0x100IN"} {
		commands = append(commands, "xfrm state add "+way+" mode tunnel flag af-unspec "+ofState+
			" auth hmac(sha256) 0x"+key16+key16+" enc cbc(aes) 0x"+key16)
	}
	for _, way := range []string{"dir out " + ofPolicy + " tmpl src LOCAL dst REMOTE", "dir in " + ofPolicy + " tmpl src REMOTE dst LOCAL"} {
		for _, all := range []string{"0.0.0.0/0", "::/0"} {
			commands = append(commands, "xfrm policy add src "+all+" dst "+all+" "+way+" proto esp mode tunnel")
		}
	}
	return commands
}

// TestLinkTypes: all backends that see both directions count exactly what is sent and received.
// Frames include a link header if the interface has one.
func TestLinkTypes(t *testing.T) {
	testenv.Privileged(t)
	for _, l := range linkTypes {
		t.Run(l.name, func(t *testing.T) {
			near := newRouter(t, 1)
			far := &router{Host: near.remote[0].Host, t: t}
			words := [2]*strings.Replacer{
				strings.NewReplacer("DEV", "p0", "LOCAL", "10.0.0.1", "REMOTE", "10.0.0.2", "OUT", "1", "IN", "2", "FAR", near.remote[0].MAC.String()),
				strings.NewReplacer("DEV", "eth0", "LOCAL", "10.0.0.2", "REMOTE", "10.0.0.1", "OUT", "2", "IN", "1", "FAR", near.iface("p0").MAC.String()),
			}
			var ends [2]*testnet.Iface
			for i, h := range []*router{near, far} {
				// Without this, the lower interface answers ARP for the upper one's address, and
				// then receives its packets.
				if err := h.Do(func() error { return os.WriteFile("/proc/sys/net/ipv4/conf/all/arp_ignore", []byte("1"), 0) }); err != nil {
					t.Fatal(err)
				}
				dev := words[i].Replace("DEV")
				h.ip(fmt.Sprintf("addr add 10.0.0.%d/24 dev %s", i+1, dev))
				name := dev
				for n, command := range l.make {
					name = "x"
					if n > 0 || l.since == "" {
						h.ip(words[i].Replace(command))
						continue
					}
					testenv.Feature(t, "interfaces of type "+l.name, l.since, func() error { return h.try(words[i].Replace(command)) })
				}
				h.ip("link set "+name+" up", "link set "+dev+" up")
				ends[i] = h.addressed(name, i+1, l.v6)
			}
			backends := []string{"tc", "afpacket"}
			if v, err := linuxversion.Running(); err != nil || l.outer && v.Before(linuxversion.Version{Major: 5, Minor: 14}) {
				backends = backends[1:]
			}
			countBothWays(t, ends[0], ends[1], l.raw, l.v6, backends...)
		})
	}
}

// addressed gives an interface addresses that no other interface has.
func (r *router) addressed(name string, host int, v6 bool) *testnet.Iface {
	r.t.Helper()
	i := r.iface(name)
	i.IPv4, i.IPv6 = netip.AddrFrom4([4]byte{10, 1, 0, byte(host)}), netip.MustParseAddr(fmt.Sprintf("fd01::%d", host))
	r.ip(fmt.Sprintf("addr add %s/24 dev %s", i.IPv4, name))
	if v6 {
		if err := r.Do(func() error { return os.WriteFile("/proc/sys/net/ipv6/conf/"+name+"/disable_ipv6", []byte("0"), 0) }); err != nil {
			r.t.Fatal(err)
		}
		r.ip(fmt.Sprintf("addr add %s/64 dev %s nodad", i.IPv6, name))
	}
	return i
}

// countBothWays counts on a what it sends to b, and what b sends back. With raw, frames have no
// link header.
func countBothWays(t *testing.T, a, b *testnet.Iface, raw, v6 bool, backends ...string) {
	t.Helper()
	for _, backend := range backends {
		earliest := a.Stats()
		p := start(t, nil, "--netns", a.NetNS(), "-b", backend, "-i", a.Name, "-t", "0", "-j")
		p.counting()
		latest := a.Settle() // a host with addresses sends IGMP by itself
		sent := []testnet.Flow{
			testnet.SendUDP(t, a, b, testnet.UDP{V6: v6, Payload: 300, Count: 30}),
			testnet.SendUDP(t, b, a, testnet.UDP{V6: v6, Payload: 1, Count: 20}),
		}
		sent[0].Key.Dir, sent[1].Key.Dir = flow.Egress, flow.Ingress
		// On a busy machine, packets may be under way for longer than the wait of Settle.
		for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
			if c := a.Stats().Minus(latest); c.TxPackets >= sent[0].Packets && c.RxPackets >= sent[1].Packets {
				break
			}
		}
		crossed := a.Settle()
		p.signal(syscall.SIGINT)
		got := finalOf(t, p)
		for i := range sent {
			if raw {
				sent[i].FrameBytes = sent[i].Bytes
			}
		}
		checkFlows(t, got.byPassage(), sent)
		least, most := crossed.Minus(latest), a.Stats().Minus(earliest)
		if n := got.Total.Packets; n < least.RxPackets+least.TxPackets || n > most.RxPackets+most.TxPackets {
			t.Errorf("%s: %d packets are counted, the interface has %+v to %+v: %+v", backend, n, least, most, got.Flows)
		}
	}
}

// TestLinkTypeLoopback: a packet on lo is sent and received, and counts once, when it arrives.
func TestLinkTypeLoopback(t *testing.T) {
	testenv.Privileged(t)
	h := quietHost(t)
	lo := h.iface("lo")
	lo.IPv4 = netip.MustParseAddr("127.0.0.1")
	for _, backend := range []string{"tc", "afpacket", "xdp"} {
		p := start(t, nil, "--netns", h.NetNS(), "-b", backend, "-i", "lo", "-t", "0", "-j")
		p.counting()
		sent := testnet.SendUDP(t, lo, lo, testnet.UDP{Payload: 100, Count: 25})
		sent.Key.Dir = flow.Ingress
		p.signal(syscall.SIGINT)
		got := finalOf(t, p)
		checkFlows(t, got.byPassage(), []testnet.Flow{sent})
		if got.Total.Packets != 25 {
			t.Errorf("%s: %+v", backend, got)
		}
	}
}

// TestLinkTypeTun: the far end of a tun or tap interface is a program; here it connects two
// interfaces. A tun interface can have any type without a link header. Then tc and packet sockets
// see it like a modem's or a PPP interface.
func TestLinkTypeTun(t *testing.T) {
	testenv.Privileged(t)
	for _, c := range []struct {
		name string
		mode netlink.TuntapMode
		kind int
		v6   []bool
	}{
		{"tun", netlink.TUNTAP_MODE_TUN, unix.ARPHRD_NONE, []bool{false}},
		{"ppp", netlink.TUNTAP_MODE_TUN, unix.ARPHRD_PPP, []bool{false, true}},
		{"rawip", netlink.TUNTAP_MODE_TUN, unix.ARPHRD_RAWIP, []bool{true}},
		{"tap", netlink.TUNTAP_MODE_TAP, unix.ARPHRD_ETHER, []bool{false}},
	} {
		t.Run(c.name, func(t *testing.T) {
			raw := c.mode == netlink.TUNTAP_MODE_TUN
			hosts := [2]*router{quietHost(t), quietHost(t)}
			var files [2]*os.File
			var ends [2]*testnet.Iface
			for i, h := range hosts {
				files[i] = h.tun(c.mode, c.name+"0")
				setLinkType(t, files[i], c.kind)
				h.ip("link set " + c.name + "0 up")
				ends[i] = h.addressed(c.name+"0", i+1, raw)
			}
			join(t, files)
			for _, v6 := range c.v6 {
				countBothWays(t, ends[0], ends[1], raw, v6, "tc", "afpacket")
			}
		})
	}
}

// setLinkType sets the type (ARPHRD_*) of a tun or tap interface that is down.
func setLinkType(t *testing.T, tun *os.File, kind int) {
	t.Helper()
	if err := unix.IoctlSetInt(int(tun.Fd()), unix.TUNSETLINK, kind); err != nil {
		t.Fatal(err)
	}
}

func (r *router) tun(mode netlink.TuntapMode, name string) *os.File {
	r.t.Helper()
	tun := &netlink.Tuntap{
		LinkAttrs: netlink.LinkAttrs{Name: name}, Mode: mode,
		Flags: netlink.TUNTAP_NO_PI | netlink.TUNTAP_ONE_QUEUE, Queues: 1,
	}
	if err := r.Do(func() error { return netlink.LinkAdd(tun) }); err != nil {
		testenv.Missing(r.t, fmt.Sprintf("no tun device: %v", err))
	}
	r.t.Cleanup(func() { _ = tun.Fds[0].Close() })
	return tun.Fds[0]
}

// join copies packets from each file to the other, until the test ends.
func join(t *testing.T, files [2]*os.File) {
	t.Helper()
	stop := make(chan struct{})
	var both sync.WaitGroup
	for i := range files {
		from, to := int(files[i].Fd()), int(files[1-i].Fd())
		if err := unix.SetNonblock(from, true); err != nil {
			t.Fatal(err)
		}
		both.Go(func() {
			buf := make([]byte, 1<<16)
			for {
				select {
				case <-stop:
					return
				default:
				}
				n, err := unix.Read(from, buf)
				switch {
				case errors.Is(err, unix.EAGAIN):
					_, _ = unix.Poll([]unix.PollFd{{Fd: int32(from), Events: unix.POLLIN}}, 20)
				case err == nil:
					_, _ = unix.Write(to, buf[:n])
				}
			}
		})
	}
	t.Cleanup(func() { close(stop); both.Wait() })
}

// TestLinkTypeIfb: an ifb interface counts redirected packets. It counts and drops other packets.
func TestLinkTypeIfb(t *testing.T) {
	testenv.Privileged(t)
	r := newRouter(t, 1)
	testenv.Feature(t, "interfaces of type ifb", "2.6", func() error { return r.try("link add ifb0 type ifb") })
	r.ip("link set ifb0 up")
	ifb, far := r.iface("ifb0"), r.remote[0]
	for _, backend := range []string{"tc", "afpacket"} {
		p := start(t, nil, "--netns", r.NetNS(), "-b", backend, "-i", "ifb0", "-t", "0", "-j")
		p.counting()
		ifb.SendFrames(20, ifb.Ethernet(testnet.UnusedMAC, 0x88b5, make([]byte, 46)))
		p.signal(syscall.SIGINT)
		if got := finalOf(t, p); got.byDirection("egress") != (flow.Counters{Packets: 20, FrameBytes: 1200}) {
			t.Errorf("%s: %+v", backend, got)
		}
	}
	tc := testenv.Tool(t, "tc", "iproute2")
	testenv.Feature(t, "redirecting to an interface (act_mirred)", "4.8", func() error {
		return errors.Join(r.Run(r.Command(tc, "qdisc", "add", "dev", "p0", "clsact")),
			r.Run(r.Command(tc, strings.Fields("filter add dev p0 ingress matchall action mirred egress redirect dev ifb0")...)))
	})
	p := start(t, nil, "--netns", r.NetNS(), "-b", "tc", "-i", "ifb0", "-i", "p0", "-t", "0", "-j")
	p.counting()
	before := ifb.Stats().RxPackets
	far.SendFrames(20, far.Ethernet(testnet.UnusedMAC, 0x88b5, make([]byte, 46)))
	received(t, ifb, before+20)
	p.signal(syscall.SIGINT)
	got := finalOf(t, p)
	want := map[string]uint64{"p0 ingress": 20, "ifb0 egress": 20}
	for _, f := range got.Flows {
		where := f.Iface + " " + f.Direction
		if want[where] != f.Packets || f.FrameBytes != 60*f.Packets {
			t.Errorf("%s: %+v", where, f)
		}
		delete(want, where)
	}
	if len(want) > 0 {
		t.Errorf("not counted: %v", want)
	}
}

// TestLinkTypeMonitor: a wireless interface in monitor mode has no Ethernet frames. Every backend
// refuses it at once, and suggests an alternative.
func TestLinkTypeMonitor(t *testing.T) {
	testenv.Privileged(t)
	r := quietHost(t)
	file := r.tun(netlink.TUNTAP_MODE_TUN, "mon0")
	for kind, text := range map[int]string{
		unix.ARPHRD_IEEE80211:          "ieee802.11",
		unix.ARPHRD_IEEE80211_RADIOTAP: "ieee802.11/radiotap",
		unix.ARPHRD_CAN:                "280",
	} {
		r.ip("link set mon0 down")
		setLinkType(t, file, kind)
		r.ip("link set mon0 up")
		for _, backend := range []string{"tc", "xdp", "afpacket", "auto"} {
			p := start(t, nil, "--netns", r.NetNS(), "-b", backend, "-i", "mon0", "-t", "1ms")
			code, said := p.wait(), p.errors()
			if code != 3 || !strings.Contains(said, "interface mon0: link type "+text) || strings.Count(said, "\n") != 1 {
				t.Errorf("%s on %s: exit code %d, %s", backend, text, code, said)
			}
			if wifi := slices.Contains([]int{unix.ARPHRD_IEEE80211, unix.ARPHRD_IEEE80211_RADIOTAP}, kind); wifi != strings.Contains(said, "monitor mode") {
				t.Errorf("%s on %s: %s", backend, text, said)
			}
		}
	}
}
