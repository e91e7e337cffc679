package main

func ethernetFrames() []frame {
	return []frame{
		{name: "ipv4", data: eth(0x0800, ip4(17, udp(18)))},
		{name: "ipv6", data: eth(0x86dd, ip6(17, udp(18)))},
		{name: "ipv4-tcp-syn-padded", data: pad(60, eth(0x0800, ip4(6, tcp(0))))},
		{name: "ipv4-padded", data: pad(60, eth(0x0800, ip4(17, udp(4))))},
		{name: "ipv6-padded", data: pad(60, eth(0x86dd, ip6(59)))},
		{name: "ipv4-1500", data: eth(0x0800, ip4(6, tcp(1460)))},
		{name: "ipv6-1500", data: eth(0x86dd, ip6(6, tcp(1440)))},
		{name: "ipv4-9000", data: eth(0x0800, ip4(17, udp(8972)))},
		{name: "ipv6-9000", data: eth(0x86dd, ip6(17, udp(8952)))},

		{name: "runt-0", data: nil},
		{name: "runt-1", data: eth(0x0800)[:1]},
		{name: "runt-13", data: eth(0x0800)[:13]},
		{name: "header-only-ipv4", data: eth(0x0800)},
		{name: "header-only-ipv6", data: eth(0x86dd)},
		{name: "header-only-lldp", data: eth(0x88cc)},

		{name: "llc-stp", data: pad(60, eth(0x0026, raw("42 42 03 0000 00 00 00"), make([]byte, 30)))},
		{name: "llc-length-0", data: pad(60, eth(0x0000))},
		{name: "llc-length-1500", data: eth(0x05dc, raw("fe fe 03"), fill(1497))},
		{name: "llc-snap-ipv4", data: pad(60, eth(0x0028, raw("aa aa 03 000000 0800"), ip4(17, udp(4))))},
		{name: "type-05ff", data: pad(60, eth(0x05ff))},
		{name: "type-0600", data: pad(60, eth(0x0600))},

		{name: "lldp", data: pad(60, eth(0x88cc, raw("0207 04020000000001 0403 050131 0602 0078 0000")))},
		{name: "pppoe-discovery", data: pad(60, eth(0x8863, raw("11 09 0000 0004 0101 0000")))},
		{name: "rarp", data: pad(60, eth(0x8035, arp(3)))},
		{name: "eapol", data: pad(60, eth(0x888e, raw("01 01 0000")))},
		{name: "macsec", data: pad(60, eth(0x88e5, raw("2c 00 00000001")))},
		{name: "ptp", data: pad(60, eth(0x88f7, raw("00 02")))},
		{name: "type-ffff", data: pad(60, eth(0xffff))},
	}
}

func vlanFrames() []frame {
	packet := ip4(17, udp(18)) // 46 bytes
	return []frame{
		{name: "802.1q", data: eth(0x8100, tag(7, 0x0800), packet)},
		{name: "802.1ad", data: eth(0x88a8, tag(7, 0x0800), packet)},
		{name: "802.1q-ipv6", data: eth(0x8100, tag(7, 0x86dd), ip6(17, udp(18)))},
		{name: "802.1q-arp", data: pad(64, eth(0x8100, tag(7, 0x0806), arp(1)))},
		{name: "802.1q-lldp", data: pad(64, eth(0x8100, tag(7, 0x88cc)))},
		{name: "802.1q-llc", data: pad(64, eth(0x8100, tag(7, 0x0026), raw("42 42 03")))},
		{name: "802.1q-padded", data: pad(64, eth(0x8100, tag(7, 0x0800), ip4(17, udp(4))))},
		{name: "qinq-ad-q", data: eth(0x88a8, tag(100, 0x8100), tag(200, 0x0800), packet)},
		{name: "qinq-q-q", data: eth(0x8100, tag(100, 0x8100), tag(200, 0x0800), packet)},
		{name: "qinq-ad-ad", data: eth(0x88a8, tag(100, 0x88a8), tag(200, 0x86dd), ip6(17, udp(18)))},
		{name: "priority-tag", data: eth(0x8100, tag(0xa000, 0x0800), packet)},
		{name: "priority-tag-outside", data: eth(0x88a8, tag(0, 0x8100), tag(5, 0x0800), packet)},
		{name: "priority-tag-inside", data: eth(0x88a8, tag(5, 0x8100), tag(0, 0x0800), packet)},
		{name: "pcp-and-dei", data: eth(0x8100, tag(0xf00a, 0x0800), packet)},
		{name: "id-4095", data: eth(0x8100, tag(0xffff, 0x0800), packet)},
		{name: "third-tag", data: eth(0x8100, tag(1, 0x8100), tag(2, 0x8100), tag(3, 0x0800), packet)},
		{name: "third-tag-ad", data: eth(0x88a8, tag(1, 0x8100), tag(2, 0x88a8), tag(3, 0x0800), packet)},
		{name: "third-tag-9100", data: eth(0x9100, tag(1, 0x9100), tag(2, 0x8100), tag(3, 0x86dd), ip6(17, udp(18)))},
		{name: "9100", data: eth(0x9100, tag(7, 0x0800), packet)},
		{name: "9100-cut", data: eth(0x9100, raw("0007 08"))},
		{name: "tag-llc-length-0", data: pad(64, eth(0x8100, tag(7, 0x0000)))},
		{name: "third-tag-cut", data: eth(0x8100, tag(1, 0x8100), tag(2, 0x8100))},
		{name: "cut-before-tag", data: eth(0x8100)},
		{name: "cut-in-tag-1", data: eth(0x8100, raw("00"))},
		{name: "cut-in-tag-3", data: eth(0x88a8, raw("0007 08"))},
		{name: "cut-before-second-tag", data: eth(0x88a8, tag(7, 0x8100))},
		{name: "cut-in-second-tag", data: eth(0x8100, tag(7, 0x88a8), raw("0008 08"))},
		{name: "cut-after-tag", data: eth(0x8100, tag(7, 0x0800))},
		{name: "cut-after-second-tag", data: eth(0x88a8, tag(7, 0x8100), tag(8, 0x86dd))},
	}
}

// vlanOffloadFrames lack the outermost tag. The truth has the tag that the kernel would keep
// outside of the frame.
func vlanOffloadFrames() []frame {
	packet := ip4(17, udp(18))
	return []frame{
		{name: "tag", data: eth(0x0800, packet)},
		{name: "pcp-and-dei", data: eth(0x0800, packet)},
		{name: "priority-tag", data: eth(0x8100, tag(5, 0x0800), packet)},
		{name: "tag-and-tag", data: eth(0x8100, tag(200, 0x0800), packet)},
		{name: "third-tag", data: eth(0x8100, tag(2, 0x8100), tag(3, 0x0800), packet)},
		{name: "cut-in-tag", data: eth(0x8100, raw("0008"))},
		{name: "padded", data: pad(60, eth(0x0800, ip4(17, udp(4))))},
		{name: "ipv6", data: eth(0x86dd, ip6(17, udp(18)))},
		{name: "arp", data: pad(60, eth(0x0806, arp(2)))},
		{name: "lldp", data: pad(60, eth(0x88cc))},
		{name: "runt", data: eth(0x0800)[:13]},
	}
}

func arpFrames() []frame {
	return []frame{
		{name: "request", data: pad(60, eth(0x0806, arp(1)))},
		{name: "reply", data: pad(60, eth(0x0806, arp(2)))},
		{name: "28-bytes", data: eth(0x0806, arp(1))},
		{name: "gratuitous", data: pad(60, eth(0x0806, put(arp(1), 24, ip4Src...)))},
		{name: "operation-9", data: pad(60, eth(0x0806, arp(9)))},
		{name: "operation-0", data: pad(60, eth(0x0806, arp(0)))},
		{name: "operation-65535", data: pad(60, eth(0x0806, arp(65535)))},
		{name: "probe", data: pad(60, eth(0x0806, put(arp(1), 14, 0, 0, 0, 0)))},
		{name: "hardware-type-6", data: pad(60, eth(0x0806, put(arp(1), 0, 0, 6)))},
		{name: "hlen-8", data: pad(60, eth(0x0806, put(arp(1), 4, 8)))},
		{name: "hlen-0", data: pad(60, eth(0x0806, put(arp(1), 4, 0)))},
		{name: "plen-16", data: pad(60, eth(0x0806, put(arp(1), 5, 16)))},
		{name: "protocol-ipv6", data: pad(60, eth(0x0806, put(arp(1), 2, 0x86, 0xdd)))},
		{name: "27-bytes", data: eth(0x0806, arp(1)[:27])},
		{name: "header-only", data: eth(0x0806)},
	}
}
