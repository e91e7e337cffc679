package main

// gsoFrames are super-frames as a hook gets them. The truth has the number of segments.
func gsoFrames() []frame {
	return []frame{
		{name: "tcp4", data: eth(0x0800, ip4(6, tcp(300)))},
		{name: "tcp4-1-segment", data: eth(0x0800, ip4(6, tcp(100)))},
		{name: "tcp4-options", data: eth(0x0800, ip4(6, tcpOptions(12, 300)))},
		{name: "tcp4-doff-15", data: eth(0x0800, ip4(6, tcpOptions(40, 300)))},
		{name: "tcp4-ip-options", data: eth(0x0800, ip4Options(8, 6, tcp(300)))},
		{name: "tcp6", data: eth(0x86dd, ip6(6, tcp(300)))},
		{name: "tcp6-ext", data: eth(0x86dd, ip6(60, ext(6, 0), tcp(300)))},
		{name: "udp4", data: eth(0x0800, ip4(17, udp(300)))},
		{name: "udp6", data: eth(0x86dd, ip6(17, udp(300)))},
		{name: "vlan", data: eth(0x8100, tag(7, 0x0800), ip4(6, tcp(300)))},
		{name: "qinq", data: eth(0x88a8, tag(7, 0x8100), tag(8, 0x0800), ip4(6, tcp(300)))},
		{name: "vlan-offload", data: eth(0x0800, ip4(6, tcp(300)))},
		{name: "gre", data: eth(0x0800, ip4(47, raw("0000 0800"), ip4(6, tcp(300))))},
		{name: "mpls", data: eth(0x8847, label(16, 1), ip4(6, tcp(300)))},
		{name: "mpls-vlan", data: eth(0x8100, tag(7, 0x8847), label(16, 0), label(17, 1), ip6(6, tcp(300)))},
		{name: "mpls-offload", data: eth(0x8847, label(16, 1), ip4(6, tcp(300)))},
		{name: "mpls-not-ip", data: eth(0x8847, label(16, 1), fill(300))},
		{name: "pppoe", data: eth(0x8864, pppoe(0x0021, ip4(6, tcp(300))))},
		{name: "tcp4-total-length-0", data: put(eth(0x0800, ip4(6, tcp(40))), 16, 0, 0), origLen: 14 + 40 + 70000},
		{name: "tcp6-above-64k", data: put(eth(0x86dd, ip6(6, tcp(40))), 18, 0, 0), origLen: 14 + 60 + 70000},
		{name: "tcp6-jumbo", data: put(eth(0x86dd, ip6(0, jumbo(6, 28+70000), tcp(40))), 18, 0, 0), origLen: 14 + 68 + 70000},
		{name: "tcp6-jumbo-with-payload-length", data: eth(0x86dd, ip6(0, jumbo(6, 99), tcp(300)))},
		{name: "tcp4-cut", data: eth(0x0800, ip4(6, tcp(300))), caplen: 96},
		{name: "tcp4-data-offset-there", data: eth(0x0800, ip4(6, tcp(300))), caplen: 14 + 20 + 13},
		{name: "tcp4-data-offset-cut", data: eth(0x0800, ip4(6, tcp(300))), caplen: 14 + 20 + 12},
		{name: "udp4-header-cut", data: eth(0x0800, ip4(17, udp(300))), caplen: 14 + 20 + 7},
	}
}

func gsoRawFrames() []frame {
	return []frame{
		{name: "tcp4", data: ip4(6, tcp(300))},
		{name: "tcp6", data: ip6(6, tcp(300))},
		{name: "udp4", data: ip4(17, udp(300))},
	}
}
