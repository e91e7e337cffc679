package main

// ipv4Frames have errors and rarities in the IPv4 header, at these offsets of the frame: version
// and IHL 14, total length 16, flags 20.
func ipv4Frames() []frame {
	sound := eth(0x0800, ip4(17, udp(18))) // 46 bytes of layer 3
	return []frame{
		{name: "19-bytes", data: sound[:14+19]},
		{name: "1-byte", data: sound[:14+1]},
		{name: "20-bytes", data: sound[:14+20]},
		{name: "version-0", data: put(sound, 14, 0x05)},
		{name: "version-5", data: put(sound, 14, 0x55)},
		{name: "version-6", data: put(sound, 14, 0x65)},
		{name: "ihl-0", data: put(sound, 14, 0x40)},
		{name: "ihl-4", data: put(sound, 14, 0x44)},
		{name: "ihl-beyond-frame", data: put(sound, 14, 0x4f)},
		{name: "ihl-24-of-23", data: put(eth(0x0800, ip4(17, fill(3))), 14, 0x46)},
		{name: "ihl-24-of-24", data: put(eth(0x0800, ip4(17, fill(4))), 14, 0x46)},

		{name: "total-length-0", data: put(sound, 16, 0, 0)},
		{name: "total-length-0-padded", data: pad(60, put(eth(0x0800, ip4(17, udp(4))), 16, 0, 0))},
		{name: "total-length-47-of-46", data: put(sound, 16, 0, 47)},
		{name: "total-length-65535", data: put(sound, 16, 0xff, 0xff)},
		{name: "total-length-45-of-46", data: put(sound, 16, 0, 45)},
		{name: "total-length-24", data: put(sound, 16, 0, 24)},
		{name: "total-length-23", data: put(sound, 16, 0, 23)},
		{name: "total-length-20", data: put(sound, 16, 0, 20)},
		{name: "total-length-19", data: put(sound, 16, 0, 19)},
		{name: "total-length-1", data: put(sound, 16, 0, 1)},
		{name: "trailer", data: join(sound, fill(200))},

		{name: "options-4", data: eth(0x0800, ip4Options(4, 17, udp(18)))},
		{name: "options-40", data: eth(0x0800, ip4Options(40, 6, tcp(18)))},
		{name: "options-40-and-nothing", data: eth(0x0800, ip4Options(40, 6))},
		{name: "options-beyond-total-length", data: put(eth(0x0800, ip4Options(40, 6, tcp(18))), 16, 0, 44)},

		{name: "fragment-first", data: eth(0x0800, ip4Fragment(0, true, 17, udp(24)))},
		{name: "fragment-first-8-bytes", data: pad(60, eth(0x0800, ip4Fragment(0, true, 6, tcp(0)[:8])))},
		{name: "fragment-middle", data: eth(0x0800, ip4Fragment(4, true, 17, fill(32)))},
		{name: "fragment-last", data: eth(0x0800, ip4Fragment(8, false, 17, fill(20)))},
		{name: "fragment-offset-1", data: eth(0x0800, ip4Fragment(1, true, 6, tcp(20)))},
		{name: "fragment-offset-8191", data: eth(0x0800, ip4Fragment(8191, false, 17, fill(20)))},
		{name: "fragment-later-icmp", data: eth(0x0800, ip4Fragment(4, false, 1, fill(32)))},
		{name: "fragment-later-gre", data: eth(0x0800, ip4Fragment(4, false, 47, fill(32)))},
		{name: "fragment-later-igmp", data: eth(0x0800, ip4Fragment(4, false, 2, fill(32)))},
		{name: "fragment-later-1500", data: eth(0x0800, ip4Fragment(185, true, 17, fill(1480)))},
		{name: "dont-fragment", data: put(sound, 20, 0x40, 0)},
		{name: "reserved-flag", data: put(sound, 20, 0x80, 0)},
	}
}

// ipv6Frames: version at offset 14, payload length 18, next header 20, first extension header 54.
func ipv6Frames() []frame {
	sound := eth(0x86dd, ip6(17, udp(18))) // 66 bytes of layer 3
	hopJumbo := func(length int) []byte {  // 74 bytes of layer 3
		return put(eth(0x86dd, ip6(0, jumbo(17, length), udp(18))), 18, 0, 0)
	}
	return []frame{
		{name: "39-bytes", data: sound[:14+39]},
		{name: "40-bytes", data: sound[:14+40]},
		{name: "version-0", data: put(sound, 14, 0x00)},
		{name: "version-4", data: put(sound, 14, 0x45)},
		{name: "version-7", data: put(sound, 14, 0x70)},

		{name: "payload-length-25-of-26", data: put(sound, 18, 0, 25)},
		{name: "payload-length-27-of-26", data: put(sound, 18, 0, 27)},
		{name: "payload-length-65535", data: put(sound, 18, 0xff, 0xff)},
		{name: "payload-length-4", data: put(sound, 18, 0, 4)},
		{name: "payload-length-3", data: put(sound, 18, 0, 3)},
		{name: "payload-length-0", data: put(sound, 18, 0, 0)},
		{name: "payload-length-0-no-next-header", data: eth(0x86dd, ip6(59))},
		{name: "payload-length-0-hop-by-hop", data: put(eth(0x86dd, ip6(0, ext(17, 0), udp(18))), 18, 0, 0)},

		{name: "jumbo-fits", data: hopJumbo(34)},
		{name: "jumbo-above-frame", data: hopJumbo(70000)},
		{name: "jumbo-below-frame", data: hopJumbo(33)},
		{name: "jumbo-ends-in-ports", data: hopJumbo(11)},
		{name: "jumbo-0", data: hopJumbo(0)},
		{name: "jumbo-2^32-1", data: hopJumbo(0xffffffff)},
		{name: "jumbo-with-payload-length", data: eth(0x86dd, ip6(0, jumbo(17, 20), udp(18)))},
		{name: "jumbo-option-length-5", data: put(hopJumbo(34), 57, 5)},
		{name: "jumbo-second-option", data: put(eth(0x86dd, ip6(0, []byte{17, 1}, raw("0100"), raw("c204"),
			be32(42), raw("010400000000"), udp(18))), 18, 0, 0)},
		{name: "jumbo-in-destination-options", data: put(eth(0x86dd, ip6(60, jumbo(17, 34), udp(18))), 18, 0, 0)},
		{name: "jumbo-70000", data: hopJumbo(70000), origLen: 14 + 40 + 70000},
		{name: "jumbo-70000-padded", data: hopJumbo(70000), origLen: 14 + 40 + 70004},
		{name: "payload-length-0-above-64k", data: put(eth(0x86dd, ip6(6, tcp(22))), 18, 0, 0), origLen: 14 + 65576},
		{name: "payload-length-0-64k", data: put(eth(0x86dd, ip6(6, tcp(22))), 18, 0, 0), origLen: 14 + 65575},
		{name: "payload-length-0-above-64k-hop-by-hop",
			data: put(eth(0x86dd, ip6(0, ext(6, 0), tcp(22))), 18, 0, 0), origLen: 14 + 65576},
	}
}

func extFrames() []frame {
	u := udp(18)
	hop8 := func(last byte, then ...[]byte) []byte { // eight extension headers before the last header
		return eth(0x86dd, ip6(0, ext(60, 0), ext(43, 0), routeExt(60, 0), ext(60, 0), ext(60, 0), ext(60, 0), ext(60, 0),
			ext(last, 0), join(then...)))
	}
	short := func(next byte, n int) []byte { // n bytes after the IPv6 header, padded
		return pad(80, eth(0x86dd, ip6(next, fill(n))))
	}
	return []frame{
		{name: "hop-by-hop", data: eth(0x86dd, ip6(0, ext(17, 0), u))},
		{name: "routing", data: eth(0x86dd, ip6(43, routeExt(17, 0), u))},
		{name: "destination-options", data: eth(0x86dd, ip6(60, ext(17, 0), u))},
		{name: "mobility", data: eth(0x86dd, ip6(135, ext(17, 0), u))},
		{name: "hip", data: eth(0x86dd, ip6(139, ext(17, 0), u))},
		{name: "shim6", data: eth(0x86dd, ip6(140, ext(17, 0), u))},
		{name: "ah", data: eth(0x86dd, ip6(51, ahExt(17, 1, 77), u))},
		{name: "ah-n-4", data: eth(0x86dd, ip6(51, ahExt(6, 4, 77), tcp(0)))},
		{name: "ah-n-0", data: eth(0x86dd, ip6(51, ahExt(17, 0, 77), u))},
		{name: "fragment-first", data: eth(0x86dd, ip6(44, fragExt(17, 0, true), u))},
		{name: "fragment-atomic", data: eth(0x86dd, ip6(44, fragExt(17, 0, false), u))},
		{name: "fragment-reserved-set", data: put(eth(0x86dd, ip6(44, fragExt(17, 0, true), u)), 55, 9, 0, 7)},
		{name: "fragment-later", data: eth(0x86dd, ip6(44, fragExt(17, 4, true), fill(32)))},
		{name: "fragment-later-icmpv6", data: eth(0x86dd, ip6(44, fragExt(58, 4, false), fill(32)))},
		{name: "fragment-offset-1", data: eth(0x86dd, ip6(44, fragExt(6, 1, false), tcp(0)))},
		{name: "fragment-later-options", data: eth(0x86dd, ip6(44, fragExt(60, 4, false), ext(17, 0), u))},
		{name: "fragment-later-ah", data: eth(0x86dd, ip6(44, fragExt(51, 4, false), ahExt(17, 1, 77), u))},
		{name: "fragment-first-options", data: eth(0x86dd, ip6(44, fragExt(60, 0, true), ext(17, 0), u))},
		{name: "hop-by-hop-n-1", data: eth(0x86dd, ip6(0, ext(17, 1), u))},
		{name: "routing-n-4", data: eth(0x86dd, ip6(43, routeExt(6, 4), tcp(0)))},
		{name: "destination-options-n-31", data: eth(0x86dd, ip6(60, ext(17, 31), u))},
		{name: "icmpv6-after-hop-by-hop", data: eth(0x86dd, ip6(0, raw("3a 00 0502 0000 0100"), icmp(143, 0, 20)))},
		{name: "esp-after-options", data: eth(0x86dd, ip6(60, ext(50, 0), be32(0x12345678), fill(20)))},
		{name: "all-kinds", data: eth(0x86dd, ip6(0, ext(60, 0), ext(43, 0), routeExt(44, 0), fragExt(51, 0, true),
			ahExt(135, 4, 77), ext(139, 0), ext(140, 0), ext(17, 0), u))},

		{name: "eight", data: hop8(17, u)},
		{name: "nine", data: hop8(60, ext(17, 0), u)},
		{name: "nine-hop-by-hop", data: hop8(0, ext(17, 0), u)},
		{name: "nine-ah", data: hop8(51, ahExt(17, 1, 77), u)},
		{name: "nine-fragment", data: hop8(44, fragExt(17, 0, false), u)},
		{name: "eight-and-nothing", data: hop8(17)},

		{name: "no-next-header", data: eth(0x86dd, ip6(59))},
		{name: "no-next-header-and-data", data: eth(0x86dd, ip6(59, fill(20)))},
		{name: "no-next-header-after-options", data: eth(0x86dd, ip6(60, ext(59, 0)))},
		{name: "experiment-253", data: eth(0x86dd, ip6(253, ext(17, 0), u))},

		{name: "cut-at-7", data: short(60, 7)},
		{name: "cut-at-0", data: short(0, 0)},
		{name: "cut-fragment", data: short(44, 7)},
		{name: "cut-ah", data: short(51, 7)},
		{name: "cut-second", data: pad(100, eth(0x86dd, ip6(0, ext(43, 0), fill(7))))},
		{name: "cut-by-frame-end", data: put(eth(0x86dd, ip6(60, fill(7))), 18, 0, 60)},
		{name: "length-beyond-packet", data: eth(0x86dd, ip6(60, put(ext(17, 0), 1, 9), u))},
		{name: "length-beyond-packet-ext", data: eth(0x86dd, ip6(60, put(ext(43, 0), 1, 255), u))},
		{name: "ah-length-beyond-packet", data: eth(0x86dd, ip6(51, put(ahExt(17, 1, 77), 1, 255), u))},
		{name: "ends-after-options", data: pad(80, eth(0x86dd, ip6(60, ext(17, 0))))},
	}
}
