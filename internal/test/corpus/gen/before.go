package main

// label returns an entry of an MPLS label stack. bottom is 1 for the last entry.
func label(n, bottom int) []byte { return be32(n<<12 | bottom<<8 | 64) }

// pppoe returns the rest of a session's frame, from the version on.
func pppoe(protocol int, rest ...[]byte) []byte {
	p := join(be16(protocol), join(rest...))
	return join(raw("11 00 0007"), be16(len(p)), p)
}

// pppoeShort is pppoe with a compressed protocol field (1 byte).
func pppoeShort(protocol byte, rest ...[]byte) []byte {
	p := join([]byte{protocol}, join(rest...))
	return join(raw("11 00 0007"), be16(len(p)), p)
}

func pppoeFrames() []frame {
	packet := ip4(17, udp(18)) // 46 bytes
	session := eth(0x8864, pppoe(0x0021, packet))
	lcp := raw("01 01 0008 0506 12345678")
	return []frame{
		{name: "ipv4", data: session},
		{name: "ipv6", data: eth(0x8864, pppoe(0x0057, ip6(6, tcp(20))))},
		{name: "ipv4-padded", data: pad(60, eth(0x8864, pppoe(0x0021, ip4(17, udp(4)))))},
		{name: "ipv4-fragment-first", data: eth(0x8864, pppoe(0x0021, ip4Fragment(0, true, 17, udp(24))))},
		{name: "ipv4-fragment-later", data: eth(0x8864, pppoe(0x0021, ip4Fragment(4, false, 17, fill(32))))},
		{name: "ipv6-extensions", data: eth(0x8864, pppoe(0x0057, ip6(0, ext(60, 0), ext(17, 0), udp(18))))},
		{name: "vlan", data: eth(0x8100, tag(7, 0x8864), pppoe(0x0021, packet))},
		{name: "qinq", data: eth(0x88a8, tag(7, 0x8100), tag(8, 0x8864), pppoe(0x0021, packet))},
		{name: "mpls", data: eth(0x8864, pppoe(0x0281, label(16, 1), packet))},
		{name: "mpls-multicast", data: eth(0x8864, pppoe(0x0283, label(16, 1), packet))},
		{name: "length-below-ip", data: put(session, 14+4, 0, 30)},
		{name: "length-above-frame", data: put(session, 14+4, 0xff, 0xff)},
		{name: "ip-version-5", data: put(session, 14+8, 0x55)},
		{name: "ip-total-length-above-frame", data: put(session, 14+8+2, 0, 99)},
		{name: "lcp", data: pad(60, eth(0x8864, pppoe(0xc021, lcp)))},
		{name: "ipcp", data: pad(60, eth(0x8864, pppoe(0x8021, lcp)))},
		{name: "ppp-compressed", data: pad(60, eth(0x8864, pppoe(0x00fd, fill(30))))},
		{name: "short-protocol-ipv4", data: eth(0x8864, pppoeShort(0x21, packet))},
		{name: "short-protocol-ipv6", data: eth(0x8100, tag(7, 0x8864), pppoeShort(0x57, ip6(6, tcp(20))))},
		{name: "short-protocol-compressed", data: eth(0x8864, pppoeShort(0xfd, fill(38)))},
		{name: "version-2", data: put(session, 14, 0x21)},
		{name: "type-2", data: put(session, 14, 0x12)},
		{name: "code-1", data: put(session, 15, 1)},
		{name: "discovery", data: pad(60, eth(0x8863, raw("11 09 0000 0004 0101 0000")))},
		{name: "cut-0", data: session[:14]},
		{name: "cut-5", data: session[:14+5]},
		{name: "cut-7", data: session[:14+7]},
		{name: "cut-8", data: session[:14+8]},
		{name: "cut-27", data: session[:14+8+19]},
		{name: "vlan-cut-7", data: eth(0x8100, tag(7, 0x8864), pppoe(0x0021)[:7])},
	}
}

// mplsFrames: with one label, the payload starts at offset 18.
func mplsFrames() []frame {
	packet := ip4(17, udp(18)) // 46 bytes
	one := eth(0x8847, label(16, 1), packet)
	one6 := eth(0x8847, label(16, 1), ip6(17, udp(18)))
	labels := func(n int) (d []byte) { // without the bottom flag
		for i := range n {
			d = append(d, label(16+i, 0)...)
		}
		return d
	}
	mac := func(first string) []byte { // an Ethernet pseudowire without a control word
		return eth(0x8847, label(16, 1), raw(first), raw("020000000001 0800"), packet, fill(40))
	}
	return []frame{
		{name: "ipv4", data: one},
		{name: "ipv6", data: one6},
		{name: "multicast", data: eth(0x8848, label(16, 1), packet)},
		{name: "ipv4-padded", data: pad(60, eth(0x8847, label(16, 1), ip4(17, udp(4))))},
		{name: "ipv6-padded", data: pad(60, eth(0x8847, label(16, 1), ip6(59)))},
		{name: "ipv4-options", data: eth(0x8847, label(16, 1), ip4Options(40, 6, tcp(18)))},
		{name: "ipv4-fragment-first", data: eth(0x8847, label(16, 1), ip4Fragment(0, true, 17, udp(24)))},
		{name: "ipv4-fragment-later", data: eth(0x8847, label(16, 1), ip4Fragment(4, false, 17, fill(32)))},
		{name: "ipv6-extensions", data: eth(0x8847, label(16, 1), ip6(0, ext(60, 0), ext(17, 0), udp(18)))},
		{name: "explicit-null-ipv6", data: eth(0x8847, label(2, 1), ip6(58, icmp(128, 0, 56)))},
		{name: "three-labels", data: eth(0x8847, labels(2), label(18, 1), packet)},
		{name: "vlan", data: eth(0x8100, tag(7, 0x8847), label(16, 1), packet)},
		{name: "qinq", data: eth(0x88a8, tag(7, 0x8100), tag(8, 0x8847), labels(1), label(18, 1), packet)},
		{name: "eight-labels", data: eth(0x8847, labels(7), label(25, 1), packet)},
		{name: "nine-labels", data: eth(0x8847, labels(8), label(25, 1), packet)},
		{name: "vlan-seven-labels", data: eth(0x8100, tag(7, 0x8847), labels(6), label(25, 1), packet)},
		{name: "vlan-eight-labels", data: eth(0x8100, tag(7, 0x8847), labels(7), label(25, 1), packet)},

		{name: "pseudowire", data: eth(0x8847, label(16, 1), be32(1), eth(0x0800, packet))},
		{name: "pseudowire-no-control-word", data: eth(0x8847, label(16, 1), eth(0x0800, packet))},
		{name: "pseudowire-mac-45", data: mac("45d154000123")},
		{name: "pseudowire-mac-like-ipv4", data: mac("450000300123")},
		{name: "pseudowire-mac-64", data: mac("64d154000123")},
		{name: "channel", data: pad(60, eth(0x8847, label(16, 1), raw("1000 0021")))},
		{name: "version-5", data: put(one, 18, 0x55)},
		{name: "ihl-4", data: put(one, 18, 0x44)},
		{name: "ihl-above-total-length", data: put(one, 18, 0x4f)},
		{name: "total-length-0", data: put(one, 20, 0, 0)},
		{name: "total-length-47-of-46", data: put(one, 20, 0, 47)},
		{name: "total-length-19", data: put(one, 20, 0, 19)},
		{name: "total-length-20", data: put(one, 20, 0, 20)},
		{name: "trailer-64", data: join(one, fill(64))},
		{name: "trailer-65", data: join(one, fill(65))},
		{name: "ipv6-payload-length-27-of-26", data: put(one6, 22, 0, 27)},
		{name: "ipv6-payload-length-0", data: put(one6, 22, 0, 0)},
		{name: "ipv6-trailer-64", data: join(one6, fill(64))},
		{name: "ipv6-trailer-65", data: join(one6, fill(65))},
		{name: "cut-0", data: one[:14]},
		{name: "cut-3", data: one[:14+3]},
		{name: "cut-4", data: one[:14+4]},
		{name: "cut-23", data: one[:14+4+19]},
		{name: "ipv4-20", data: pad(60, eth(0x8847, label(16, 1), ip4(17)))},
		{name: "ipv6-39", data: one6[:14+4+39]},
		{name: "second-label-cut", data: eth(0x8847, label(16, 0), label(17, 1)[:3])},
	}
}

// cmd returns the rest of a Cisco metadata header.
func cmd(etherType int) []byte { return join(raw("01 01 0001 0064"), be16(etherType)) }

// pbb returns the rest of an 802.1ah header.
func pbb(etherType int) []byte {
	return join(raw("00001234 020000000004 020000000003"), be16(etherType))
}

// etag returns the rest of an E-TAG (802.1BR).
func etag(etherType int) []byte { return join(raw("e001 0002 0000"), be16(etherType)) }

// vntag returns the rest of a VN-tag.
func vntag(etherType int) []byte { return join(raw("8001 0002"), be16(etherType)) }

// fabricPath returns the rest of a FabricPath header: FTag 1, TTL 32.
func fabricPath() []byte { return be16(1<<6 | 32) }

// nsh returns the rest of a network service header with metadata of type 1.
func nsh(next byte) []byte {
	return join(raw("0fc6 01"), []byte{next}, raw("000001 ff"), fill(16))
}

func arista(version, n, etherType int) []byte {
	return join(be16(1), be16(version), fill(n), be16(etherType))
}

func beforeFrames() []frame {
	packet, packet6 := ip4(17, udp(18)), ip6(17, udp(18)) // 46 and 66 bytes
	tags := func(n, last int) (d []byte) {                // n tags, and the type of the payload
		for i := range n - 1 {
			d = append(d, tag(1+i, 0x8100)...)
		}
		return append(d, tag(n, last)...)
	}
	return []frame{
		{name: "cmd", data: eth(0x8909, cmd(0x0800), packet)},
		{name: "cmd-ipv6", data: eth(0x8909, cmd(0x86dd), packet6)},
		{name: "cmd-arp", data: pad(68, eth(0x8909, cmd(0x0806), arp(1)))},
		{name: "cmd-lldp", data: pad(60, eth(0x8909, cmd(0x88cc)))},
		{name: "cmd-llc", data: pad(60, eth(0x8909, cmd(0x0026), raw("42 42 03")))},
		{name: "cmd-vlan", data: eth(0x8909, cmd(0x8100), tag(7, 0x0800), packet)},
		{name: "vlan-cmd", data: eth(0x8100, tag(7, 0x8909), cmd(0x0800), packet)},
		{name: "cmd-version-2", data: put(eth(0x8909, cmd(0x0800), packet), 14, 2)},
		{name: "cmd-length-2", data: put(eth(0x8909, cmd(0x0800), packet), 15, 2)},
		{name: "cmd-option-2", data: put(eth(0x8909, cmd(0x0800), packet), 17, 2)},
		{name: "cmd-cut-7", data: eth(0x8909, cmd(0x0800)[:7])},

		{name: "pbb", data: eth(0x88e7, pbb(0x0800), packet)},
		{name: "pbb-tagged", data: eth(0x88a8, tag(7, 0x88e7), pbb(0x8100), tag(8, 0x86dd), packet6)},
		{name: "pbb-inner-tag", data: eth(0x88e7, pbb(0x8100), tag(8, 0x0800), packet)},
		{name: "pbb-arp", data: eth(0x88e7, pbb(0x0806), arp(2))},
		{name: "pbb-cut-17", data: eth(0x88e7, pbb(0x0800)[:17])},

		{name: "vntag", data: eth(0x8926, vntag(0x0800), packet)},
		{name: "vntag-vlan", data: eth(0x8926, vntag(0x8100), tag(7, 0x86dd), packet6)},
		{name: "vntag-cut-5", data: eth(0x8926, vntag(0x0800)[:5])},
		{name: "etag", data: eth(0x893f, etag(0x0800), packet)},
		{name: "etag-vlan", data: eth(0x893f, etag(0x8100), tag(7, 0x86dd), packet6)},
		{name: "etag-cut-7", data: eth(0x893f, etag(0x0800)[:7])},
		{name: "fabric-path", data: eth(0x8903, fabricPath(), eth(0x0800, packet))},
		{name: "fabric-path-vlan", data: eth(0x8903, fabricPath(), eth(0x8100, tag(7, 0x0800), packet))},
		{name: "fabric-path-cut-15", data: eth(0x8903, fabricPath(), eth(0x0800)[:13])},

		{name: "arista-64", data: eth(0xd28b, arista(0x0010, 8, 0x0800), packet)},
		{name: "arista-64-utc", data: eth(0xd28b, arista(0x0110, 8, 0x86dd), packet6)},
		{name: "arista-48", data: eth(0xd28b, arista(0x0020, 6, 0x0800), packet)},
		{name: "arista-48-utc", data: eth(0xd28b, arista(0x0120, 6, 0x0800), packet)},
		{name: "arista-vlan", data: eth(0xd28b, arista(0x0010, 8, 0x8100), tag(7, 0x0800), packet)},
		{name: "arista-subtype-3", data: put(eth(0xd28b, arista(0x0010, 8, 0x0800), packet), 15, 3)},
		{name: "arista-version-30", data: eth(0xd28b, arista(0x0030, 8, 0x0800), packet)},
		{name: "arista-cut-13", data: eth(0xd28b, arista(0x0010, 8, 0x0800)[:13])},

		{name: "nsh-ipv4", data: eth(0x894f, nsh(1), packet)},
		{name: "nsh-ipv6", data: eth(0x894f, nsh(2), packet6)},
		{name: "nsh-ethernet", data: eth(0x894f, nsh(3), eth(0x0800, packet))},
		{name: "nsh-ethernet-vlan", data: eth(0x894f, nsh(3), eth(0x8100, tag(7, 0x0800), packet))},
		{name: "nsh-mpls", data: eth(0x894f, nsh(5), label(16, 1), packet)},
		{name: "nsh-nsh", data: eth(0x894f, nsh(4), nsh(1), packet)},
		{name: "nsh-type-2", data: eth(0x894f, raw("0fc2 0201 000001 ff"), packet)},
		{name: "nsh-length-5", data: put(eth(0x894f, nsh(1), packet), 15, 0xc5)},
		{name: "nsh-version-1", data: put(eth(0x894f, nsh(1), packet), 14, 0x4f)},
		{name: "nsh-oam", data: put(eth(0x894f, nsh(1), packet), 14, 0x2f)},
		{name: "nsh-cut-23", data: eth(0x894f, nsh(1)[:23])},
		{name: "nsh-ethernet-cut-13", data: eth(0x894f, nsh(3), eth(0x0800)[:13])},

		{name: "eight", data: eth(0x8100, tag(7, 0x8909), cmd(0xd28b), arista(0x0020, 6, 0x88a8), tag(8, 0x88e7), pbb(0x8100),
			tag(9, 0x8864), pppoe(0x0281, label(16, 1), packet))},
		{name: "nine", data: eth(0x8100, tag(7, 0x8909), cmd(0xd28b), arista(0x0020, 6, 0x88a8), tag(8, 0x88e7), pbb(0x8100),
			tag(9, 0x8864), pppoe(0x0281, label(16, 0), label(17, 1), packet))},
		{name: "eight-tags", data: eth(0x8100, tags(8, 0x0800), packet)},
		{name: "nine-tags", data: eth(0x8100, tags(9, 0x0800), packet)},
	}
}
