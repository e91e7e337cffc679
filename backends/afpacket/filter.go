package afpacket

import (
	"golang.org/x/net/bpf"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/count/packet"
)

// How much of a packet the kernel copies by default.
const (
	// snapLen holds two tags, and the longest IPv4 and TCP headers. It also holds the headers
	// of VXLAN over IPv6, and the parts of the inner IPv6 and TCP headers that count.
	snapLen = 192
	// snapLenExt holds extension headers as they occur in practice, and the eight longest
	// headers before layer 3. The whole packet would be too much: until Linux 6.x
	// super-frames above 64 KiB have an extension header.
	snapLenExt = 1024
)

// takeNothing is a filter that no packet passes.
func takeNothing() []bpf.Instruction { return []bpf.Instruction{bpf.RetConstant{Val: 0}} }

// take returns the filter for all packets. The kernel copies the first limit bytes of each, or
// the headers if limit is 0. The filter must not read behind the end of a packet: the kernel
// drops such a packet.
func take(limit int, raw bool) []bpf.Instruction {
	if limit != 0 {
		return []bpf.Instruction{bpf.RetConstant{Val: uint32(limit)}}
	}
	const (
		tags    = 2
		typeLen = 2
		tagLen  = 4
		ipv6Len = 40
	)
	p := []bpf.Instruction{
		bpf.LoadExtension{Num: bpf.ExtLen},
		bpf.JumpIf{Cond: bpf.JumpGreaterOrEqual, Val: ethernetLen + tags*tagLen + ipv6Len, SkipTrue: 1},
		bpf.RetConstant{Val: snapLen}, // all of it
	}
	if raw {
		p = append(p,
			bpf.LoadAbsolute{Off: 0, Size: 1},
			bpf.ALUOpConstant{Op: bpf.ALUOpAnd, Val: 0xf0},
			bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: 0x40, SkipTrue: 1},
			bpf.RetConstant{Val: snapLen},
			bpf.JumpIf{Cond: bpf.JumpEqual, Val: 0x60, SkipTrue: 1},
			bpf.RetConstant{Val: snapLenExt}) // there may be MPLS
		return append(p, takeIPv6(0)...)
	}
	for i := range tags + 1 {
		l3 := uint32(ethernetLen + i*tagLen)
		ipv6 := takeIPv6(l3)
		p = append(p,
			bpf.LoadAbsolute{Off: l3 - typeLen, Size: typeLen},
			bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: uint32(flow.EtherTypeIPv4), SkipTrue: 1},
			bpf.RetConstant{Val: snapLen},
			bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: uint32(flow.EtherTypeIPv6), SkipTrue: uint8(len(ipv6))})
		p = append(p, ipv6...)
		others := append(takeHeaders(), bpf.RetConstant{Val: snapLen})
		if i < tags {
			p = append(p,
				bpf.JumpIf{Cond: bpf.JumpEqual, Val: 0x8100, SkipTrue: uint8(len(others) + 1)},
				bpf.JumpIf{Cond: bpf.JumpEqual, Val: 0x88a8, SkipTrue: uint8(len(others))})
		}
		p = append(p, others...)
	}
	return p
}

// takeHeaders returns the part of the filter that ends with snapLenExt if a header before layer 3
// has the type. The filter does not read behind that header: IPv6 may follow.
func takeHeaders() []bpf.Instruction {
	types := packet.HeaderTypes()
	p := make([]bpf.Instruction, 0, len(types)+2)
	for i, t := range types {
		p = append(p, bpf.JumpIf{Cond: bpf.JumpEqual, Val: uint32(t), SkipTrue: uint8(len(types) - i)})
	}
	return append(p, bpf.Jump{Skip: 1}, bpf.RetConstant{Val: snapLenExt})
}

// takeIPv6 returns the end of the filter for a packet with its IPv6 header at l3.
func takeIPv6(l3 uint32) []bpf.Instruction {
	const nextHeaderAt = 6
	ext := []uint32{0, 43, 44, 51, 60, 135, 139, 140} // the list of docs/accounting.md
	p := []bpf.Instruction{bpf.LoadAbsolute{Off: l3 + nextHeaderAt, Size: 1}}
	for i, n := range ext {
		p = append(p, bpf.JumpIf{Cond: bpf.JumpEqual, Val: n, SkipTrue: uint8(len(ext) - i)})
	}
	return append(p, bpf.RetConstant{Val: snapLen}, bpf.RetConstant{Val: snapLenExt})
}
