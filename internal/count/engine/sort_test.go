package engine

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/count/ledger"
)

func TestParseSort(t *testing.T) {
	for i, name := range sortNames {
		f, err := ParseSort(name)
		if err != nil || f != SortField(i) || f.String() != name {
			t.Errorf("%q: %v, %v", name, f, err)
		}
	}
	if _, err := ParseSort("size"); err == nil || !strings.Contains(err.Error(), "rate, packets") {
		t.Errorf("an unknown field: %v", err)
	}
}

// TestSortFields: three rows, each the first under some field, and the same order
// whatever order they come in.
func TestSortFields(t *testing.T) {
	rec := func(src, dst string, p flow.Proto, c flow.Counters, first, last int64) flow.Record {
		k := flow.Key{Src: netip.MustParseAddrPort(src), Dst: netip.MustParseAddrPort(dst), Proto: p}
		return flow.Record{Key: flow.Pack(k), Counters: c, First: first, Last: last}
	}
	recs := []flow.Record{
		rec("10.0.0.1:90", "10.0.0.9:3", flow.UDP, flow.Counters{Packets: 1, Bytes: 900, FrameBytes: 914}, 5, 9),
		rec("10.0.0.2:80", "10.0.0.8:2", flow.TCP, flow.Counters{Packets: 9, Bytes: 100, FrameBytes: 226}, 6, 7),
		rec("10.0.0.3:70", "10.0.0.7:1", flow.SCTP, flow.Counters{Packets: 5, Bytes: 500, FrameBytes: 2000}, 4, 8),
		{Key: flow.Pack(flow.Key{EtherType: 0x88cc}), Counters: flow.Counters{Packets: 2, FrameBytes: 120}, First: 7, Last: 7},
	}
	recs[0].Retransmits, recs[2].Retransmits = 5, 7
	for _, tt := range []struct {
		field SortField
		rate  flow.Layer
		want  string // protocols in order
	}{
		{SortRate, flow.LayerFrame, "SCTP UDP TCP ETH"},
		{SortRate, flow.LayerIP, "UDP SCTP TCP ETH"},
		{SortPackets, flow.LayerFrame, "TCP SCTP ETH UDP"},
		{SortBytes, flow.LayerFrame, "UDP SCTP TCP ETH"},
		{SortFrameBytes, flow.LayerIP, "SCTP UDP TCP ETH"},
		{SortSrc, flow.LayerIP, "ETH UDP TCP SCTP"},
		{SortDst, flow.LayerIP, "ETH SCTP TCP UDP"},
		{SortSrcPort, flow.LayerIP, "ETH SCTP TCP UDP"},
		{SortDstPort, flow.LayerIP, "ETH SCTP TCP UDP"},
		{SortProto, flow.LayerIP, "ETH SCTP TCP UDP"},
		{SortFirst, flow.LayerIP, "SCTP UDP TCP ETH"},
		{SortLast, flow.LayerIP, "UDP SCTP TCP ETH"},
		{SortRetransmits, flow.LayerIP, "SCTP UDP TCP ETH"},
	} {
		for _, span := range []ledger.Span{ledger.Interval, ledger.Run} {
			l := ledger.New(flow.DimsFlow, 100, flow.Seed{1, 2})
			in := slices.Clone(recs)
			rand.Shuffle(len(in), func(i, j int) { in[i], in[j] = in[j], in[i] })
			l.Merge(in)
			if span == ledger.Run {
				l.EndInterval()
			}
			var got []string
			for _, r := range l.Select(span, 0, tt.field.order(span == ledger.Run, tt.rate, l.RetransmitsOf(span))).Rows {
				k := r.Key.Key()
				got = append(got, k.Protocol())
			}
			if s := strings.Join(got, " "); s != tt.want {
				t.Errorf("by %v (%v): %s, want %s", tt.field, tt.rate, s, tt.want)
			}
		}
	}
}
