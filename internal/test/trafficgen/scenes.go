package trafficgen

import (
	"net/netip"
	"time"
)

// sampleTime is the length of the sample.
const sampleTime = 10 * time.Second

var broadcast = mac{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}

// neighbours: ARP, IPv6 neighbour discovery, LLDP, spanning tree, DHCP, IGMP.
func (s *sample) neighbours() {
	for i, peer := range []host{router, printer} {
		at := time.Duration(i)*3*time.Second + 20*time.Millisecond
		p := s.begin()
		p.ethernet(station.mac, broadcast, typeARP)
		p.arp(1, station.mac, mac{}, station.addr, peer.addr)
		s.end(at, false)
		p = s.begin()
		p.ethernet(peer.mac, station.mac, typeARP)
		p.arp(2, peer.mac, station.mac, peer.addr, station.addr)
		s.end(at+400*time.Microsecond, true)
	}

	solicited := host{mac: mac{0x33, 0x33, 0xff, 0, 0, 1}, addr: netip.MustParseAddr("ff02::1:ff00:1")}
	s.discovery(30*time.Millisecond, station6, solicited, 135, router6.addr)
	s.discovery(31*time.Millisecond, router6, station6, 136, router6.addr)
	s.discovery(5030*time.Millisecond, router6, station6, 135, station6.addr)
	s.discovery(5031*time.Millisecond, station6, router6, 136, station6.addr)

	for at := time.Second; at < sampleTime; at += 2 * time.Second {
		p := s.begin() // a bridge protocol data unit (802.1D) after an LLC header
		p.ethernet(router.mac, mac{0x01, 0x80, 0xc2, 0, 0, 0}, 38)
		p.bytes(0x42, 0x42, 3, 0, 0, 0, 0, 0)
		p.bytes(make([]byte, 30)...)
		s.end(at, true)
	}
	p := s.begin()
	p.ethernet(router.mac, mac{0x01, 0x80, 0xc2, 0, 0, 0x0e}, typeLLDP)
	p.bytes(2, 7, 4)
	p.bytes(routerMAC[:]...)
	p.bytes(4, 3, 5, '1', '7', 6, 2, 0, 120, 0, 0)
	s.end(4*time.Second, true)

	p = s.begin()
	p.ethernet(router.mac, mac{0x01, 0, 0x5e, 0, 0, 1}, typeIPv4)
	p.ip(router.addr, netip.MustParseAddr("224.0.0.1"), protoIGMP)
	p.routerAlert()
	p.bytes(0x11, 100, 0xee, 0x9b, 0, 0, 0, 0)
	s.end(6*time.Second, true)
}

// discovery adds a neighbour solicitation (135) or advertisement (136, RFC 4861).
func (s *sample) discovery(at time.Duration, from, to host, typ byte, target netip.Addr) {
	p := s.begin()
	p.ethernet(from.mac, to.mac, typeIPv6)
	p.ip(from.addr, to.addr, protoICMPv6)
	p.hopLimit(255) // RFC 4861 requires it
	p.bytes(typ, 0, 0, 0, 0, 0, 0, 0)
	p.addr(target)
	p.bytes(typ-134, 1) // link-layer address of the source or target
	p.bytes(from.mac[:]...)
	s.end(at, from.mac != stationMAC)
}

// names: DNS over IPv4 and IPv6, and multicast DNS.
func (s *sample) names() {
	resolver, resolver6 := router.at(53), router6.at(53)
	names := []string{
		"www.example.com", "api.example.com", "cdn.example.net", "mail.example.org", "static.example.net",
		"updates.example.org", "img.example.com", "git.example.org", "time.example.net", "login.example.com",
	}
	for i := range 60 {
		at := s.ms(0, 9800)
		from, to := station.at(s.ephemeral()), resolver
		answer := netip.AddrFrom4([4]byte{198, 51, 100, byte(20 + i%10)})
		if i%4 == 3 {
			from, to = station6.at(s.ephemeral()), resolver6
			answer = netip.MustParseAddr("2001:db8:2::80")
		}
		id := uint16(s.rng.Uint32())
		s.dns(at, from, to, id, 0x0100, names[i%len(names)])
		s.dns(at+s.ms(1, 30), to, from, id, 0x8180, names[i%len(names)], answer)
	}
	group := host{mac: mac{0x01, 0, 0x5e, 0, 0, 0xfb}, addr: netip.MustParseAddr("224.0.0.251"), port: 5353}
	group6 := host{mac: mac{0x33, 0x33, 0, 0, 0, 0xfb}, addr: netip.MustParseAddr("ff02::fb"), port: 5353}
	for i := range 6 {
		at := time.Duration(i)*1500*time.Millisecond + 300*time.Millisecond
		s.dns(at, printer.at(5353), group, 0, 0, "_ipp._tcp.local")
		s.dns(at+time.Millisecond, station6.at(5353), group6, 0, 0, "_ipp._tcp.local")
	}
}

// web: TCP connections with TLS, over both IP versions.
func (s *sample) web() {
	for i, size := range []int{420_000, 61_000, 38_000, 52_000, 9_000, 27_000, 84_000, 4_000, 140_000, 15_000, 31_000, 2_000} {
		client := station.at(s.ephemeral())
		server := behind(netip.AddrFrom4([4]byte{198, 51, 100, byte(20 + i%5)}).String(), 443)
		if i%3 == 2 {
			client, server = station6.at(client.port), behind("2001:db8:2::80", 443)
		}
		c := s.dial(s.ms(100, 7000), client, server)
		c.send(up, 517) // client hello
		c.send(down, 3800)
		c.send(up, 80)
		for ; size > 0; size -= 60_000 {
			c.send(up, 400+s.rng.IntN(300)) // request
			c.wait(s.ms(10, 120))
			c.send(down, min(size, 60_000))
		}
		c.close()
	}

	c := s.dial(2*time.Second, station.at(s.ephemeral()), behind("203.0.113.80", 80))
	c.send(up, 180)
	c.wait(30 * time.Millisecond)
	c.send(down, 90_000)
	c.close()

	c = s.dial(3*time.Second, station.at(s.ephemeral()), behind("203.0.113.25", 587)) // mail: an upload
	c.send(down, 60)
	c.send(up, 150_000)
	c.close()

	refused := stream{s: s, client: station.at(s.ephemeral()), server: behind("203.0.113.81", 8443), at: 4 * time.Second}
	refused.segment(up, syn, 0)
	refused.wait(12 * time.Millisecond)
	refused.segment(down, rst|ack, 0)
}

// quic: HTTP/3, larger datagrams down than up.
func (s *sample) quic() {
	for i, n := range []int{160, 70, 40} {
		client, server := station.at(s.ephemeral()), behind("198.51.100.40", 443)
		if i == 1 {
			client, server = station6.at(client.port), behind("2001:db8:3::40", 443)
		}
		at := s.ms(500, 6000)
		s.udp(at, client, server, 1200)
		at += s.ms(10, 30)
		s.udp(at, server, client, 1200)
		for j := range n {
			at += s.ms(0, 12)
			if j%4 == 0 {
				s.udp(at, client, server, 30+s.rng.IntN(60))
				continue
			}
			s.udp(at, server, client, 1250)
		}
	}
}

// ssh: keystrokes and their echoes, over a connection that is older than the capture.
func (s *sample) ssh() {
	c := stream{
		s: s, client: station.at(51022), server: behind("203.0.113.22", 22),
		seq: [2]uint32{s.rng.Uint32(), s.rng.Uint32()}, at: 200 * time.Millisecond,
	}
	for c.at < 9500*time.Millisecond {
		c.segment(up, psh|ack, 36)
		c.wait(s.ms(9, 14))
		c.segment(down, psh|ack, 36+4*s.rng.IntN(20))
		c.wait(s.ms(0, 1))
		c.segment(up, ack, 0)
		c.wait(s.ms(60, 240))
	}
}

// pings: echo requests over both IP versions, and a closed port.
func (s *sample) pings() {
	target, target6 := behind("203.0.113.7", 0), behind("2001:db8:2::80", 0)
	for i := range uint16(10) {
		at := time.Duration(i)*time.Second + 137*time.Millisecond
		s.echo(at, station, target, 8, 4711, i)
		s.echo(at+s.ms(11, 15), target, station, 0, 4711, i)
		if i%2 == 0 {
			s.echo(at+500*time.Millisecond, station6, target6, 128, 4712, i)
			s.echo(at+500*time.Millisecond+s.ms(11, 15), target6, station6, 129, 4712, i)
		}
	}
	closed := behind("203.0.113.99", 33434)
	s.udp(7*time.Second, station.at(40000), closed, 32)
	p := s.begin()
	p.ethernet(closed.mac, station.mac, typeIPv4)
	p.ip(closed.addr, station.addr, protoICMP)
	p.bytes(3, 3, 0, 0, 0, 0, 0, 0)
	p.ip(station.addr, closed.addr, protoUDP)
	p.udp(40000, closed.port, 0)
	s.end(7*time.Second+13*time.Millisecond, true)
}

// services: NTP, DHCP, a large datagram in fragments, SCTP.
func (s *sample) services() {
	for i := range 4 {
		at := time.Duration(i)*2*time.Second + 900*time.Millisecond
		server := behind(netip.AddrFrom4([4]byte{203, 0, 113, byte(123 + i)}).String(), 123)
		s.udp(at, station.at(123), server, 48)
		s.udp(at+s.ms(5, 25), server, station.at(123), 48)
	}
	boot := host{mac: mac{0x02, 0, 0, 0, 0, 0x31}, addr: netip.IPv4Unspecified()}
	p := s.begin()
	p.ethernet(boot.mac, broadcast, typeIPv4)
	p.ip(boot.addr, netip.MustParseAddr("255.255.255.255"), protoUDP)
	p.udp(68, 67, 300)
	p.bytes(1, 1, 6, 0) // a DHCP request from an Ethernet address
	p.fill(296)
	s.end(1500*time.Millisecond, true)

	for i := range uint16(3) { // NFS over UDP: 4,000 bytes in three fragments
		at := time.Duration(i)*2*time.Second + 1700*time.Millisecond
		for j, n := range []int{1480, 1480, 1048} {
			field := uint16(j * 1480 / 8)
			if j < 2 {
				field |= 0x2000 // more fragments
			}
			p := s.begin()
			p.ethernet(printer.mac, station.mac, typeIPv4)
			p.ipFragment(printer.addr, station.addr, protoUDP, 1000+i, field)
			if j == 0 {
				p.udp(2049, 800, 4000)
				n -= udpLen
			}
			p.fill(n)
			s.end(at+time.Duration(j)*20*time.Microsecond, true)
		}
	}
}

// tunnels: GRE, ESP, and traffic in a VLAN.
func (s *sample) tunnels() {
	gre := behind("198.51.100.200", 0)
	for i := range 24 {
		at := time.Duration(i)*400*time.Millisecond + 50*time.Millisecond
		from, to := station, gre
		if i%2 == 1 {
			from, to = to, from
		}
		p := s.begin()
		p.ethernet(from.mac, to.mac, typeIPv4)
		p.ip(from.addr, to.addr, protoGRE)
		p.u16(0, typeIPv4)
		p.ip(netip.MustParseAddr("192.0.2.129"), netip.MustParseAddr("192.0.2.130"), protoICMP)
		p.echo(8, 1, uint16(i))
		p.fill(56)
		s.end(at, from.mac != stationMAC)
	}
	esp := behind("198.51.100.201", 0)
	for i := range 40 {
		from, to, spi := station, esp, uint32(0xc0ffee01)
		if i%2 == 1 {
			from, to, spi = to, from, 0xc0ffee02
		}
		p := s.begin()
		p.ethernet(from.mac, to.mac, typeIPv4)
		p.ip(from.addr, to.addr, protoESP)
		p.u32(spi, uint32(1+i/2))
		p.fill(4 * (20 + s.rng.IntN(200)))
		s.end(time.Duration(i)*200*time.Millisecond+77*time.Millisecond, from.mac != stationMAC)
	}
	phone, exchange := host{mac: mac{0x02, 0, 0, 0, 0, 0x40}, addr: netip.MustParseAddr("192.0.2.140"), port: 16384},
		host{mac: routerMAC, addr: netip.MustParseAddr("203.0.113.60"), port: 20000}
	for i := range 250 { // a call: 20 ms of sound a packet, both ways, VLAN 20 with priority
		at := 4*time.Second + time.Duration(i)*20*time.Millisecond
		for j, ends := range [][2]host{{phone, exchange}, {exchange, phone}} {
			from, to := ends[0], ends[1]
			p := s.begin()
			p.ethernet(from.mac, to.mac, typeVLAN)
			p.tag(5<<13|20, typeIPv4)
			p.ip(from.addr, to.addr, protoUDP)
			p.udp(from.port, to.port, 172)
			p.fill(172)
			s.end(at+time.Duration(j)*7*time.Millisecond, true)
		}
	}
}
