package test

import (
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"testing"

	"golang.zx2c4.com/wireguard/wgctrl"
	"golang.zx2c4.com/wireguard/wgctrl/wgtypes"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/test/testenv"
	"github.com/pktstat/pktstat/internal/test/testnet"
)

// wireguardPort is the UDP port of both ends.
const wireguardPort = 51820

// TestLinkTypeWireguard: traffic through a WireGuard tunnel counts on its interface, without a link
// header. Below it, the UDP datagrams count. WireGuard itself counts these, with its handshakes and
// keepalives.
func TestLinkTypeWireguard(t *testing.T) {
	testenv.Privileged(t)
	near := newRouter(t, 1)
	far := &router{Host: near.remote[0].Host, t: t}
	hosts, below := [2]*router{near, far}, [2]string{"p0", "eth0"}
	var keys [2]wgtypes.Key
	for i, h := range hosts {
		h.ip(fmt.Sprintf("addr add 10.0.0.%d/24 dev %s", i+1, below[i]))
		testenv.Feature(t, "interfaces of type wireguard", "5.6", func() error { return h.try("link add wg0 type wireguard") })
		var err error
		if keys[i], err = wgtypes.GeneratePrivateKey(); err != nil {
			t.Fatal(err)
		}
	}
	var ends [2]*testnet.Iface
	for i, h := range hosts {
		peer := wgtypes.PeerConfig{
			PublicKey:  keys[1-i].PublicKey(),
			Endpoint:   &net.UDPAddr{IP: net.IPv4(10, 0, 0, byte(2-i)), Port: wireguardPort},
			AllowedIPs: []net.IPNet{{IP: net.IPv4zero, Mask: make(net.IPMask, 4)}, {IP: net.IPv6zero, Mask: make(net.IPMask, 16)}},
		}
		port := wireguardPort
		h.wireguard(func(c *wgctrl.Client) error {
			return c.ConfigureDevice("wg0", wgtypes.Config{PrivateKey: &keys[i], ListenPort: &port, Peers: []wgtypes.PeerConfig{peer}})
		})
		h.ip("link set wg0 up")
		ends[i] = h.addressed("wg0", i+1, true)
	}
	a, b := ends[0], ends[1]
	testnet.SendUDP(t, a, b, testnet.UDP{Count: 1}) // the first handshake
	for _, backend := range []string{"tc", "afpacket"} {
		earliest := near.datagrams()
		p := start(t, nil, "--netns", near.NetNS(), "-b", backend, "-i", "p0", "-i", "wg0", "-t", "0", "-j")
		p.counting()
		latest := near.datagrams()
		sent := []testnet.Flow{
			testnet.SendUDP(t, a, b, testnet.UDP{Payload: 300, Count: 30}),
			testnet.SendUDP(t, b, a, testnet.UDP{Payload: 1, Count: 20}),
			testnet.SendUDP(t, a, b, testnet.UDP{V6: true, Payload: 1000, Count: 10}),
			testnet.SendUDP(t, b, a, testnet.UDP{V6: true, Payload: 0, Count: 40}),
		}
		before := near.datagrams()
		p.signal(syscall.SIGINT)
		got := finalOf(t, p)
		after := near.datagrams()
		var all flow.Counters
		for i := range sent {
			sent[i].Key.Dir = [2]flow.Direction{flow.Egress, flow.Ingress}[i%2]
			sent[i].FrameBytes = sent[i].Bytes
			all.Add(sent[i].Counters)
		}
		checkFlows(t, got.byPassage(), sent)
		inside := flow.Counters{}
		for _, l := range got.Links {
			if l.Iface == "wg0" {
				inside = l.flow()
			}
		}
		if inside != all || got.stacked()["wg0"] != "" { // WireGuard packets do not show their inner flow, so wg0 is not stacked
			t.Errorf("%s: wg0 has %+v, sent %+v: %+v", backend, inside, all, got)
		}
		ends := [2]netip.AddrPort{
			netip.AddrPortFrom(netip.MustParseAddr("10.0.0.1"), wireguardPort),
			netip.AddrPortFrom(netip.MustParseAddr("10.0.0.2"), wireguardPort),
		}
		for i, dir := range []flow.Direction{flow.Egress, flow.Ingress} {
			key := flow.Key{Src: ends[i], Dst: ends[1-i], Proto: flow.UDP, Dir: dir}
			c := got.byPassage()[passageOf(&key)]
			const headers = 20 + 8
			payload := int64(c.Bytes) - headers*int64(c.Packets)
			if least, most := before[i]-latest[i], after[i]-earliest[i]; payload < least || payload > most {
				t.Errorf("%s: %s: %d bytes of datagrams are counted, WireGuard has %d to %d", backend, dir, payload, least, most)
			}
			if c.Packets < sent[i].Packets+sent[i+2].Packets || c.FrameBytes != c.Bytes+14*c.Packets {
				t.Errorf("%s: %s: %+v below what was sent", backend, dir, c)
			}
		}
	}
}

// wireguard calls f with a client for the WireGuard interfaces of the host.
func (r *router) wireguard(f func(*wgctrl.Client) error) {
	r.t.Helper()
	err := r.Do(func() error {
		c, err := wgctrl.New()
		if err != nil {
			return err
		}
		defer func() { _ = c.Close() }()
		return f(c)
	})
	if err != nil {
		r.t.Fatalf("wireguard: %v", err)
	}
}

// datagrams returns the bytes that wg0 has sent to its peer and received from it. They include
// WireGuard's header: Linux counts them between WireGuard and UDP (drivers/net/wireguard/socket.c,
// receive.c).
func (r *router) datagrams() (sent [2]int64) {
	r.t.Helper()
	r.wireguard(func(c *wgctrl.Client) error {
		d, err := c.Device("wg0")
		if err != nil {
			return err
		}
		for i := range d.Peers {
			sent[0] += d.Peers[i].TransmitBytes
			sent[1] += d.Peers[i].ReceiveBytes
		}
		return nil
	})
	return sent
}
