package main

import (
	"encoding/binary"
	"net/netip"
)

// key is the flow of a packet after docs/accounting.md. A field that the document omits is zero.
type key struct {
	ethertype        uint16 // of a frame that is neither IP nor ARP
	arp              bool
	proto            uint8
	src, dst         netip.Addr
	srcPort, dstPort uint16
	sub              uint32
	vlan             uint16
}

// counted is a packet as the independent reader counts it.
type counted struct {
	key   key
	bytes int  // layer 3
	frame int  // layer 2
	read  bool // the reader knows the link type
}

const runt = 0xffff

// view is a frame: the captured bytes, and its length on the wire.
type view struct {
	data []byte
	wire int
}

// there reports whether the frame has n bytes from off on, in the capture and on the wire.
func (v view) there(off, n int) bool { return off+n <= len(v.data) && off+n <= v.wire }

func (v view) u8(off int) int  { return int(v.data[off]) }
func (v view) u16(off int) int { return int(binary.BigEndian.Uint16(v.data[off:])) }
func (v view) u32(off int) uint32 {
	return binary.BigEndian.Uint32(v.data[off:])
}

// layer3 reads a packet of this EtherType, which begins at off.
func (c *counted) layer3(v view, ethertype uint16, off int) {
	switch ethertype {
	case 0x0800:
		c.ipv4(v, off)
	case 0x86dd:
		c.ipv6(v, off)
	case 0x0806:
		c.arp(v, off)
	default:
		if ethertype < 0x0600 {
			ethertype = 0x0004
		}
		c.key.ethertype = ethertype
	}
}

func (c *counted) arp(v view, off int) {
	c.key.arp = true
	if !v.there(off, 28) || v.u16(off+2) != 0x0800 || v.u8(off+4) != 6 || v.u8(off+5) != 4 {
		return
	}
	c.key.src, _ = netip.AddrFromSlice(v.data[off+14 : off+18])
	c.key.dst, _ = netip.AddrFromSlice(v.data[off+24 : off+28])
	c.key.sub = uint32(v.u16(off + 6)) //nolint:gosec // two bytes
}

func (c *counted) ipv4(v view, off int) {
	held := v.wire - off
	if !v.there(off, 20) || v.u8(off)>>4 != 4 || v.u8(off)&15 < 5 || v.u8(off)&15*4 > held {
		c.key.ethertype = 0x0800
		return
	}
	c.bytes = v.u16(off + 2)
	if c.bytes == 0 || c.bytes > held {
		c.bytes = held
	}
	c.key.src, _ = netip.AddrFromSlice(v.data[off+12 : off+16])
	c.key.dst, _ = netip.AddrFromSlice(v.data[off+16 : off+20])
	c.key.proto = v.data[off+9]
	if v.u16(off+6)&0x1fff == 0 {
		c.transport(v, off+v.u8(off)&15*4, off+c.bytes, true)
	}
}

func (c *counted) ipv6(v view, off int) {
	held := v.wire - off
	if !v.there(off, 40) || v.u8(off)>>4 != 6 {
		c.key.ethertype = 0x86dd
		return
	}
	next := v.u8(off + 6)
	switch size := v.u16(off + 4); {
	case size != 0:
		c.bytes = min(size+40, held)
	case next == 0 && v.there(off+40, 8) && v.u16(off+42) == 0xc204:
		c.bytes = min(int(v.u32(off+44))+40, held)
	case held > 65575:
		c.bytes = held
	default:
		c.bytes = 40
	}
	c.key.src, _ = netip.AddrFromSlice(v.data[off+8 : off+24])
	c.key.dst, _ = netip.AddrFromSlice(v.data[off+24 : off+40])
	c.extensions(v, next, off+40, off+c.bytes)
}

// extensions reads the extension headers from off on. The packet ends at end.
func (c *counted) extensions(v view, next, off, end int) {
	for range 8 {
		var size int
		switch next {
		case 0, 43, 44, 51, 60, 135, 139, 140:
			if !v.there(off, 8) || off+8 > end {
				c.key.proto = uint8(next) //nolint:gosec // one byte
				return
			}
		default:
			c.key.proto = uint8(next) //nolint:gosec // one byte
			c.transport(v, off, end, false)
			return
		}
		switch next {
		case 44:
			size = 8
			if v.u16(off+2)&0xfff8 != 0 {
				c.key.proto = v.data[off]
				return
			}
		case 51:
			size = (v.u8(off+1) + 2) * 4
		default:
			size = (v.u8(off+1) + 1) * 8
		}
		next, off = v.u8(off), off+size
	}
	c.key.proto = uint8(next) //nolint:gosec // one byte
	c.transport(v, off, end, false)
}

// transport reads ports or the subtype, if they are inside the frame and the packet.
func (c *counted) transport(v view, off, end int, v4 bool) {
	within := func(n int) bool { return v.there(off, n) && off+n <= end }
	switch p := c.key.proto; {
	case (p == 6 || p == 17 || p == 33 || p == 132 || p == 136) && within(4):
		c.key.srcPort, c.key.dstPort = uint16(v.u16(off)), uint16(v.u16(off+2)) //nolint:gosec // two bytes
	case (p == 1 || p == 58) && within(2):
		c.key.sub = uint32(v.u16(off)) //nolint:gosec // two bytes
	case p == 47 && within(4):
		c.key.sub = uint32(v.u16(off + 2)) //nolint:gosec // two bytes
	case p == 50 && within(4):
		c.key.sub = v.u32(off)
	case p == 51 && v4 && within(8):
		c.key.sub = v.u32(off + 4)
	}
}
