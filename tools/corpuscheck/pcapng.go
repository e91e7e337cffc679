package main

import (
	"encoding/binary"
	"math/big"
	"time"
)

// Block types of draft-ietf-opsawg-pcapng.
const (
	blockSection   = 0x0a0d0d0a
	blockInterface = 1
	blockPacket    = 2
	blockSimple    = 3
	blockEnhanced  = 6
)

// ngInterface is an interface description block.
type ngInterface struct {
	linkType uint32
	snap     int
	tick     *big.Rat // seconds
	offset   int64    // seconds
}

// ngFile is the state while a pcapng file is read.
type ngFile struct {
	order      binary.ByteOrder
	interfaces []ngInterface
	last       time.Time // of the packet before
	recs       []record
}

// readNG reads pcapng.
func readNG(raw []byte) ([]record, error) {
	f := &ngFile{order: binary.LittleEndian, last: time.Unix(0, 0)}
	for len(raw) > 0 {
		if len(raw) < 12 {
			return f.recs, errDamaged
		}
		if binary.LittleEndian.Uint32(raw) == blockSection {
			f.order, f.interfaces = binary.LittleEndian, nil
			if binary.BigEndian.Uint32(raw[8:]) == 0x1a2b3c4d {
				f.order = binary.BigEndian
			}
			if !f.version(raw) {
				return f.recs, errDamaged
			}
		}
		size := int(f.order.Uint32(raw[4:]))
		if size < 12 || size > maxBlock || size > len(raw) || size%4 != 0 {
			return f.recs, errDamaged
		}
		if !f.block(f.order.Uint32(raw), raw[8:size-4]) {
			return f.recs, errDamaged
		}
		raw = raw[size:]
	}
	return f.recs, nil
}

// version checks the section's version, and that its options end inside the section.
func (f *ngFile) version(raw []byte) bool {
	size := int(f.order.Uint32(raw[4:]))
	if len(raw) < 28 || size < 28 || size > len(raw) || f.order.Uint16(raw[12:]) != 1 {
		return false
	}
	for opts := raw[24 : size-4]; len(opts) >= 4; {
		if f.order.Uint16(opts) == 0 {
			break
		}
		n := 4 + (int(f.order.Uint16(opts[2:]))+3)&^3
		if n > len(opts) {
			return false
		}
		opts = opts[n:]
	}
	return true
}

// block reads the body of a block.
func (f *ngFile) block(kind uint32, body []byte) bool {
	switch kind {
	case blockInterface:
		if len(body) < 8 {
			return false
		}
		f.interfaces = append(f.interfaces, f.describe(body))
	case blockEnhanced:
		return len(body) >= 20 && f.packet(int(f.order.Uint32(body)), body[4:12], body[12:])
	case blockPacket:
		return len(body) >= 20 && f.packet(int(f.order.Uint16(body)), body[4:12], body[12:])
	case blockSimple:
		if len(body) < 4 || len(f.interfaces) == 0 {
			return false
		}
		wire := int(f.order.Uint32(body))
		kept := min(wire, len(body)-4)
		if snap := f.interfaces[0].snap; snap > 0 {
			kept = min(kept, snap)
		}
		f.recs = append(f.recs, record{linkType: f.interfaces[0].linkType, data: body[4 : 4+kept], wire: wire, given: wire, time: f.last})
	}
	return true
}

// packet reads a packet from its time on. body is the two lengths and the data.
func (f *ngFile) packet(iface int, stamp, body []byte) bool {
	if iface >= len(f.interfaces) {
		return false
	}
	i := f.interfaces[iface]
	kept, wire := int(f.order.Uint32(body)), int(f.order.Uint32(body[4:]))
	if kept > maxRecord || kept > len(body)-8 {
		return false
	}
	ticks := uint64(f.order.Uint32(stamp))<<32 | uint64(f.order.Uint32(stamp[4:]))
	// A time that does not fit into nanoseconds since 1970 counts as missing.
	if at := i.at(ticks); at.Year() > 1896 && at.Year() < 2116 {
		f.last = at
	}
	f.recs = append(f.recs, record{linkType: i.linkType, data: body[8 : 8+kept], wire: max(wire, kept), given: wire, time: f.last})
	return true
}

// describe reads an interface description block with its options if_tsresol
// (9) and if_tsoffset (14).
func (f *ngFile) describe(body []byte) ngInterface {
	i := ngInterface{linkType: uint32(f.order.Uint16(body)), snap: int(f.order.Uint32(body[4:])), tick: big.NewRat(1, 1e6)}
	for opts := body[8:]; len(opts) >= 4; {
		code, size := f.order.Uint16(opts), int(f.order.Uint16(opts[2:]))
		if code == 0 || size > len(opts)-4 {
			break
		}
		value := opts[4 : 4+size]
		switch {
		case code == 9 && size == 1:
			base := int64(10)
			if value[0]&0x80 != 0 {
				base = 2
			}
			power := new(big.Int).Exp(big.NewInt(base), big.NewInt(int64(value[0]&0x7f)), nil)
			i.tick = new(big.Rat).SetFrac(big.NewInt(1), power)
		case code == 14 && size == 8:
			i.offset = int64(f.order.Uint64(value)) //nolint:gosec // the field is signed
		}
		opts = opts[min(4+(size+3)&^3, len(opts)):]
	}
	return i
}

// at returns the time of a tick, rounded down to nanoseconds.
func (i ngInterface) at(ticks uint64) time.Time {
	ns := new(big.Rat).SetInt(new(big.Int).SetUint64(ticks))
	ns.Mul(ns, i.tick).Mul(ns, big.NewRat(1e9, 1))
	whole := new(big.Int).Quo(ns.Num(), ns.Denom())
	sec, nsec := new(big.Int).QuoRem(whole, big.NewInt(1e9), new(big.Int))
	return time.Unix(sec.Int64()+i.offset, nsec.Int64())
}
