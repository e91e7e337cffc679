package packet_test

import (
	"encoding/hex"
	"slices"
	"strings"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/count/packet"
)

// linkFrame is a packet of a link type, with its counters by docs/accounting.md.
type linkFrame struct {
	name string
	link packet.LinkType
	data []byte
	cut  int // number of captured bytes, if fewer than the packet has

	want  string // what the parser reads: "udp4", "udp6", "arp", or an ethertype
	frame int    // frame bytes
	dir   flow.Direction

	tsharkDiffers string // why tshark reads something else
}

// captured returns the captured part of the packet.
func (l *linkFrame) captured() []byte {
	if l.cut > 0 {
		return l.data[:l.cut]
	}
	return l.data
}

func join(parts ...[]byte) []byte { return slices.Concat(parts...) }

func hexBytes(s string) []byte {
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		panic(err)
	}
	return b
}

// Packets inside the frames: 46, 66 and 28 bytes.
var (
	udp4 = hexBytes("4500002e 00000000 40110000 c0000201 c0000202 9c41 9c42 001a 0000" + strings.Repeat("ee", 18))
	udp6 = hexBytes("60000000 001a 11 40 20010db8000000000000000000000001 20010db8000000000000000000000002 9c41 9c42 001a 0000" + strings.Repeat("ee", 18))
	arp4 = hexBytes("0001 0800 06 04 0001 020000000001 c0000201 000000000000 c0000202")
)

const (
	n4, n6, nARP = 46, 66, 28
	macs         = "020000000002 020000000001"
	snapIPv4     = "aaaa03 000000 0800"
	snapIPv6     = "aaaa03 000000 86dd"
)

// of returns frames of a link type.
func of(link packet.LinkType, frames ...linkFrame) []linkFrame {
	for i := range frames {
		frames[i].link = link
	}
	return frames
}

func linkFrames() []linkFrame {
	return slices.Concat(rawLinks(), serialLinks(), lanLinks(), switchLinks(), wifiLinks(), radioLinks(), cookedLinks(), wrappedLinks())
}

func rawLinks() (all []linkFrame) {
	for _, link := range []packet.LinkType{12, 14, 101} {
		all = append(all, of(link,
			linkFrame{name: "IPv4", data: udp4, want: "udp4", frame: n4},
			linkFrame{name: "IPv6", data: udp6, want: "udp6", frame: n6},
			linkFrame{name: "neither", data: hexBytes("05000000"), want: "0xffff", frame: 4},
		)...)
	}
	return all
}

func serialLinks() []linkFrame {
	h := hexBytes
	all := slices.Concat(
		of(9,
			linkFrame{name: "framed", data: join(h("ff03 0021"), udp4), want: "udp4", frame: 4 + n4},
			linkFrame{name: "unframed", data: join(h("0021"), udp4), want: "udp4", frame: 2 + n4},
			linkFrame{name: "compressed protocol", data: join(h("ff03 21"), udp4), want: "udp4", frame: 3 + n4},
			linkFrame{name: "compressed both", data: join(h("57"), udp6), want: "udp6", frame: 1 + n6},
			linkFrame{name: "IPv6", data: join(h("ff03 0057"), udp6), want: "udp6", frame: 4 + n6},
			linkFrame{name: "LCP", data: h("ff03 c021 01 01 0004"), want: "0x880b", frame: 8},
			linkFrame{name: "padded", data: join(h("ff03 0021"), udp4, h("000000")), want: "udp4", frame: 7 + n4},
			linkFrame{name: "cut in the protocol", data: join(h("ff03 0021"), udp4), cut: 3, want: "0xffff", frame: 4 + n4},
			linkFrame{name: "cut in the packet", data: join(h("ff03 0021"), udp4), cut: 32, want: "udp4", frame: 4 + n4},
			linkFrame{name: "nothing", want: "0xffff"},
		),
		of(50,
			linkFrame{name: "PPP", data: join(h("ff03 0021"), udp4), want: "udp4", frame: 4 + n4},
			linkFrame{name: "Cisco", data: join(h("0f00 0800"), udp4), want: "udp4", frame: 4 + n4},
			linkFrame{name: "Cisco multicast", data: join(h("8f00 86dd"), udp6), want: "udp6", frame: 4 + n6},
		),
		of(51,
			linkFrame{name: "session", data: join(h("11 00 0001 0030 0021"), udp4), want: "udp4", frame: 8 + n4},
			linkFrame{name: "IPv6", data: join(h("11 00 0001 0044 0057"), udp6), want: "udp6", frame: 8 + n6},
			linkFrame{name: "LCP", data: h("11 00 0001 0006 c021 01 01 0004"), want: "0x8864", frame: 12},
			linkFrame{name: "discovery", data: h("11 09 0000 0004 0101 0000"), want: "0x8863", frame: 10},
			linkFrame{name: "other version", data: h("21 00 0001 0030 0021"), want: "0xffff", frame: 8},
		),
		of(166,
			linkFrame{name: "received", data: join(h("0003 0021"), udp4), want: "udp4", frame: 4 + n4, dir: flow.Ingress},
			linkFrame{name: "sent", data: join(h("0103 0057"), udp6), want: "udp6", frame: 4 + n6, dir: flow.Egress},
		),
		of(204,
			linkFrame{name: "received", data: join(h("00 ff03 0021"), udp4), want: "udp4", frame: 4 + n4, dir: flow.Ingress},
			linkFrame{name: "sent", data: join(h("07 0021"), udp4), want: "udp4", frame: 2 + n4, dir: flow.Egress},
		),
		of(205, linkFrame{name: "sent", data: join(h("01 0f00 0800"), udp4), want: "udp4", frame: 4 + n4, dir: flow.Egress}),
		of(206, linkFrame{name: "sent", data: join(h("01 1841 03 cc"), udp4), want: "udp4", frame: 4 + n4, dir: flow.Egress}),
		of(104,
			linkFrame{name: "IPv4", data: join(h("0f00 0800"), udp4), want: "udp4", frame: 4 + n4},
			linkFrame{name: "IPv6", data: join(h("8f00 86dd"), udp6), want: "udp6", frame: 4 + n6},
			linkFrame{name: "keepalive", data: h("8f00 8035 00000002 00000001 00000001 ffff"), want: "0x0019", frame: 18},
			linkFrame{name: "CDP", data: h("8f00 2000 01b4 0000"), want: "0x2000", frame: 8},
			linkFrame{name: "cut", data: h("0f00 08"), want: "0xffff", frame: 3},
		),
	)
	return append(all, frameRelayFrames()...)
}

func frameRelayFrames() []linkFrame {
	h := hexBytes
	return of(107,
		linkFrame{name: "IPv4", data: join(h("1841 03 cc"), udp4), want: "udp4", frame: 4 + n4},
		linkFrame{name: "IPv6", data: join(h("1841 03 8e"), udp6), want: "udp6", frame: 4 + n6},
		linkFrame{name: "padded", data: join(h("1841 03 00 80 000000 0800"), udp4), want: "udp4", frame: 10 + n4},
		linkFrame{name: "SNAP", data: join(h("1841 03 80 000000 86dd"), udp6), want: "udp6", frame: 9 + n6},
		linkFrame{name: "Cisco", data: join(h("1841 0800"), udp4), want: "udp4", frame: 4 + n4},
		linkFrame{name: "PPP", data: join(h("1841 03 cf 0021"), udp4), want: "udp4", frame: 6 + n4},
		linkFrame{name: "four bytes of address", data: join(h("18408041 03 cc"), udp4), want: "udp4", frame: 6 + n4},
		linkFrame{name: "bridged", data: join(h("1841 03 00 80 0080c2 0007"+macs+"0800"), udp4), want: "udp4", frame: 24 + n4},
		linkFrame{name: "bridged with FCS", data: join(h("1841 03 00 80 0080c2 0001"+macs+"0800"), udp4, h("01020304")), want: "udp4", frame: 24 + n4},
		linkFrame{name: "bridged spanning tree", data: h("1841 03 00 80 0080c2 000e 0000"), want: "0x6559", frame: 12},
		linkFrame{name: "management", data: h("0001 03 08 00 75 95 01 01 00"), want: "0x6559", frame: 10},
		linkFrame{name: "cut", data: h("1841 03"), want: "0x6559", frame: 3},
	)
}

func lanLinks() []linkFrame {
	h := hexBytes
	return slices.Concat(
		of(10,
			linkFrame{name: "IPv4", data: join(h("50"+macs+snapIPv4), udp4), want: "udp4", frame: 21 + n4},
			linkFrame{name: "IPv6", data: join(h("54"+macs+snapIPv6), udp6), want: "udp6", frame: 21 + n6},
			linkFrame{name: "ARP", data: join(h("50"+macs+"aaaa03 000000 0806"), arp4), want: "arp", frame: 21 + nARP},
			linkFrame{name: "spanning tree", data: h("50" + macs + "424203 0000 00 00"), want: "0x0004", frame: 20},
			linkFrame{name: "station management", data: h("41" + macs + "0102"), want: "0xffff", frame: 15},
		),
		of(6,
			linkFrame{name: "IPv4", data: join(h("10 40"+macs+snapIPv4), udp4), want: "udp4", frame: 22 + n4},
			linkFrame{name: "source routed", data: join(h("10 40 020000000002 820000000001 0630 0011 0020"+snapIPv4), udp4), want: "udp4", frame: 28 + n4},
			linkFrame{name: "MAC", data: h("10 00" + macs + "0004 0105"), want: "0xffff", frame: 18},
		),
		of(122, linkFrame{name: "IPv4", data: join(h("1000 020000000002 1000 020000000001"+snapIPv4), udp4), want: "udp4", frame: 24 + n4}),
		of(138,
			linkFrame{name: "IPv4", data: join(h("0200000000000002 0200000000000001 0800"), udp4), want: "udp4", frame: 18 + n4},
			linkFrame{name: "cut", data: h("0200000000000002"), want: "0xffff", frame: 8},
		),
		of(242,
			linkFrame{name: "IPv4", data: join(make([]byte, 40), h("0800 0000"), udp4), want: "udp4", frame: 44 + n4},
			linkFrame{name: "IPv6", data: join(make([]byte, 40), h("86dd 0000"), udp6), want: "udp6", frame: 44 + n6},
		),
		atmFrames(100), atmFrames(11), classicalIPFrames(106), classicalIPFrames(19),
		of(129,
			linkFrame{name: "IPv4", data: join(h("01 02 0000 d4 00 0001"), udp4), want: "udp4", frame: 8 + n4},
			linkFrame{name: "IPv6", data: join(h("01 02 0000 c4 00 0001"), udp6), want: "udp6", frame: 8 + n6},
			linkFrame{name: "RFC 1051", data: join(h("01 02 0000 f0"), udp4), want: "udp4", frame: 5 + n4},
			linkFrame{name: "first fragment", data: join(h("01 02 0000 d4 01 0001"), udp4), want: "udp4", frame: 8 + n4},
			linkFrame{name: "later fragment", data: join(h("01 02 0000 d4 02 0001"), udp4), want: "0x001a", frame: 8 + n4,
				tsharkDiffers: "takes the middle of a packet for a header"},
			linkFrame{name: "diagnose", data: h("01 02 0000 80 00 0001"), want: "0x001a", frame: 8},
		),
	)
}

func atmFrames(link packet.LinkType) []linkFrame {
	h := hexBytes
	return of(link,
		linkFrame{name: "IPv4", data: join(h(snapIPv4), udp4), want: "udp4", frame: 8 + n4},
		linkFrame{name: "bridged", data: join(h("aaaa03 0080c2 0007 0000"+macs+"0800"), udp4), want: "udp4", frame: 24 + n4},
		linkFrame{name: "OSI", data: h("fefe03 83"), want: "0x0004", frame: 4},
	)
}

func classicalIPFrames(link packet.LinkType) []linkFrame {
	return of(link,
		linkFrame{name: "LLC", data: join(hexBytes(snapIPv4), udp4), want: "udp4", frame: 8 + n4,
			tsharkDiffers: "expects IP without LLC"},
		linkFrame{name: "without LLC", data: udp4, want: "udp4", frame: n4},
	)
}

func switchLinks() []linkFrame {
	h := hexBytes
	return slices.Concat(
		of(281,
			linkFrame{name: "IPv4", data: join(h(macs+"20000001 0800"), udp4), want: "udp4", frame: 18 + n4},
			linkFrame{name: "802.1Q", data: join(h(macs+"20000001 8100 0007 0800"), udp4), want: "udp4 vlan 7", frame: 22 + n4},
			linkFrame{name: "802.3", data: h(macs + "20000001 0003 424203"), want: "0x0004", frame: 21},
		),
		of(282, linkFrame{name: "IPv4", data: join(h("20000001"+macs+"0800"), udp4), want: "udp4", frame: 18 + n4}),
		of(284, linkFrame{name: "IPv4", data: join(h(macs+"c0080001 0800"), udp4), want: "udp4", frame: 18 + n4}),
		of(285,
			linkFrame{name: "IPv4", data: join(h(macs+"dada 0000 c0080001 0800"), udp4), want: "udp4", frame: 22 + n4},
			linkFrame{name: "cut", data: h(macs + "dada 0000"), want: "0xffff", frame: 16},
		),
	)
}
