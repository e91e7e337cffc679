package flow

import (
	"encoding/binary"
	"math/bits"
	"net/netip"
	"unsafe"
)

// Packed is a [Key] in 56 bytes without pointers or padding. Sources fill records with it, and
// the ledger stores it. It is comparable: equal keys pack equally.
type Packed struct {
	_         [0]uint64 // aligns the struct for words
	Src, Dst  [16]byte  // IPv4 in the first four bytes, the rest zero
	L4        uint32    // content depends on L4Kind
	Proto     Proto
	Family    Family
	Dir       Direction
	L4Kind    L4Kind
	VLAN      uint16
	EtherType EtherType
	Ifindex   uint32
	NetNS     uint32
	OwnerID   uint32
}

// Family is the address family of a Packed.
type Family uint8

// Families; zero is "no addresses".
const (
	FamilyNone Family = 0
	FamilyIPv4 Family = 4
	FamilyIPv6 Family = 6
)

// L4Kind is the meaning of Packed.L4.
type L4Kind uint8

// Kinds of Packed.L4.
const (
	L4None    L4Kind = iota
	L4Ports          // source port << 16 | destination port
	L4Subtype        // Key.Subtype
)

// Ports returns the value of Packed.L4 for two ports.
func Ports(src, dst uint16) uint32 { return uint32(src)<<16 | uint32(dst) }

// ServicePort returns the port that names the service of two: the lower one, as a rule the
// server's. Port 0 is none.
func ServicePort(a, b uint16) uint16 {
	if a == 0 || b == 0 {
		return max(a, b)
	}
	return min(a, b)
}

// words views the key as seven words, for hashing and masking. The struct has 56 bytes and is
// 8-aligned, so the view is exact.
func (p *Packed) words() *[7]uint64 { return (*[7]uint64)(p.bytes()) }

func (p *Packed) bytes() unsafe.Pointer { return unsafe.Pointer(p) }

// Seed keys the hash, so that an attacker cannot force collisions.
type Seed [2]uint64

// Hash returns a keyed hash of all fields. It uses the multiply-mix step of wyhash on two words a
// step; each step is keyed by the result before.
func (p *Packed) Hash(s Seed) uint64 {
	w := p.words()
	h := mix(w[0]^s[0]^0x2d358dccaa6c78a5, w[1]^s[1]^0x8bb84b93962eacc9)
	h = mix(w[2]^0xa0761d6478bd642f, w[3]^h)
	h = mix(w[4]^0xe7037ed1a0b428db, w[5]^h)
	h = mix(w[6]^0x8ebc6af09c88c6e3, h^0x1d8e4e27c47d124f)
	return mix(h^s[0], s[1]^0x589965cc75374cc3)
}

func mix(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	return hi ^ lo
}

// Pack returns the compact form of k. [Packed.Key] reverses it.
func Pack(k Key) Packed {
	p := Packed{
		Proto: k.Proto, EtherType: k.EtherType, Dir: k.Dir, VLAN: k.VLAN,
		Ifindex: k.Ifindex, NetNS: k.NetNS, OwnerID: k.OwnerID,
	}
	for _, a := range []struct {
		addr netip.Addr
		to   *[16]byte
	}{{k.Src.Addr(), &p.Src}, {k.Dst.Addr(), &p.Dst}} {
		switch {
		case a.addr.Is4():
			b := a.addr.As4()
			copy(a.to[:], b[:])
			p.Family = FamilyIPv4
		case a.addr.Is6():
			*a.to = a.addr.As16()
			p.Family = FamilyIPv6
		}
	}
	switch {
	case k.Src.Port() != 0 || k.Dst.Port() != 0 || k.HasPorts():
		p.L4Kind, p.L4 = L4Ports, Ports(k.Src.Port(), k.Dst.Port())
	case k.Subtype != 0 || k.EtherType == EtherTypeARP || k.EtherType == 0 && k.Proto.HasSubtype():
		p.L4Kind, p.L4 = L4Subtype, k.Subtype
	}
	return p
}

// Key returns the readable form of p.
func (p *Packed) Key() Key {
	k := Key{
		Proto: p.Proto, EtherType: p.EtherType, Dir: p.Dir, VLAN: p.VLAN,
		Ifindex: p.Ifindex, NetNS: p.NetNS, OwnerID: p.OwnerID,
	}
	var sport, dport uint16
	switch p.L4Kind {
	case L4Ports:
		sport, dport = uint16(p.L4>>16), uint16(p.L4)
	case L4Subtype:
		k.Subtype = p.L4
	}
	k.Src = netip.AddrPortFrom(addr(p.Family, &p.Src), sport)
	k.Dst = netip.AddrPortFrom(addr(p.Family, &p.Dst), dport)
	return k
}

// addr decodes one address. An address that rows are not grouped by reads as all zeros.
func addr(f Family, b *[16]byte) netip.Addr {
	switch f {
	case FamilyIPv4:
		return netip.AddrFrom4([4]byte(b[:4]))
	case FamilyIPv6:
		return netip.AddrFrom16(*b)
	}
	return netip.Addr{}
}

// SetIPv4 sets both addresses from the 8 address bytes of an IPv4 header (RFC 791).
func (p *Packed) SetIPv4(b []byte) {
	_ = b[7]
	w := p.words()
	// Loads and stores in the machine's own order: bytes keep their places.
	w[0] = uint64(binary.NativeEndian.Uint32(b))
	w[2] = uint64(binary.NativeEndian.Uint32(b[4:]))
	w[1], w[3] = 0, 0
	p.Family = FamilyIPv4
}

// SetIPv6 sets both addresses from the 32 address bytes of an IPv6 header (RFC 8200).
func (p *Packed) SetIPv6(b []byte) {
	p.Src = [16]byte(b[:16])
	p.Dst = [16]byte(b[16:32])
	p.Family = FamilyIPv6
}
