package pcap

import (
	"encoding/binary"
	"fmt"
	"math/bits"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/count/packet"
)

// ng reads pcapng files (draft-ietf-opsawg-pcapng). Its memory depends only on the number of
// interfaces, which is bounded. It skips blocks of other kinds.
//
// gopacket's NgReader (1.7.7) has these errors. Timestamps are wrong if their resolution is a
// power of two (by 37 ms at 2^-32). It takes seconds for microseconds, and reads big-endian
// packet flags backwards. It keeps name resolution blocks in memory (306 MiB for a file of 120
// MB), and does not distinguish kinds of damage. The tests compare the two where it is right.
type ng struct {
	swapped bool // the section is big-endian
	section []ngInterface
	names   *ngNames
	last    int64 // time of the last packet, for simple packets, which have none
	partial bool  // the end of the block is missing
}

// Block types.
const (
	ngInterfaceBlock = 1
	ngObsoletePacket = 2
	ngSimplePacket   = 3
	ngEnhancedPacket = 6
	ngSectionHeader  = 0x0a0d0d0a // the same in either byte order
)

const (
	ngOverhead = 12       // type and length before a block's body, the length again behind it
	ngMaxBlock = 16 << 20 // a larger block is damage, as in libpcap
)

var ngMagic = []byte{0x0a, 0x0d, 0x0d, 0x0a}

func (g *ng) next(b []byte, p *captured) (int, bool, error) {
	if len(b) < ngOverhead {
		return 0, false, nil
	}
	kind := binary.LittleEndian.Uint32(b)
	if kind == ngSectionHeader {
		if err := g.byteOrder(b[8:]); err != nil {
			return 0, false, err
		}
	} else if g.swapped {
		kind = bits.ReverseBytes32(kind)
	}
	total := int(g.uint32(b[4:]))
	if total < ngOverhead || total > ngMaxBlock || total%4 != 0 {
		return 0, false, fmt.Errorf("damaged: there is no block of %d bytes", total)
	}
	// Only options can make a block of packets larger than maxRecord. The reader ignores
	// options that do not fit.
	n := min(total, maxRecord)
	g.partial = n < total
	if len(b) < n {
		return 0, false, nil
	}
	body := b[8:n]
	if !g.partial {
		body = b[8 : n-4]
		if again := g.uint32(b[n-4:]); int(again) != total {
			return 0, false, fmt.Errorf("damaged: a block of %d bytes ends as one of %d", total, again)
		}
	}
	switch kind {
	case ngEnhancedPacket, ngObsoletePacket:
		return total, true, g.packet(kind, body, p)
	case ngSimplePacket:
		return total, true, g.simplePacket(body, p)
	case ngInterfaceBlock:
		return total, false, g.interfaceBlock(body)
	case ngSectionHeader:
		return total, false, g.sectionHeader(body)
	}
	return total, false, nil
}

// byteOrder takes the section's byte order from its magic.
func (g *ng) byteOrder(b []byte) error {
	const magic = 0x1a2b3c4d
	switch binary.LittleEndian.Uint32(b) {
	case magic:
		g.swapped = false
	case bits.ReverseBytes32(magic):
		g.swapped = true
	default:
		return fmt.Errorf("damaged: % x is no byte order of a section", b[:4])
	}
	return nil
}

func (g *ng) sectionHeader(b []byte) error {
	if len(b) < 16 {
		return fmt.Errorf("damaged: a section header of %d bytes", len(b))
	}
	if major, minor := g.uint16(b[4:]), g.uint16(b[6:]); major != 1 {
		return fmt.Errorf("pcapng version %d.%d is not supported, only 1.x is", major, minor)
	}
	g.section = g.section[:0]
	return nil
}

// packet reads an enhanced packet block, or the obsolete one. They differ only in the width of
// the interface number.
func (g *ng) packet(kind uint32, b []byte, p *captured) error {
	const header = 20
	if len(b) < header {
		return fmt.Errorf("damaged: a packet block of %d bytes", len(b))
	}
	id := g.uint32(b)
	if kind == ngObsoletePacket {
		id = uint32(g.uint16(b))
	}
	i, err := g.interfaceOf(id)
	if err != nil {
		return err
	}
	t, ok := i.time.unix(uint64(g.uint32(b[4:]))<<32 | uint64(g.uint32(b[8:])))
	if ok {
		g.last = t
	}
	p.time, p.wild = g.last, !ok
	if err := g.captured(i, g.uint32(b[12:]), g.uint32(b[16:]), b[header:], p); err != nil {
		return err
	}
	fcs := i.fcs
	if padded := header + (len(p.data)+3)&^3; padded < len(b) {
		if err := g.packetOptions(b[padded:], p, &fcs); err != nil {
			return err
		}
	}
	if fcs > 0 {
		p.cutFCS(fcs)
	}
	return nil
}

// packetOptions reads the flags of a packet.
func (g *ng) packetOptions(b []byte, p *captured, fcs *int) error {
	for len(b) > 0 {
		code, value, rest, err := g.option(b)
		if err != nil {
			return err
		}
		const flags = 2 // the same in both kinds of block
		if code == flags && len(value) == 4 {
			v := g.uint32(value)
			switch v & 3 {
			case 1:
				p.dir = flow.Ingress
			case 2:
				p.dir = flow.Egress
			}
			if n := int(v >> 5 & 0xf); n > 0 {
				*fcs = n
			}
		}
		b = rest
	}
	return nil
}

func (g *ng) simplePacket(b []byte, p *captured) error {
	const header = 4
	if len(b) < header {
		return fmt.Errorf("damaged: a packet block of %d bytes", len(b))
	}
	i, err := g.interfaceOf(0)
	if err != nil {
		return err
	}
	length := g.uint32(b)
	capLen := length
	if i.snapLen != 0 {
		capLen = min(capLen, i.snapLen)
	}
	p.time, p.wild = g.last, false
	if err := g.captured(i, capLen, length, b[header:], p); err != nil {
		return err
	}
	if i.fcs > 0 {
		p.cutFCS(i.fcs)
	}
	return nil
}

// captured sets the fields that both kinds of packet have.
func (g *ng) captured(i *ngInterface, capLen, origLen uint32, b []byte, p *captured) error {
	if int64(capLen) > int64(min(len(b), maxCaptured)) {
		return fmt.Errorf("damaged: a captured length of %d in a block that holds %d", capLen, len(b))
	}
	p.data, p.origLen = b[:capLen:capLen], int(origLen)
	p.link, p.ifindex, p.dir = i.link, i.index, flow.DirUnknown
	if i.link != packet.LinkTypeEthernet {
		p.dir = i.link.Direction(p.data)
	}
	return nil
}

// option reads the first option of b, which has a multiple of 4 bytes. The last
// one has code 0, or is missing.
func (g *ng) option(b []byte) (code uint16, value, rest []byte, err error) {
	code = g.uint16(b)
	n := int(g.uint16(b[2:]))
	end := 4 + (n+3)&^3
	switch {
	case code == 0, end > len(b) && g.partial:
		return 0, nil, nil, nil
	case end > len(b):
		return 0, nil, nil, fmt.Errorf("damaged: an option of %d bytes where %d are left", n, len(b)-4)
	}
	return code, b[4 : 4+n], b[end:], nil
}

func (g *ng) cut(b []byte) error {
	switch {
	case len(b) == 0:
		return nil
	case len(b) < ngOverhead:
		return fmt.Errorf("cut short: %d of the %d bytes around a block are there", len(b), ngOverhead)
	}
	return fmt.Errorf("cut short: %d of the %d bytes of a block are there", len(b), g.uint32(b[4:]))
}

func (g *ng) uint16(b []byte) uint16 {
	v := binary.LittleEndian.Uint16(b)
	if g.swapped {
		v = bits.ReverseBytes16(v)
	}
	return v
}

func (g *ng) uint32(b []byte) uint32 {
	v := binary.LittleEndian.Uint32(b)
	if g.swapped {
		v = bits.ReverseBytes32(v)
	}
	return v
}

func (g *ng) uint64(b []byte) uint64 {
	v := binary.LittleEndian.Uint64(b)
	if g.swapped {
		v = bits.ReverseBytes64(v)
	}
	return v
}
