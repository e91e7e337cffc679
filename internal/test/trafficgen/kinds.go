package trafficgen

// The kinds of conversations. Each method appends one packet.

func (g *generator) tcp(c *conversation) {
	g.p.ethernet(c.srcMAC, c.dstMAC, typeIPv4)
	g.p.ip(c.src, c.dst, protoTCP)
	g.segment(c, 1448)
}

func (g *generator) tcp6(c *conversation) {
	g.p.ethernet(c.srcMAC, c.dstMAC, typeIPv6)
	g.p.ip(c.src6, c.dst6, protoTCP)
	g.segment(c, 1428)
}

func (g *generator) segment(c *conversation, full int) {
	g.p.tcp(c.srcPort, c.dstPort, g.rng.Uint32(), g.rng.Uint32(), ack)
	g.p.fill(g.size(full))
}

func (g *generator) udp(c *conversation) {
	g.p.ethernet(c.srcMAC, c.dstMAC, typeIPv4)
	g.p.ip(c.src, c.dst, protoUDP)
	g.datagram(c, 1472)
}

func (g *generator) udp6(c *conversation) {
	g.p.ethernet(c.srcMAC, c.dstMAC, typeIPv6)
	g.p.ip(c.src6, c.dst6, protoUDP)
	g.datagram(c, 1452)
}

func (g *generator) datagram(c *conversation, full int) {
	n := g.size(full)
	g.p.udp(c.srcPort, c.dstPort, n)
	g.p.fill(n)
}

func (g *generator) vlan(c *conversation) {
	g.p.ethernet(c.srcMAC, c.dstMAC, typeVLAN)
	g.p.tag(uint16(1+c.n%4000), typeIPv4)
	g.p.ip(c.src, c.dst, protoTCP)
	g.segment(c, 1448)
}

func (g *generator) qinq(c *conversation) {
	g.p.ethernet(c.srcMAC, c.dstMAC, typeQinQ)
	g.p.tag(uint16(1+c.n%4000), typeVLAN)
	g.p.tag(uint16(1+c.n%100), typeIPv6)
	g.p.ip(c.src6, c.dst6, protoUDP)
	g.datagram(c, 1452)
}

func (g *generator) icmp(c *conversation) {
	g.p.ethernet(c.srcMAC, c.dstMAC, typeIPv4)
	g.p.ip(c.src, c.dst, protoICMP)
	typ := byte(8) // echo request
	if c.reverse {
		typ = 0
	}
	g.p.echo(typ, uint16(c.n), uint16(g.rng.Uint32()))
	g.p.fill(56)
}

func (g *generator) icmp6(c *conversation) {
	g.p.ethernet(c.srcMAC, c.dstMAC, typeIPv6)
	g.p.ip(c.src6, c.dst6, protoICMPv6)
	typ := byte(128) // echo request
	if c.reverse {
		typ = 129
	}
	g.p.echo(typ, uint16(c.n), uint16(g.rng.Uint32()))
	g.p.fill(56)
}

func (g *generator) arp(c *conversation) {
	g.p.ethernet(c.srcMAC, c.dstMAC, typeARP)
	op := uint16(1) // request
	if c.reverse {
		op = 2
	}
	g.p.arp(op, c.srcMAC, c.dstMAC, c.src, c.dst)
}

func (g *generator) gre(c *conversation) {
	g.p.ethernet(c.srcMAC, c.dstMAC, typeIPv4)
	g.p.ip(c.src, c.dst, protoGRE)
	g.p.u16(0, typeIPv4)
	g.p.ip(address4(192<<24|2<<8, 1), address4(192<<24|2<<8, 2), protoTCP)
	g.segment(c, 1400)
}

func (g *generator) esp(c *conversation) {
	g.p.ethernet(c.srcMAC, c.dstMAC, typeIPv4)
	g.p.ip(c.src, c.dst, protoESP)
	g.p.u32(uint32(0x10000+c.n), g.rng.Uint32())
	g.p.fill(4 * (8 + g.size(1400)/4))
}

func (g *generator) sctp(c *conversation) {
	g.p.ethernet(c.srcMAC, c.dstMAC, typeIPv4)
	g.p.ip(c.src, c.dst, protoSCTP)
	g.p.u16(c.srcPort, c.dstPort)
	g.p.u32(uint32(c.n), 0)
	g.p.bytes(4, 0) // heartbeat
	g.p.u16(4 + 4 + 32)
	g.p.u16(1, 4+32)
	g.p.fill(32)
}

// laterFragment is never the first fragment of a datagram, so it has no ports.
func (g *generator) laterFragment(c *conversation) {
	g.p.ethernet(c.srcMAC, c.dstMAC, typeIPv4)
	g.p.ipFragment(c.src, c.dst, protoUDP, uint16(g.rng.Uint32()), 185)
	g.p.fill(100 + g.size(1300))
}

func (g *generator) ipOptions(c *conversation) {
	g.p.ethernet(c.srcMAC, c.dstMAC, typeIPv4)
	g.p.ip(c.src, c.dst, protoUDP)
	g.p.routerAlert()
	g.datagram(c, 1400)
}

func (g *generator) extHeaders(c *conversation) {
	g.p.ethernet(c.srcMAC, c.dstMAC, typeIPv6)
	g.p.ip(c.src6, c.dst6, protoDstOpt)
	g.p.bytes(protoTCP, 0, 1, 4, 0, 0, 0, 0)
	g.segment(c, 1400)
}
