package main

// snaplenFrames are cut: the capture has fewer bytes than the wire.
func snaplenFrames() []frame {
	tcp4 := eth(0x0800, ip4(6, tcp(1460)))
	udp4 := pad(60, eth(0x0800, ip4(17, udp(4)))) // 32 bytes of layer 3, 14 of padding
	udp6 := eth(0x86dd, ip6(17, udp(18)))
	chain := eth(0x86dd, ip6(0, ext(60, 0), ext(17, 0), udp(18)))
	options := eth(0x0800, ip4Options(40, 6, tcp(18)))
	return []frame{
		{name: "tcp-96", data: tcp4, caplen: 96},
		{name: "tcp-9000-96", data: eth(0x0800, ip4(6, tcp(8960))), caplen: 96},
		{name: "ethernet-10", data: udp4, caplen: 10},
		{name: "ethernet-14", data: udp4, caplen: 14},
		{name: "ipv4-19", data: udp4, caplen: 14 + 19},
		{name: "ipv4-20", data: udp4, caplen: 14 + 20},
		{name: "ports-3", data: udp4, caplen: 14 + 23},
		{name: "ports-4", data: udp4, caplen: 14 + 24},
		{name: "padding", data: udp4, caplen: 50},
		{name: "options", data: options, caplen: 14 + 40},
		{name: "options-60", data: options, caplen: 14 + 60},
		{name: "ihl-beyond-capture", data: put(udp4, 14, 0x4b), caplen: 14 + 30},
		{name: "ihl-beyond-frame", data: put(udp4, 14, 0x4c), caplen: 14 + 30},
		{name: "total-length-above-wire", data: put(tcp4, 16, 0xff, 0xff), caplen: 96},
		{name: "total-length-0", data: put(tcp4, 16, 0, 0), caplen: 96},
		{name: "vlan-16", data: eth(0x8100, tag(7, 0x0800), ip4(17, udp(18))), caplen: 16},
		{name: "vlan-18", data: eth(0x8100, tag(7, 0x0800), ip4(17, udp(18))), caplen: 18},
		{name: "pppoe-21", data: eth(0x8864, pppoe(0x0021, ip4(6, tcp(1400)))), caplen: 14 + 7},
		{name: "pppoe-41", data: eth(0x8864, pppoe(0x0021, ip4(6, tcp(1400)))), caplen: 14 + 8 + 19},
		{name: "pppoe-96", data: eth(0x8864, pppoe(0x0021, ip4(6, tcp(1400)))), caplen: 96},
		{name: "mpls-in-label", data: eth(0x8847, label(16, 1), ip4(6, tcp(1400))), caplen: 14 + 3},
		{name: "mpls-19", data: eth(0x8847, label(16, 1), ip4(6, tcp(1400))), caplen: 14 + 4 + 19},
		{name: "mpls-20", data: eth(0x8847, label(16, 1), ip4(6, tcp(1400))), caplen: 14 + 4 + 20},
		{name: "mpls-ipv6-39", data: eth(0x8847, label(16, 1), ip6(6, tcp(1400))), caplen: 14 + 4 + 39},
		{name: "mpls-ipv6-40", data: eth(0x8847, label(16, 1), ip6(6, tcp(1400))), caplen: 14 + 4 + 40},
		{name: "arp-27", data: pad(60, eth(0x0806, arp(1))), caplen: 14 + 27},
		{name: "arp-28", data: pad(60, eth(0x0806, arp(1))), caplen: 14 + 28},
		{name: "lldp-20", data: pad(60, eth(0x88cc)), caplen: 20},
		{name: "ipv6-39", data: udp6, caplen: 14 + 39},
		{name: "ipv6-40", data: udp6, caplen: 14 + 40},
		{name: "ipv6-ports-4", data: udp6, caplen: 14 + 44},
		{name: "ext-7", data: chain, caplen: 14 + 40 + 7},
		{name: "ext-8", data: chain, caplen: 14 + 40 + 8},
		{name: "ext-16", data: chain, caplen: 14 + 40 + 16},
		{name: "jumbo-7", data: put(eth(0x86dd, ip6(0, jumbo(17, 34), udp(18))), 18, 0, 0), caplen: 14 + 40 + 7},
		{name: "fragment-later", data: eth(0x0800, ip4Fragment(185, true, 17, fill(1480))), caplen: 96},
		{name: "icmp-1", data: eth(0x0800, ip4(1, icmp(8, 0, 56))), caplen: 14 + 21},
		{name: "icmp-2", data: eth(0x0800, ip4(1, icmp(8, 0, 56))), caplen: 14 + 22},
		{name: "gre-3", data: eth(0x0800, ip4(47, raw("0000 0800"), ip4(6, tcp(20)))), caplen: 14 + 23},
		{name: "esp-3", data: eth(0x0800, ip4(50, be32(0x12345678), fill(28))), caplen: 14 + 23},
		{name: "ah-7", data: eth(0x0800, ip4(51, ahExt(6, 4, 0x12345678), tcp(0))), caplen: 14 + 27},
		{name: "ah-8", data: eth(0x0800, ip4(51, ahExt(6, 4, 0x12345678), tcp(0))), caplen: 14 + 28},
	}
}

// rawFrames start at layer 3.
func rawFrames() []frame {
	return []frame{
		{name: "ipv4", data: ip4(17, udp(18))},
		{name: "ipv6", data: ip6(17, udp(18))},
		{name: "ipv4-tcp", data: ip4(6, tcp(20))},
		{name: "ipv4-trailer", data: pad(46, ip4(17, udp(4)))},
		{name: "ipv6-trailer", data: pad(66, ip6(17, udp(4)))},
		{name: "ipv4-total-length-0", data: put(ip4(17, udp(18)), 2, 0, 0)},
		{name: "ipv4-fragment-later", data: ip4Fragment(4, false, 17, fill(20))},
		{name: "ipv6-chain", data: ip6(0, ext(43, 0), routeExt(6, 0), tcp(0))},
		{name: "ipv6-icmpv6", data: ip6(58, icmp(128, 0, 56))},
		{name: "nothing", data: nil},
		{name: "ipv4-1-byte", data: ip4(17)[:1]},
		{name: "ipv4-19-bytes", data: ip4(17)[:19]},
		{name: "ipv4-ihl-4", data: put(ip4(17, udp(18)), 0, 0x44)},
		{name: "ipv6-39-bytes", data: ip6(59)[:39]},
		{name: "version-0", data: put(ip4(17, udp(18)), 0, 0x05)},
		{name: "version-5", data: put(ip4(17, udp(18)), 0, 0x55)},
		{name: "version-15", data: put(ip4(17, udp(18)), 0, 0xf5)},
		{name: "arp", data: arp(1)},
		{name: "ipv4-cut", data: ip4(6, tcp(1460)), caplen: 82},
		{name: "ipv4-cut-in-header", data: ip4(6, tcp(1460)), caplen: 19},
	}
}

func linkIPv4Frames() []frame {
	return []frame{
		{name: "ipv4", data: ip4(17, udp(18))},
		{name: "version-6", data: ip6(17, udp(18))},
		{name: "nothing", data: nil},
	}
}

func linkIPv6Frames() []frame {
	return []frame{
		{name: "ipv6", data: ip6(17, udp(18))},
		{name: "version-4", data: ip4(17, udp(18))},
		{name: "nothing", data: nil},
	}
}

func nullFrames() []frame {
	packet4, packet6 := ip4(17, udp(18)), ip6(17, udp(18))
	return []frame{
		{name: "ipv4", data: join(raw("02000000"), packet4)},
		{name: "ipv4-big-endian", data: join(raw("00000002"), packet4)},
		{name: "ipv6-linux", data: join(raw("0a000000"), packet6)},
		{name: "ipv6-windows", data: join(raw("17000000"), packet6)},
		{name: "ipv6-netbsd", data: join(raw("18000000"), packet6)},
		{name: "ipv6-freebsd", data: join(raw("1c000000"), packet6)},
		{name: "ipv6-darwin", data: join(raw("1e000000"), packet6)},
		{name: "ipv6-darwin-big-endian", data: join(raw("0000001e"), packet6)},
		{name: "ipv4-trailer", data: join(raw("02000000"), pad(46, ip4(17, udp(4))))},
		{name: "ipv4-family-of-ipv6", data: join(raw("02000000"), packet6)},
		{name: "ipv6-family-of-ipv4", data: join(raw("1e000000"), packet4)},
		{name: "family-0-ipv4", data: join(raw("00000000"), packet4)},
		{name: "family-7-iso", data: join(raw("07000000"), raw("83 1b 0100 0f 01"), fill(40))},
		{name: "header-only", data: raw("02000000")},
		{name: "cut-header", data: raw("020000")},
		{name: "cut-header-of-50", data: join(raw("02000000"), packet4), caplen: 3},
		{name: "cut-packet", data: join(raw("02000000"), ip4(6, tcp(1460))), caplen: 96},
	}
}

func loopFrames() []frame {
	return []frame{
		{name: "ipv4", data: join(raw("00000002"), ip4(17, udp(18)))},
		{name: "ipv6-openbsd", data: join(raw("00000018"), ip6(17, udp(18)))},
		{name: "family-16-appletalk", data: join(raw("00000010"), raw("00 0d 0000"), fill(9))},
		{name: "little-endian-ipv4", data: join(raw("02000000"), ip4(17, udp(18)))},
		{name: "little-endian-ipv4-of-ipv6", data: join(raw("02000000"), ip6(17, udp(18)))},
		{name: "cut-header", data: raw("00")},
	}
}

// sll returns a cooked header (16 bytes) and the rest.
func sll(arphrd, protocol int, rest ...[]byte) []byte {
	return join(raw("0000"), be16(arphrd), raw("0006 020000000001 0000"), be16(protocol), join(rest...))
}

// ARPHRD numbers (include/uapi/linux/if_arp.h).
const (
	arphrdEther    = 1
	arphrdPPP      = 512
	arphrdLoopback = 772
	arphrdNone     = 0xfffe
)

func sllFrames() []frame {
	packet4, packet6 := ip4(17, udp(18)), ip6(17, udp(18))
	return []frame{
		{name: "ethernet-ipv4", data: sll(arphrdEther, 0x0800, packet4)},
		{name: "ethernet-ipv6", data: sll(arphrdEther, 0x86dd, packet6)},
		{name: "ethernet-outgoing", data: put(sll(arphrdEther, 0x0800, packet4), 1, 4)},
		{name: "ethernet-padded", data: sll(arphrdEther, 0x0800, pad(46, ip4(17, udp(4))))},
		{name: "loopback-ipv4", data: sll(arphrdLoopback, 0x0800, packet4)},
		{name: "none-ipv4", data: sll(arphrdNone, 0x0800, packet4)},
		{name: "none-ipv4-trailer", data: sll(arphrdNone, 0x0800, pad(46, ip4(17, udp(4))))},
		{name: "ppp-ipv6", data: sll(arphrdPPP, 0x86dd, packet6)},
		{name: "ethernet-arp", data: sll(arphrdEther, 0x0806, pad(46, arp(1)))},
		{name: "ethernet-lldp", data: sll(arphrdEther, 0x88cc, fill(46))},
		{name: "ethernet-802.2", data: sll(arphrdEther, 0x0004, raw("42 42 03 0000 00 00 00"), make([]byte, 38))},
		{name: "ethernet-802.3", data: sll(arphrdEther, 0x0001, raw("ffff"), fill(44))},
		{name: "none-protocol-0", data: sll(arphrdNone, 0, packet4)},
		{name: "ethernet-vlan", data: sll(arphrdEther, 0x8100, tag(7, 0x0800), packet4)},
		{name: "ethernet-vlan-cut", data: sll(arphrdEther, 0x8100, raw("0007"))},
		{name: "ethernet-mpls", data: sll(arphrdEther, 0x8847, label(16, 1), packet4)},
		{name: "none-mpls", data: sll(arphrdNone, 0x8847, label(16, 0), label(17, 1), packet4)},
		{name: "ethernet-pppoe", data: sll(arphrdEther, 0x8864, pppoe(0x0057, packet6))},
		{name: "ethernet-version-6", data: sll(arphrdEther, 0x0800, packet6)},
		{name: "header-only", data: sll(arphrdEther, 0x0800)},
		{name: "cut-header", data: sll(arphrdEther, 0x0800)[:15]},
		{name: "cut-header-of-62", data: sll(arphrdEther, 0x0800, packet4), caplen: 12},
		{name: "ethernet-segments", data: sll(arphrdEther, 0x0800, ip4(6, tcp(300)))},
		{name: "cut-packet", data: sll(arphrdEther, 0x0800, ip4(6, tcp(1460))), caplen: 96},
	}
}

// sll2 returns a cooked header of version 2 (20 bytes) and the rest.
func sll2(arphrd, protocol int, rest ...[]byte) []byte {
	return join(be16(protocol), raw("0000 00000002"), be16(arphrd), raw("00 06 020000000001 0000"), join(rest...))
}

func sll2Frames() []frame {
	packet4, packet6 := ip4(17, udp(18)), ip6(17, udp(18))
	return []frame{
		{name: "ethernet-ipv4", data: sll2(arphrdEther, 0x0800, packet4)},
		{name: "ethernet-ipv6", data: sll2(arphrdEther, 0x86dd, packet6)},
		{name: "ethernet-padded", data: sll2(arphrdEther, 0x0800, pad(46, ip4(17, udp(4))))},
		{name: "loopback-ipv6", data: sll2(arphrdLoopback, 0x86dd, packet6)},
		{name: "none-ipv4", data: sll2(arphrdNone, 0x0800, packet4)},
		{name: "ethernet-arp", data: sll2(arphrdEther, 0x0806, pad(46, arp(2)))},
		{name: "ethernet-lldp", data: sll2(arphrdEther, 0x88cc, fill(46))},
		{name: "none-protocol-0", data: sll2(arphrdNone, 0, packet4)},
		{name: "cut-header", data: sll2(arphrdEther, 0x0800)[:19]},
		{name: "cut-packet", data: sll2(arphrdEther, 0x0800, ip4(6, tcp(1460))), caplen: 96},
	}
}
