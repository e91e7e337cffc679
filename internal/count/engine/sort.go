package engine

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/count/ledger"
)

// SortField is what rows are ordered by, the largest first (addresses and ports:
// the smallest first). Ties go by packets, then by the flow itself.
type SortField uint8

// The fields of --sort.
const (
	SortRate SortField = iota // bytes of the rate layer in this report
	SortPackets
	SortBytes
	SortFrameBytes
	SortSrc
	SortDst
	SortSrcPort
	SortDstPort
	SortProto
	SortFirst
	SortLast
	SortRetransmits
)

var sortNames = []string{
	SortRate: "rate", SortPackets: "packets", SortBytes: "bytes", SortFrameBytes: "frame_bytes",
	SortSrc: "src", SortDst: "dst", SortSrcPort: "sport", SortDstPort: "dport", SortProto: "proto",
	SortFirst: "first", SortLast: "last", SortRetransmits: "retransmits",
}

// SortNames returns what ParseSort reads.
func SortNames() []string { return slices.Clone(sortNames) }

// ParseSort reads the value of --sort.
func ParseSort(s string) (SortField, error) {
	if i := slices.Index(sortNames, s); i >= 0 {
		return SortField(i), nil
	}
	return 0, fmt.Errorf("unknown sort field %q: there are %s", s, strings.Join(sortNames, ", "))
}

// String returns what ParseSort reads.
func (f SortField) String() string { return sortNames[f] }

// order returns the order of the rows of a report, of which again tells the retransmits.
func (f SortField) order(final bool, rate flow.Layer, again func(row) uint64) ledger.Order {
	of := func(r row) *flow.Counters {
		if final {
			return &r.Total
		}
		return &r.Delta
	}
	packets := func(r row) uint64 { return of(r).Packets }
	var o ledger.Order
	switch f {
	case SortRate:
		o = ledger.Order{func(r row) uint64 { return of(r).At(rate) }}
	case SortPackets: // as all do in the end
	case SortBytes:
		o = ledger.Order{func(r row) uint64 { return of(r).Bytes }}
	case SortFrameBytes:
		o = ledger.Order{func(r row) uint64 { return of(r).FrameBytes }}
	case SortSrc:
		o = bySrc
	case SortDst:
		o = byDst
	case SortSrcPort:
		o = ledger.Order{func(r row) uint64 { return uint64(^ports(r) >> 16) }}
	case SortDstPort:
		o = ledger.Order{func(r row) uint64 { return uint64(^ports(r) & 0xffff) }}
	case SortProto:
		o = byName
	case SortFirst: // the earliest first
		o = ledger.Order{func(r row) uint64 { return ^uint64(r.First) }}
	case SortLast:
		o = ledger.Order{func(r row) uint64 { return uint64(r.Last) }}
	case SortRetransmits:
		o = ledger.Order{again}
	}
	return slices.Concat(o, ledger.Order{packets}, byKey)
}

type row = *flow.PackedRow

func ports(r row) uint32 {
	if r.Key.L4Kind != flow.L4Ports {
		return 0
	}
	return r.Key.L4
}

// The orders of what a key is made of, the smallest first.
var (
	bySrc = ledger.Order{
		func(r row) uint64 { return ^binary.BigEndian.Uint64(r.Key.Src[:8]) },
		func(r row) uint64 { return ^binary.BigEndian.Uint64(r.Key.Src[8:]) },
	}
	byDst = ledger.Order{
		func(r row) uint64 { return ^binary.BigEndian.Uint64(r.Key.Dst[:8]) },
		func(r row) uint64 { return ^binary.BigEndian.Uint64(r.Key.Dst[8:]) },
	}
	byName = ledger.Order{
		func(r row) uint64 { return ^protocol(r, 0) },
		func(r row) uint64 { return ^protocol(r, 8) },
	}
	// byKey is a total order, so that equal traffic prints equally.
	byKey = slices.Concat(
		ledger.Order{func(r row) uint64 {
			return ^(uint64(r.Key.Family)<<24 | uint64(r.Key.EtherType)<<8 | uint64(r.Key.Proto))
		}},
		bySrc, byDst,
		ledger.Order{
			func(r row) uint64 {
				return ^(uint64(r.Key.L4)<<32 | uint64(r.Key.Dir)<<24 | uint64(r.Key.VLAN)<<8 | uint64(r.Key.L4Kind))
			},
			func(r row) uint64 { return ^(uint64(r.Key.Ifindex)<<32 | uint64(r.Key.NetNS)) },
			func(r row) uint64 { return ^uint64(r.Key.OwnerID) },
		},
	)
)

// protocol is eight bytes of the protocol's name.
func protocol(r row, from int) uint64 {
	k := r.Key.Key()
	var b [16]byte
	copy(b[:], k.Protocol())
	return binary.BigEndian.Uint64(b[from:])
}
