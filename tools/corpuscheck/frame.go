package main

// ethernet reads a frame after the section "The frame" of docs/accounting.md.
func ethernet(v view) counted {
	c := counted{frame: v.wire}
	if !v.there(0, 14) {
		c.key.ethertype = runt
		return c
	}
	c.walk(v, v.u16(12), 14)
	return c
}

// maxHeaders is the limit of headers before layer 3.
const maxHeaders = 8

// walk skips the headers before layer 3. A header with this EtherType begins at off. walk returns
// where layer 3 begins.
func (c *counted) walk(v view, ethertype, off int) int {
	tagged := false
	for range maxHeaders {
		var size, next int
		through := true
		switch ethertype {
		case 0x8100, 0x88a8, 0x9100:
			if !v.there(off, 4) {
				c.key.ethertype = uint16(ethertype)
				return off
			}
			if !tagged {
				c.key.vlan, tagged = uint16(v.u16(off)&0x0fff), true //nolint:gosec // 12 bits
			}
			size, next = 4, v.u16(off+2)
		case 0x8847, 0x8848:
			if !v.there(off, 4) {
				c.key.ethertype = uint16(ethertype)
				return off
			}
			size, next = 4, ethertype
			if v.u8(off+2)&1 != 0 { // the bottom of the stack
				next = belowLabels(v, off+4)
				through = next != 0
			}
		default:
			size, next = fixedHeader(v, ethertype, off)
			through = next != 0 || size != 0 && ethertype != 0x8864
		}
		if !through {
			break
		}
		ethertype, off = next, off+size
	}
	c.layer3(v, uint16(ethertype), off) //nolint:gosec // two bytes
	return off
}

// fixedHeader returns the size of a header, and the EtherType after it. VLAN tags and labels are
// not included. The size is 0 for an unknown header.
func fixedHeader(v view, ethertype, off int) (size, next int) {
	last := func(n int) (int, int) {
		if !v.there(off, n) {
			return 0, 0
		}
		return n, v.u16(off + n - 2)
	}
	switch ethertype {
	case 0x88e7:
		return last(18)
	case 0x8926:
		return last(6)
	case 0x893f:
		return last(8)
	case 0x8903:
		return last(16)
	case 0x8909:
		if v.there(off, 8) && v.u8(off) == 1 && v.u8(off+1) == 1 && v.u16(off+2) == 1 {
			return last(8)
		}
	case 0xd28b:
		if !v.there(off, 4) || v.u16(off) != 1 {
			break
		}
		switch v.u16(off + 2) {
		case 0x0010, 0x0110:
			return last(14)
		case 0x0020, 0x0120:
			return last(12)
		}
	case 0x894f:
		return nsh(v, off)
	case 0x8864:
		if v.there(off, 8) && v.u16(off) == 0x1100 {
			if proto := v.u8(off + 6); proto&1 != 0 { // one byte
				return 7, pppTypes[proto]
			}
			return 8, pppTypes[v.u16(off+6)]
		}
	}
	return 0, 0
}

// nsh reads a network service header (RFC 8300).
func nsh(v view, off int) (size, next int) {
	if !v.there(off, 24) || v.u8(off)>>6 != 0 || v.u8(off+1)&0x3f != 6 || v.u8(off+2)&15 != 1 {
		return 0, 0
	}
	switch v.u8(off + 3) {
	case 1:
		return 24, 0x0800
	case 2:
		return 24, 0x86dd
	case 5:
		return 24, 0x8847
	case 3:
		if v.there(off, 38) {
			return 38, v.u16(off + 36)
		}
	}
	return 0, 0
}

// belowLabels returns the EtherType after the last label; 0 unless it is certainly IP.
func belowLabels(v view, off int) int {
	held := v.wire - off
	fits := func(n int) bool { return n <= held && n >= held-64 }
	if v.there(off, 20) && v.u8(off)>>4 == 4 {
		header, total := v.u8(off)&15*4, v.u16(off+2)
		if header >= 20 && header <= total && fits(total) {
			return 0x0800
		}
	}
	if v.there(off, 40) && v.u8(off)>>4 == 6 && fits(40+v.u16(off+4)) {
		return 0x86dd
	}
	return 0
}
