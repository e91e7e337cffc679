package trafficgen

import (
	"bufio"
	"io"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/pktstat/pktstat/internal/count/packet"
	"github.com/pktstat/pktstat/internal/test/pcapfile"
)

// sampleSnaplen was the default of old tcpdump versions: headers, and little else.
const sampleSnaplen = 96

// WriteSample writes about ten seconds of a workstation's traffic: about 3,000 packets, cut at 96
// bytes. This is testdata/mix.pcap.
func WriteSample(w io.Writer) error {
	s := &sample{rng: rand.New(rand.NewPCG(1, 2))}
	s.neighbours()
	s.names()
	s.web()
	s.quic()
	s.ssh()
	s.pings()
	s.services()
	s.tunnels()
	slices.SortStableFunc(s.packets, func(a, b pcapfile.Packet) int { return a.Time.Compare(b.Time) })

	buf := bufio.NewWriter(w)
	out, err := pcapfile.NewWriter(buf, packet.LinkTypeEthernet, sampleSnaplen)
	if err != nil {
		return err
	}
	for _, p := range s.packets {
		if err := out.Write(p); err != nil {
			return err
		}
	}
	return buf.Flush()
}

// sample collects packets, and finally sorts them by time.
type sample struct {
	rng     *rand.Rand
	p       builder
	packets []pcapfile.Packet
}

// host is one end of a conversation.
type host struct {
	mac  mac
	addr netip.Addr
	port uint16
}

func (h host) at(port uint16) host { h.port = port; return h }

func (h host) etherType() uint16 {
	if h.addr.Is4() {
		return typeIPv4
	}
	return typeIPv6
}

var (
	stationMAC = mac{0x02, 0, 0, 0, 0, 0x10}
	routerMAC  = mac{0x02, 0, 0, 0, 0, 0x01}

	station  = host{mac: stationMAC, addr: netip.MustParseAddr("192.0.2.10")}
	station6 = host{mac: stationMAC, addr: netip.MustParseAddr("2001:db8::10")}
	router   = host{mac: routerMAC, addr: netip.MustParseAddr("192.0.2.1")}
	router6  = host{mac: routerMAC, addr: netip.MustParseAddr("2001:db8::1")}
	printer  = host{mac: mac{0x02, 0, 0, 0, 0, 0x30}, addr: netip.MustParseAddr("192.0.2.30")}
)

// behind returns a host that is reached through the router.
func behind(addr string, port uint16) host {
	return host{mac: routerMAC, addr: netip.MustParseAddr(addr), port: port}
}

// begin starts a frame.
func (s *sample) begin() *builder {
	s.p.reset()
	return &s.p
}

// end adds the frame, which the station received or sent.
func (s *sample) end(at time.Duration, received bool) {
	var b []byte
	if received {
		b = s.p.padded()
	} else {
		b = s.p.done()
	}
	s.packets = append(s.packets, pcapfile.Packet{
		Time: start.Add(at), Data: slices.Clone(cut(b, sampleSnaplen)), OrigLen: len(b),
	})
}

func (s *sample) udp(at time.Duration, from, to host, n int) {
	p := s.begin()
	p.ethernet(from.mac, to.mac, from.etherType())
	p.ip(from.addr, to.addr, protoUDP)
	p.udp(from.port, to.port, n)
	p.fill(n)
	s.end(at, from.mac != stationMAC)
}

func (s *sample) echo(at time.Duration, from, to host, typ byte, id, seq uint16) {
	proto := byte(protoICMP)
	if from.addr.Is6() {
		proto = protoICMPv6
	}
	p := s.begin()
	p.ethernet(from.mac, to.mac, from.etherType())
	p.ip(from.addr, to.addr, proto)
	p.echo(typ, id, seq)
	p.fill(56)
	s.end(at, from.mac != stationMAC)
}

// ms returns a random duration between two numbers of milliseconds.
func (s *sample) ms(from, to int) time.Duration {
	return time.Duration(from)*time.Millisecond + time.Duration(s.rng.IntN((to-from)*1000))*time.Microsecond
}

func (s *sample) ephemeral() uint16 { return uint16(32768 + s.rng.IntN(28232)) }

// dnsName encodes a name (RFC 1035).
func dnsName(name string) []byte {
	var b []byte
	for label := range strings.SplitSeq(name, ".") {
		b = append(b, byte(len(label)))
		b = append(b, label...)
	}
	return append(b, 0)
}

// dns adds a query, or with answers a response to it.
func (s *sample) dns(at time.Duration, from, to host, id, flags uint16, name string, answers ...netip.Addr) {
	const typeA, typeAAAA, classIN = 1, 28, 1
	qtype := uint16(typeA)
	if len(answers) > 0 && answers[0].Is6() {
		qtype = typeAAAA
	}
	q := dnsName(name)
	n := 12 + len(q) + 4
	for _, a := range answers {
		n += 12 + a.BitLen()/8
	}
	p := s.begin()
	p.ethernet(from.mac, to.mac, from.etherType())
	p.ip(from.addr, to.addr, protoUDP)
	p.udp(from.port, to.port, n)
	p.u16(id, flags, 1, uint16(len(answers)), 0, 0)
	p.bytes(q...)
	p.u16(qtype, classIN)
	for _, a := range answers {
		p.u16(0xc00c, qtype, classIN) // a pointer to the name in the question
		p.u32(300)
		p.u16(uint16(a.BitLen() / 8))
		p.addr(a)
	}
	s.end(at, from.mac != stationMAC)
}

// stream is a TCP connection of the station.
type stream struct {
	s              *sample
	client, server host
	seq            [2]uint32 // of the client and of the server
	at             time.Duration
	rtt            time.Duration
}

const (
	up   = 0 // client to server
	down = 1
)

func (s *sample) dial(at time.Duration, client, server host) *stream {
	c := &stream{
		s: s, client: client, server: server, at: at,
		seq: [2]uint32{s.rng.Uint32(), s.rng.Uint32()}, rtt: s.ms(8, 40),
	}
	c.segment(up, syn, 0)
	c.at += c.rtt
	c.segment(down, syn|ack, 0)
	c.at += 100 * time.Microsecond
	c.segment(up, ack, 0)
	return c
}

func (c *stream) segment(dir int, flags byte, n int) {
	from, to := c.client, c.server
	if dir == down {
		from, to = to, from
	}
	acked := c.seq[1-dir]
	if flags&ack == 0 {
		acked = 0
	}
	p := c.s.begin()
	p.ethernet(from.mac, to.mac, from.etherType())
	p.ip(from.addr, to.addr, protoTCP)
	p.tcp(from.port, to.port, c.seq[dir], acked, flags)
	p.fill(n)
	c.s.end(c.at, dir == down)
	c.seq[dir] += uint32(n)
	if flags&(syn|fin) != 0 {
		c.seq[dir]++
	}
}

// send transfers n bytes in full segments. The peer acknowledges every second one.
func (c *stream) send(dir, n int) {
	mss := 1448
	if c.client.addr.Is6() {
		mss = 1428
	}
	for i := 1; n > 0; i++ {
		size := min(n, mss)
		n -= size
		flags := byte(ack)
		if n == 0 {
			flags |= psh
		}
		c.segment(dir, flags, size)
		c.at += c.s.ms(0, 2) / 8
		if i%2 == 0 || n == 0 {
			c.segment(1-dir, ack, 0)
			c.at += c.s.ms(0, 2) / 4
		}
	}
}

func (c *stream) wait(d time.Duration) { c.at += d }

func (c *stream) close() {
	c.segment(up, fin|ack, 0)
	c.wait(c.rtt)
	c.segment(down, fin|ack, 0)
	c.wait(100 * time.Microsecond)
	c.segment(up, ack, 0)
}
