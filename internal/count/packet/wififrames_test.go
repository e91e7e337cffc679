package packet_test

import (
	"slices"

	"github.com/pktstat/pktstat/flow"
)

// three returns an 802.11 header with three addresses.
func three(control string) []byte {
	return hexBytes(control + "0000 020000000002 020000000001 020000000003 1000")
}

func wifiLinks() []linkFrame {
	h := hexBytes
	return of(105,
		linkFrame{name: "from the access point", data: join(three("0802"), h(snapIPv4), udp4), want: "udp4", frame: 32 + n4},
		linkFrame{name: "to the access point", data: join(three("0801"), h(snapIPv6), udp6), want: "udp6", frame: 32 + n6},
		linkFrame{name: "ad hoc", data: join(three("0800"), h("aaaa03 000000 0806"), arp4), want: "arp", frame: 32 + nARP},
		linkFrame{name: "802.1H", data: join(three("0802"), h("aaaa03 0000f8 0800"), udp4), want: "udp4", frame: 32 + n4},
		linkFrame{name: "QoS", data: join(three("8802"), h("0000"+snapIPv4), udp4), want: "udp4", frame: 34 + n4},
		linkFrame{name: "QoS with HT control", data: join(three("8882"), h("0000 00000000"+snapIPv4), udp4), want: "udp4", frame: 38 + n4},
		linkFrame{name: "four addresses", data: join(three("0803"), h("020000000004"+snapIPv4), udp4), want: "udp4", frame: 38 + n4},
		linkFrame{name: "QoS with four addresses", data: join(three("8803"), h("020000000004 0000"+snapIPv4), udp4), want: "udp4", frame: 40 + n4},
		linkFrame{name: "EAPOL", data: join(three("0802"), h("aaaa03 000000 888e 0103 0000")), want: "0x888e", frame: 36},
		linkFrame{name: "spanning tree", data: join(three("0802"), h("424203 0000 00 00")), want: "0x0004", frame: 31},
		linkFrame{name: "encrypted", data: join(three("0842"), h("00000020 00000000"), make([]byte, 60)), want: "0x0183", frame: 92},
		linkFrame{name: "aggregate", data: join(three("8802"), h("8000 020000000002 020000000001 0036"+snapIPv4), udp4), want: "0x0182", frame: 48 + n4,
			tsharkDiffers: "reads the frames of an aggregate"},
		linkFrame{name: "null", data: three("4801"), want: "0x0182", frame: 24},
		linkFrame{name: "QoS null", data: join(three("c801"), h("0000")), want: "0x0182", frame: 26},
		linkFrame{name: "later fragment", data: join(h("0802 0000 020000000002 020000000001 020000000003 1100"+snapIPv4), udp4), want: "0x0182", frame: 32 + n4,
			tsharkDiffers: "takes the middle of a packet for its start"},
		linkFrame{name: "beacon", data: join(three("8000"), make([]byte, 12)), want: "0x0180", frame: 36},
		linkFrame{name: "acknowledgement", data: h("d400 0000 020000000002"), want: "0x0181", frame: 10},
		linkFrame{name: "version 1", data: three("0902"), want: "0xffff", frame: 24},
		linkFrame{name: "cut in the header", data: join(three("0802"), h(snapIPv4), udp4), cut: 20, want: "0x0182", frame: 32 + n4},
		linkFrame{name: "cut in SNAP", data: join(three("0802"), h(snapIPv4), udp4), cut: 30, want: "0x0004", frame: 32 + n4},
		linkFrame{name: "nothing", want: "0xffff"},
	)
}

func radioLinks() []linkFrame {
	h := hexBytes
	frame := join(three("0802"), h(snapIPv4), udp4)
	padded := join(three("8802"), h("0000 0000"+snapIPv4), udp4)
	fcs := h("01020304")
	radiotap := slices.Concat(
		of(127,
			linkFrame{name: "without fields", data: join(h("00 00 0800 00000000"), frame), want: "udp4", frame: 32 + n4},
			linkFrame{name: "flags", data: join(h("00 00 0900 02000000 00"), frame), want: "udp4", frame: 32 + n4},
			linkFrame{name: "FCS", data: join(h("00 00 0900 02000000 10"), frame, fcs), want: "udp4", frame: 32 + n4},
			linkFrame{name: "FCS after TSFT", data: join(h("00 00 1100 03000000 0000000000000000 10"), frame, fcs), want: "udp4", frame: 32 + n4},
			linkFrame{name: "FCS, several words", data: join(h("00 00 1900 030000a0 00000020 00000000 0000000000000000 10"), frame, fcs), want: "udp4", frame: 32 + n4},
			linkFrame{name: "padding", data: join(h("00 00 0900 02000000 20"), padded), want: "udp4", frame: 34 + n4},
			linkFrame{name: "padding and FCS", data: join(h("00 00 0900 02000000 30"), padded, fcs), want: "udp4", frame: 34 + n4},
			linkFrame{name: "FCS not captured", data: join(h("00 00 0900 02000000 10"), frame, fcs), cut: 9 + 32 + 30, want: "udp4", frame: 32 + n4},
			linkFrame{name: "encrypted", data: join(h("00 00 0900 02000000 10"), three("0842"), make([]byte, 20), fcs), want: "0x0183", frame: 44},
			linkFrame{name: "beacon", data: join(h("00 00 0900 02000000 10"), three("8000"), make([]byte, 12), fcs), want: "0x0180", frame: 36},
			linkFrame{name: "cut", data: h("00 00 0900 0200"), want: "0xffff", frame: 6},
			linkFrame{name: "length beyond the end", data: h("00 00 ff00 02000000 10"), want: "0xffff"},
			linkFrame{name: "length below the header", data: h("00 00 0400 02000000 10"), want: "0xffff", frame: 5},
		),
		of(119,
			linkFrame{name: "Prism", data: join(h("44000000 90000000"), make([]byte, 136), frame), want: "udp4", frame: 32 + n4},
			linkFrame{name: "AVS", data: join(h("80211001 00000040"), make([]byte, 56), frame), want: "udp4", frame: 32 + n4},
			linkFrame{name: "cut", data: h("44000000 90000000"), want: "0xffff"},
		),
		of(163, linkFrame{name: "AVS", data: join(h("80211001 00000040"), make([]byte, 56), frame), want: "udp4", frame: 32 + n4}),
	)
	return append(radiotap, of(192,
		linkFrame{name: "802.11", data: join(h("00 00 0800 69000000"), frame), want: "udp4", frame: 32 + n4},
		linkFrame{name: "802.11 with FCS", data: join(h("00 00 2000 69000000 0200 1400 0000000000000000 0100 000000000000000000 00"), frame, fcs), want: "udp4", frame: 32 + n4},
		linkFrame{name: "802.11, field before", data: join(h("00 00 2800 69000000 0500 0400 00000000 0200 1400 0000000000000000 0100 000000000000000000 00"), frame, fcs), want: "udp4", frame: 32 + n4},
		linkFrame{name: "Ethernet", data: join(h("00 00 0800 01000000"+macs+"0800"), udp4), want: "udp4", frame: 14 + n4},
		linkFrame{name: "PPI", data: join(h("00 00 0800 c0000000 00 00 0800 69000000"), frame), want: "0xffff", frame: 8 + 32 + n4,
			tsharkDiffers: "reads PPI in PPI"},
		linkFrame{name: "USB", data: join(h("00 00 0800 bd000000"), make([]byte, 64)), want: "0xffff", frame: 64},
		linkFrame{name: "cut", data: h("00 00 0800"), want: "0xffff"},
	)...)
}

func cookedLinks() []linkFrame {
	h := hexBytes
	pflog := func(af string) []byte {
		return join(h("3d"+af+"0000 656d3000000000000000000000000000"), make([]byte, 44))
	}
	return slices.Concat(
		of(226,
			linkFrame{name: "IPv4", data: join(h("01 02 0001 0000002e 00000001 00000000 00000000 00000000"), udp4), want: "udp4", frame: n4},
			linkFrame{name: "IPv6", data: join(h("01 1a 0002 00000042 00000001 00000000 00000000 00000000"), udp6), want: "udp6", frame: n6},
			linkFrame{name: "cut", data: h("01 02 0001"), want: "0xffff"},
		),
		of(109,
			linkFrame{name: "little-endian", data: join(h("02000000 12345678 00000000"), udp4), want: "udp4", frame: n4},
			linkFrame{name: "big-endian", data: join(h("00000018 12345678 00000000"), udp6), want: "udp6", frame: n6},
		),
		of(117,
			linkFrame{name: "IPv4", data: join(pflog("02"), udp4), want: "udp4", frame: n4},
			linkFrame{name: "IPv6", data: join(pflog("18"), udp6), want: "udp6", frame: n6},
		),
		of(239,
			linkFrame{name: "little-endian", data: join(h("02 00 0005 0800 0100 0800 01 00 0500 0a00 00 00 0000 3200 0900"), udp4, h("0000")), want: "udp4", frame: n4},
			linkFrame{name: "big-endian", data: join(h("02 00 0005 0008 0001 0800 01 00 0032 0009"), udp4, h("0000")), want: "udp4", frame: n4,
				tsharkDiffers: "reads one byte order only"},
			linkFrame{name: "IPv6", data: join(h("0a 00 0005 4600 0900"), udp6, h("0000")), want: "udp6", frame: n6},
			linkFrame{name: "cut in the packet", data: join(h("02 00 0005 3200 0900"), udp4, h("0000")), cut: 8 + 28, want: "udp4", frame: n4,
				tsharkDiffers: "reads whole attributes only"},
			linkFrame{name: "no packet", data: h("02 00 0005 0800 0100 0800 01 00"), want: "0xffff", frame: 12},
			linkFrame{name: "damaged", data: h("02 00 0005 0000 0900 0800 01 00"), want: "0xffff", frame: 12},
		),
		of(219, linkFrame{name: "label", data: join(h("00010140"), hexBytes("00000000")), want: "0x8847", frame: 8}),
	)
}

func wrappedLinks() []linkFrame {
	h := hexBytes
	pktap := func(link, flags string) []byte {
		return join(h("6c000000 01000000"+link+"656e3000 00000000 00000000 00000000 00000000 00000000"+flags), make([]byte, 68))
	}
	ethernet := join(h(macs+"0800"), udp4)
	return slices.Concat(
		of(258,
			linkFrame{name: "Ethernet received", data: join(pktap("01000000", "01000000"), ethernet), want: "udp4", frame: 14 + n4, dir: flow.Ingress},
			linkFrame{name: "RAW sent", data: join(pktap("0c000000", "02000000"), udp6), want: "udp6", frame: n6, dir: flow.Egress},
			linkFrame{name: "NULL", data: join(pktap("00000000", "00000000"), h("1e000000"), udp6), want: "udp6", frame: n6},
			linkFrame{name: "USB", data: join(pktap("bd000000", "01000000"), make([]byte, 64)), want: "0xffff", frame: 64, dir: flow.Ingress},
			linkFrame{name: "cut", data: h("6c000000 01000000"), want: "0xffff", frame: 8},
		),
		of(149,
			linkFrame{name: "PKTAP", data: join(pktap("01000000", "02000000"), ethernet), want: "udp4", frame: 14 + n4, dir: flow.Egress},
			linkFrame{name: "something else", data: make([]byte, 200), want: "0xffff", frame: 200},
		),
	)
}
