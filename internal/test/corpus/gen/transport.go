package main

func transportFrames() []frame {
	return []frame{
		{name: "tcp", data: eth(0x0800, ip4(6, tcp(20)))},
		{name: "tcp-ipv6", data: eth(0x86dd, ip6(6, tcp(20)))},
		{name: "tcp-4-bytes", data: pad(60, eth(0x0800, ip4(6, tcp(0)[:4])))},
		{name: "tcp-3-bytes", data: pad(60, eth(0x0800, ip4(6, tcp(0)[:3])))},
		{name: "tcp-0-bytes", data: pad(60, eth(0x0800, ip4(6)))},
		{name: "tcp-ipv6-4-bytes", data: eth(0x86dd, ip6(6, tcp(0)[:4]))},
		{name: "tcp-ipv6-3-bytes", data: pad(60, eth(0x86dd, ip6(6, tcp(0)[:3])))},
		{name: "tcp-frame-ends-in-ports", data: put(eth(0x0800, ip4(6, tcp(0)[:3])), 16, 0, 40)},

		{name: "udp", data: eth(0x0800, ip4(17, udp(20)))},
		{name: "udp-ipv6", data: eth(0x86dd, ip6(17, udp(20)))},
		{name: "udp-4-bytes", data: pad(60, eth(0x0800, ip4(17, udp(0)[:4])))},
		{name: "udp-3-bytes", data: pad(60, eth(0x0800, ip4(17, udp(0)[:3])))},
		{name: "udp-source-port-0", data: put(eth(0x0800, ip4(17, udp(20))), 34, 0, 0)},
		{name: "udp-ports-0", data: put(eth(0x0800, ip4(17, udp(20))), 34, 0, 0, 0, 0)},
		{name: "udp-ports-65535", data: put(eth(0x0800, ip4(17, udp(20))), 34, 0xff, 0xff, 0xff, 0xff)},
		{name: "udp-length-wrong", data: put(eth(0x0800, ip4(17, udp(20))), 38, 0, 9)},

		{name: "dccp", data: eth(0x0800, ip4(33, ports(), raw("03 00 0000 01 000001"), fill(8)))},
		{name: "dccp-3-bytes", data: pad(60, eth(0x0800, ip4(33, ports()[:3])))},
		{name: "sctp", data: eth(0x0800, ip4(132, ports(), raw("00000000 00000000 0b 00 0004")))},
		{name: "sctp-ipv6", data: eth(0x86dd, ip6(132, ports(), raw("00000000 00000000 0b 00 0004")))},
		{name: "sctp-3-bytes", data: pad(60, eth(0x0800, ip4(132, ports()[:3])))},
		{name: "udplite", data: eth(0x0800, ip4(136, udp(20)))},
		{name: "udplite-3-bytes", data: pad(60, eth(0x0800, ip4(136, udp(0)[:3])))},

		{name: "icmp-echo-request", data: eth(0x0800, ip4(1, icmp(8, 0, 56)))},
		{name: "icmp-echo-reply", data: eth(0x0800, ip4(1, icmp(0, 0, 56)))},
		{name: "icmp-port-unreachable", data: eth(0x0800, ip4(1, icmp(3, 3, 0), ip4(17, udp(0))))},
		{name: "icmp-2-bytes", data: pad(60, eth(0x0800, ip4(1, icmp(3, 1, 0)[:2])))},
		{name: "icmp-1-byte", data: pad(60, eth(0x0800, ip4(1, icmp(3, 1, 0)[:1])))},
		{name: "icmp-in-ipv6", data: eth(0x86dd, ip6(1, icmp(8, 0, 20)))},
		{name: "icmpv6-echo-request", data: eth(0x86dd, ip6(58, icmp(128, 0, 56)))},
		{name: "icmpv6-neighbor-solicitation", data: eth(0x86dd, ip6(58, raw("87 00 0000 00000000"), ip6Dst))},
		{name: "icmpv6-packet-too-big", data: eth(0x86dd, ip6(58, raw("02 00 0000 00000500"), ip6(17, udp(0))))},
		{name: "icmpv6-2-bytes", data: eth(0x86dd, ip6(58, icmp(1, 4, 0)[:2]))},
		{name: "icmpv6-1-byte", data: pad(60, eth(0x86dd, ip6(58, icmp(1, 4, 0)[:1])))},
		{name: "icmpv6-in-ipv4", data: eth(0x0800, ip4(58, icmp(128, 0, 20)))},

		{name: "esp", data: eth(0x0800, ip4(50, be32(0x12345678), fill(28)))},
		{name: "esp-ipv6", data: eth(0x86dd, ip6(50, be32(0x12345678), fill(28)))},
		{name: "esp-4-bytes", data: pad(60, eth(0x0800, ip4(50, be32(0x12345678))))},
		{name: "esp-3-bytes", data: pad(60, eth(0x0800, ip4(50, fill(3))))},
		{name: "ah", data: eth(0x0800, ip4(51, ahExt(6, 4, 0x12345678), tcp(0)))},
		{name: "ah-8-bytes", data: pad(60, eth(0x0800, ip4(51, ahExt(6, 4, 0x12345678)[:8])))},
		{name: "ah-7-bytes", data: pad(60, eth(0x0800, ip4(51, ahExt(6, 4, 0x12345678)[:7])))},

		{name: "igmp", data: pad(60, eth(0x0800, ip4Options(4, 2, raw("16 00 0000 e0000001"))))},
		{name: "ospf", data: eth(0x0800, ip4(89, raw("0201 002c c0000201 00000000 0000 0000"), fill(28)))},
		{name: "igmp-4-bytes", data: pad(60, eth(0x0800, ip4(2, raw("11 64 0000"))))},
		{name: "igmp-3-bytes", data: pad(60, eth(0x0800, ip4(2, raw("11 64 00"))))},
		{name: "ospf-ipv6", data: eth(0x86dd, ip6(89, raw("0304 0024 c0000201 00000000 0000 0000"), fill(20)))},
		{name: "pim", data: pad(60, eth(0x0800, ip4(103, raw("20 00 0000"))))},
		{name: "vrrp", data: pad(60, eth(0x0800, ip4(112, raw("31 01 64 01 00 64 0000 c0000203"))))},
		{name: "hop-by-hop-in-ipv4", data: eth(0x0800, ip4(0, fill(28)))},
		{name: "proto-253", data: eth(0x0800, ip4(253, fill(28)))},
		{name: "proto-255", data: eth(0x0800, ip4(255, fill(28)))},
		{name: "proto-253-padded", data: pad(60, eth(0x0800, ip4(253)))},
	}
}

func tunnelFrames() []frame {
	inner4, inner6 := ip4(6, tcp(20)), ip6(6, tcp(20)) // 60 and 80 bytes
	udpTo := func(port int, payload []byte) []byte {
		return join(be16(portSrc), be16(port), be16(8+len(payload)), raw("0000"), payload)
	}
	return []frame{
		{name: "gre-ipv4", data: eth(0x0800, ip4(47, raw("0000 0800"), inner4))},
		{name: "gre-ipv6", data: eth(0x86dd, ip6(47, raw("0000 86dd"), inner6))},
		{name: "gre-key-ethernet", data: eth(0x0800, ip4(47, raw("2000 6558 00000001"), eth(0x0800, inner4)))},
		{name: "gre-pptp", data: eth(0x0800, ip4(47, raw("2001 880b 0000 0001"), fill(20)))},
		{name: "gre-pptp-ack", data: eth(0x0800, ip4(47, raw("3081 880b 0014 0001 00000002 00000001"), fill(20)))},
		{name: "gre-4-bytes", data: pad(60, eth(0x0800, ip4(47, raw("0000 0800"))))},
		{name: "gre-3-bytes", data: pad(60, eth(0x0800, ip4(47, raw("0000 08"))))},
		{name: "ipip", data: eth(0x0800, ip4(4, inner4))},
		{name: "6in4", data: eth(0x0800, ip4(41, inner6))},
		{name: "4in6", data: eth(0x86dd, ip6(4, inner4))},
		{name: "6in6", data: eth(0x86dd, ip6(41, inner6))},
		{name: "proto-94", data: eth(0x0800, ip4(94, inner4))},
		{name: "etherip", data: eth(0x0800, ip4(97, raw("3000"), eth(0x0800, inner4)))},
		{name: "mpls-in-ip", data: eth(0x0800, ip4(137, raw("00010140"), inner4))},
		{name: "l2tpv3", data: eth(0x0800, ip4(115, raw("00000001"), fill(20)))},
		{name: "vxlan", data: eth(0x0800, ip4(17, udpTo(4789, join(raw("08000000 00000100"), eth(0x0800, inner4)))))},
		{name: "vxlan-ipv6", data: eth(0x86dd, ip6(17, udpTo(4789, join(raw("08000000 00000100"), eth(0x86dd, inner6)))))},
		{name: "geneve", data: eth(0x0800, ip4(17, udpTo(6081, join(raw("0000 6558 00000100"), eth(0x0800, inner4)))))},
		{name: "gtp-u", data: eth(0x0800, ip4(17, udpTo(2152, join(raw("30 ff 003c 00000001"), inner4))))},
		{name: "esp-in-udp", data: eth(0x0800, ip4(17, udpTo(4500, join(be32(0x12345678), fill(28)))))},
	}
}
