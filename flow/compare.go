package flow

import (
	"cmp"
	"encoding/binary"
)

// SortKeys is the number of sort keys of a [Packed].
const SortKeys = 8

// SortKey returns the i-th of the numbers that order keys: family and protocol, addresses, ports,
// then all other fields. Keys with the same numbers are equal. Comparing numbers makes it fast to
// sort a million rows.
func (p *Packed) SortKey(i int) uint64 {
	switch i {
	case 0:
		return uint64(p.Family)<<24 | uint64(p.EtherType)<<8 | uint64(p.Proto)
	case 1:
		return binary.BigEndian.Uint64(p.Src[:8])
	case 2:
		return binary.BigEndian.Uint64(p.Src[8:])
	case 3:
		return binary.BigEndian.Uint64(p.Dst[:8])
	case 4:
		return binary.BigEndian.Uint64(p.Dst[8:])
	case 5:
		return uint64(p.L4)<<32 | uint64(p.Dir)<<24 | uint64(p.VLAN)<<8 | uint64(p.L4Kind)
	case 6:
		return uint64(p.Ifindex)<<32 | uint64(p.NetNS)
	}
	return uint64(p.OwnerID)
}

// Compare orders keys by [Packed.SortKey]. Only equal keys compare as equal.
func (p *Packed) Compare(q *Packed) int {
	for i := range SortKeys {
		if c := cmp.Compare(p.SortKey(i), q.SortKey(i)); c != 0 {
			return c
		}
	}
	return 0
}
