package engine

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/ledger"
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
)

var sortNames = []string{
	SortRate: "rate", SortPackets: "packets", SortBytes: "bytes", SortFrameBytes: "frame_bytes",
	SortSrc: "src", SortDst: "dst", SortSrcPort: "sport", SortDstPort: "dport", SortProto: "proto",
	SortFirst: "first", SortLast: "last",
}

// ParseSort reads the value of --sort.
func ParseSort(s string) (SortField, error) {
	if i := slices.Index(sortNames, s); i >= 0 {
		return SortField(i), nil
	}
	return 0, fmt.Errorf("unknown sort field %q: there are %s", s, strings.Join(sortNames, ", "))
}

// String returns what ParseSort reads.
func (f SortField) String() string { return sortNames[f] }

// order returns the order of the rows of a report.
func (f SortField) order(final bool, rate flow.Layer) ledger.Order {
	of := func(r *flow.PackedRow) *flow.Counters {
		if final {
			return &r.Total
		}
		return &r.Delta
	}
	type row = *flow.PackedRow
	var o ledger.Order
	compare := func(_, _ row) int { return 0 }
	switch f {
	case SortRate:
		o.Key = func(r row) uint64 { return of(r).At(rate) }
	case SortPackets:
		o.Key = func(r row) uint64 { return of(r).Packets }
	case SortBytes:
		o.Key = func(r row) uint64 { return of(r).Bytes }
	case SortFrameBytes:
		o.Key = func(r row) uint64 { return of(r).FrameBytes }
	case SortLast:
		o.Key = func(r row) uint64 { return uint64(r.Last) }
	case SortFirst: // the earliest first
		o.Key = func(r row) uint64 { return ^uint64(r.First) }
	case SortSrcPort:
		o.Key = func(r row) uint64 { return uint64(^ports(r) >> 16) }
	case SortDstPort:
		o.Key = func(r row) uint64 { return uint64(^ports(r) & 0xffff) }
	case SortSrc:
		compare = func(a, b row) int { return bytes.Compare(a.Key.Src[:], b.Key.Src[:]) }
	case SortDst:
		compare = func(a, b row) int { return bytes.Compare(a.Key.Dst[:], b.Key.Dst[:]) }
	case SortProto:
		compare = func(a, b row) int {
			ka, kb := a.Key.Key(), b.Key.Key()
			return cmp.Compare(ka.Protocol(), kb.Protocol())
		}
	}
	o.Compare = func(a, b row) int {
		if c := compare(a, b); c != 0 {
			return c
		}
		if c := cmp.Compare(of(b).Packets, of(a).Packets); c != 0 {
			return c
		}
		return compareKeys(&a.Key, &b.Key)
	}
	return o
}

func ports(r *flow.PackedRow) uint32 {
	if r.Key.L4Kind != flow.L4Ports {
		return 0
	}
	return r.Key.L4
}

// compareKeys is a total order over keys, so that equal traffic prints equally.
func compareKeys(a, b *flow.Packed) int {
	return cmp.Or(
		cmp.Compare(a.Family, b.Family),
		cmp.Compare(a.EtherType, b.EtherType),
		cmp.Compare(a.Proto, b.Proto),
		bytes.Compare(a.Src[:], b.Src[:]),
		bytes.Compare(a.Dst[:], b.Dst[:]),
		cmp.Compare(a.L4, b.L4),
		cmp.Compare(a.Dir, b.Dir),
		cmp.Compare(a.VLAN, b.VLAN),
		cmp.Compare(a.Ifindex, b.Ifindex),
		cmp.Compare(a.NetNS, b.NetNS),
		cmp.Compare(a.PID, b.PID),
		cmp.Compare(a.CgroupID, b.CgroupID),
		cmp.Compare(a.L4Kind, b.L4Kind),
	)
}
