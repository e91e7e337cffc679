package main

import "encoding/binary"

// wifi reads the 802.11 header of a data frame, then LLC and SNAP.
func wifi(v view) counted {
	if !v.there(0, 2) {
		return other(v, runt)
	}
	kind, subtype, flags := v.u8(0)>>2&3, v.u8(0)>>4, v.u8(1)
	switch {
	case v.u8(0)&3 != 0:
		return other(v, runt)
	case kind == 0:
		return other(v, wifiManagement)
	case kind == 1:
		return other(v, wifiControl)
	case kind != 2:
		return other(v, runt)
	case flags&0x40 != 0:
		return other(v, wifiEncrypted)
	case subtype&4 != 0: // no data
		return other(v, wifiData)
	}
	size := 24
	if flags&3 == 3 { // to and from the distribution system: a fourth address
		size += 6
	}
	if subtype&8 != 0 {
		if !v.there(size, 2) || v.u8(size)&0x80 != 0 { // A-MSDU
			return other(v, wifiData)
		}
		size += 2
		if flags&0x80 != 0 { // HT control
			size += 4
		}
	}
	if !v.there(size, 2) || v.u16(22)>>8&0x0f != 0 { // cut, or a later fragment
		return other(v, wifiData)
	}
	return llc(v, size)
}

// llc reads LLC with SNAP, which contains an EtherType or a bridged Ethernet frame.
func llc(v view, off int) counted {
	if !v.there(off, 8) || v.u16(off) != 0xaaaa || v.u8(off+2) != 3 {
		return other(v, 0x0004)
	}
	if v.u8(off+3) == 0 && v.u16(off+4) == 0 || v.u8(off+3) == 0 && v.u16(off+4) == 0x00f8 {
		return behind(v, off+8, v.u16(off+6))
	}
	return other(v, 0x0004)
}

// radiotap removes the radiotap header, and the FCS if the flags announce one.
func radiotap(v view) counted {
	if !v.there(0, 8) || v.u8(0) != 0 {
		return other(v, runt)
	}
	size := int(binary.LittleEndian.Uint16(v.data[2:]))
	if size < 8 || !v.there(0, size) {
		return other(v, runt)
	}
	present := binary.LittleEndian.Uint32(v.data[4:])
	off := 8
	for word := present; word&(1<<31) != 0 && v.there(off, 4) && off+4 <= size; off += 4 {
		word = binary.LittleEndian.Uint32(v.data[off:])
	}
	if present&1 != 0 { // TSFT
		off = (off+7)&^7 + 8
	}
	flags := 0
	if present&2 != 0 && off < size {
		flags = v.u8(off)
	}
	frame := v.skip(size)
	if flags&0x10 != 0 && frame.wire >= 4 {
		frame.wire -= 4
		frame.data = frame.data[:min(len(frame.data), frame.wire)]
	}
	if flags&0x20 != 0 { // padding after the header, to a multiple of four
		frame = unpadded(frame)
	}
	return wifi(frame)
}

// unpadded removes the padding after the 802.11 header.
func unpadded(v view) view {
	if !v.there(0, 24) || v.u8(0)>>2&3 != 2 {
		return v
	}
	size := 24
	if v.u8(1)&3 == 3 {
		size += 6
	}
	if v.u8(0)>>4&8 != 0 {
		size += 2
	}
	pad := -size & 3
	if pad == 0 || !v.there(0, size+pad) {
		return v
	}
	data := append(append([]byte{}, v.data[:size]...), v.data[size+pad:]...)
	return view{data, v.wire - pad}
}
