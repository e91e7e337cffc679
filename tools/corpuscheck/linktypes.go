package main

import "encoding/binary"

// readers remove the link header, by link type (docs/accounting.md, "Link types of captures"). For
// other link types, only the total of packets is compared.
var readers = map[uint32]func(view) counted{
	0: null, 108: loop,
	1:  ethernet,
	9:  ppp,
	12: rawIP, 14: rawIP, 101: rawIP, 228: fixed(0x0800), 229: fixed(0x86dd), 219: fixed(0x8847),
	50:  ppp,
	51:  pppoe,
	104: hdlc,
	105: wifi,
	107: frameRelay,
	113: sll,
	127: radiotap,
	204: directed(ppp), 205: directed(hdlc), 206: directed(frameRelay),
	239: nflog,
	276: sll2,
}

// readFrame reads a packet if this reader knows its link type.
func readFrame(r record) counted {
	read := readers[r.linkType]
	if read == nil {
		return counted{frame: r.wire}
	}
	c := read(view{r.data, r.wire})
	c.read = true
	return c
}

// skip removes n bytes that were not on the wire.
func (v view) skip(n int) view {
	return view{v.data[min(n, len(v.data)):], max(v.wire-n, 0)}
}

// EtherTypes of frames that have none.
const (
	wifiManagement = 0x0180
	wifiControl    = 0x0181
	wifiData       = 0x0182
	wifiEncrypted  = 0x0183
	pppOther       = 0x880b
	hdlcOther      = 0x0019
	relayOther     = 0x6559
)

// start reads a packet that begins with headers of this EtherType, up to the end of IP.
func start(v view, ethertype int) counted {
	c := counted{frame: v.wire}
	off := c.walk(v, ethertype, 0)
	if c.key.ethertype == 0 && !c.key.arp {
		c.frame = off + c.bytes
	}
	return c
}

func fixed(ethertype int) func(view) counted {
	return func(v view) counted { return start(v, ethertype) }
}

func rawIP(v view) counted {
	switch {
	case v.there(0, 1) && v.u8(0)>>4 == 4:
		return start(v, 0x0800)
	case v.there(0, 1) && v.u8(0)>>4 == 6:
		return start(v, 0x86dd)
	}
	return other(v, runt)
}

// other returns a frame whose content is not read.
func other(v view, ethertype uint16) counted {
	return counted{frame: v.wire, key: key{ethertype: ethertype}}
}

// null reads BSD loopback frames: an address family in the byte order of the capturing machine.
func null(v view) counted {
	if !v.there(0, 4) {
		return other(v.skip(4), runt)
	}
	family := binary.LittleEndian.Uint32(v.data)
	if family > 0xffff {
		family = binary.BigEndian.Uint32(v.data)
	}
	return byFamily(v.skip(4), int(family))
}

func loop(v view) counted {
	if !v.there(0, 4) {
		return other(v.skip(4), runt)
	}
	return byFamily(v.skip(4), int(v.u32(0)))
}

// byFamily knows AF_INET, and AF_INET6 of NetBSD, FreeBSD, macOS and Linux.
func byFamily(v view, family int) counted {
	switch family {
	case 2:
		return start(v, 0x0800)
	case 10, 24, 28, 30:
		return start(v, 0x86dd)
	}
	return rawIP(v)
}

// pppTypes are the EtherTypes of PPP protocols.
var pppTypes = map[int]int{0x21: 0x0800, 0x57: 0x86dd, 0x281: 0x8847, 0x283: 0x8848}

// ppp reads RFC 1662, with compressed address, control and protocol fields, and Cisco HDLC.
func ppp(v view) counted {
	off := 0
	if v.there(0, 1) && (v.u8(0) == 0x0f || v.u8(0) == 0x8f) {
		return hdlc(v)
	}
	if v.there(0, 2) && v.u16(0) == 0xff03 {
		off = 2
	}
	return pppAt(v, off, pppOther)
}

func pppAt(v view, off int, unknown uint16) counted {
	if !v.there(off, 1) {
		return other(v, runt)
	}
	proto, size := v.u8(off), 1
	if proto&1 == 0 {
		if !v.there(off, 2) {
			return other(v, runt)
		}
		proto, size = v.u16(off), 2
	}
	ethertype := pppTypes[proto]
	if ethertype == 0 {
		return other(v, unknown)
	}
	return behind(v, off+size, ethertype)
}

// behind continues at off, after a header that was on the wire.
func behind(v view, off, ethertype int) counted {
	c := counted{frame: v.wire}
	c.walk(v, ethertype, off)
	return c
}

func pppoe(v view) counted {
	return behind(v, 0, 0x8864)
}

func hdlc(v view) counted {
	if !v.there(0, 4) {
		return other(v, runt)
	}
	if t := v.u16(2); t != 0x8035 {
		return behind(v, 4, t)
	}
	return other(v, hdlcOther)
}

// directed skips a direction byte, which was not on the wire.
func directed(read func(view) counted) func(view) counted {
	return func(v view) counted { return read(v.skip(1)) }
}

// frameRelay reads RFC 2427, and frames with Cisco's EtherType after the address. DLCIs below 16
// are for management.
func frameRelay(v view) counted {
	off := 2
	for off < 4 && v.there(0, off) && v.u8(off-1)&1 == 0 {
		off++
	}
	if !v.there(0, off+2) || v.u8(0)&1 != 0 || v.u8(off-1)&1 == 0 {
		return other(v, relayOther)
	}
	if v.u8(off) != 3 { // not unnumbered information
		if t := v.u16(off); t >= 0x0600 && v.u8(0)>>2 != 0 {
			return behind(v, off+2, t)
		}
		return other(v, relayOther)
	}
	off++
	if v.u8(off) == 0 && v.there(off+1, 1) { // padding
		off++
	}
	switch v.u8(off) {
	case 0xcc:
		return behind(v, off+1, 0x0800)
	case 0x8e:
		return behind(v, off+1, 0x86dd)
	case 0xcf:
		return pppAt(v, off+1, pppOther)
	case 0x80:
		if v.there(off+1, 5) && v.data[off+1] == 0 && v.u16(off+2) == 0 {
			return behind(v, off+6, v.u16(off+4))
		}
	}
	return other(v, relayOther)
}

// cooked applies the rule for cooked captures: frames of ARPHRD_ETHER and ARPHRD_LOOPBACK had 14
// more bytes.
func cooked(v view, arphrd, proto int) counted {
	c := start(v, proto)
	if arphrd == 1 || arphrd == 772 {
		c.frame = v.wire + 14
	}
	return c
}

func sll(v view) counted {
	if !v.there(0, 16) {
		return other(v.skip(16), runt)
	}
	return cooked(v.skip(16), v.u16(2), v.u16(14))
}

func sll2(v view) counted {
	if !v.there(0, 20) {
		return other(v.skip(20), runt)
	}
	return cooked(v.skip(20), v.u16(8), v.u16(0))
}

// nflog reads attributes of type and length; attribute 9 is the payload.
func nflog(v view) counted {
	if !v.there(0, 4) {
		return other(v, runt)
	}
	family := v.u8(0)
	for off := 4; v.there(off, 4); {
		size, kind := int(binary.LittleEndian.Uint16(v.data[off:])), binary.LittleEndian.Uint16(v.data[off+2:])
		if size < 4 {
			break
		}
		if kind == 9 {
			p := v.skip(off + 4)
			p.wire = min(p.wire, size-4)
			p.data = p.data[:min(len(p.data), p.wire)]
			return byFamily(p, family)
		}
		off += (size + 3) &^ 3
	}
	return other(v, runt)
}
