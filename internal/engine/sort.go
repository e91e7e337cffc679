package engine

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/pktstat/pktstat/flow"
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

// order returns the comparison for rows of a report: negative if a comes first.
func (f SortField) order(final bool, rate flow.Layer) func(a, b *flow.PackedRow) int {
	counters := func(r *flow.PackedRow) *flow.Counters {
		if final {
			return &r.Total
		}
		return &r.Delta
	}
	first := func(a, b *flow.PackedRow) int {
		return cmp.Compare(counters(b).At(rate), counters(a).At(rate))
	}
	switch f {
	case SortPackets:
		first = func(a, b *flow.PackedRow) int { return cmp.Compare(counters(b).Packets, counters(a).Packets) }
	case SortBytes:
		first = func(a, b *flow.PackedRow) int { return cmp.Compare(counters(b).Bytes, counters(a).Bytes) }
	case SortFrameBytes:
		first = func(a, b *flow.PackedRow) int { return cmp.Compare(counters(b).FrameBytes, counters(a).FrameBytes) }
	case SortSrc:
		first = func(a, b *flow.PackedRow) int { return bytes.Compare(a.Key.Src[:], b.Key.Src[:]) }
	case SortDst:
		first = func(a, b *flow.PackedRow) int { return bytes.Compare(a.Key.Dst[:], b.Key.Dst[:]) }
	case SortSrcPort:
		first = func(a, b *flow.PackedRow) int { return cmp.Compare(a.Key.L4>>16, b.Key.L4>>16) }
	case SortDstPort:
		first = func(a, b *flow.PackedRow) int { return cmp.Compare(a.Key.L4&0xffff, b.Key.L4&0xffff) }
	case SortProto:
		first = func(a, b *flow.PackedRow) int {
			ka, kb := a.Key.Key(), b.Key.Key()
			return cmp.Compare(ka.Protocol(), kb.Protocol())
		}
	case SortFirst:
		first = func(a, b *flow.PackedRow) int { return cmp.Compare(a.First, b.First) }
	case SortLast:
		first = func(a, b *flow.PackedRow) int { return cmp.Compare(b.Last, a.Last) }
	}
	return func(a, b *flow.PackedRow) int {
		if c := first(a, b); c != 0 {
			return c
		}
		if c := cmp.Compare(counters(b).Packets, counters(a).Packets); c != 0 {
			return c
		}
		return compareKeys(&a.Key, &b.Key)
	}
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
