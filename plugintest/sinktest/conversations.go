package sinktest

import (
	"net/netip"

	"github.com/pktstat/pktstat/flow"
)

// conversations returns rows of two ends: with the direction known, by SYN, by port, and without
// addresses. One has a round-trip time, and one has an owner.
func conversations() *flow.Report {
	r := final("tc", "tcx")
	r.Dims = flow.DimsConversation
	k := flow.Key{Src: netip.MustParseAddrPort("192.0.2.2:50000"), Dst: netip.MustParseAddrPort("192.0.2.1:443"), Proto: flow.TCP, Ifindex: 2}
	add(r, k, 1300, 1_606_000, 1_624_200)
	flagged(r, closedConn)
	sent(r, flow.Counters{Packets: 100, Bytes: 6000, FrameBytes: 7400}, flow.EndsDirection)
	own(r, flow.Owner{PID: 1234, Start: 77e9, Comm: "curl", UID: 1000}, flow.MatchExact)
	last := &r.Sides[len(r.Sides)-1]
	last.RTT, last.RTTBy = 12_345_678, flow.RTTHandshake
	unwell := flow.Health{Retransmits: 3, RetransmitBytes: 4000, Resets: 2, ConnectFailed: 1}
	last.Health, last.RetransmitsBy = flow.Spans[flow.Health]{Delta: unwell, Total: unwell}, flow.RetransmitsSequence
	k.Src, k.Dst = netip.MustParseAddrPort("[2001:db8::2]:50002"), netip.MustParseAddrPort("[2001:db8::1]:443")
	add(r, k, 61, 48_060, 48_914)
	flagged(r, flow.TCPSyn)
	sent(r, flow.Counters{Packets: 61, Bytes: 48_060, FrameBytes: 48_914}, flow.EndsSYN)
	k = flow.Key{Src: netip.MustParseAddrPort("192.0.2.1:0"), Dst: netip.MustParseAddrPort("192.0.2.2:0"), Proto: flow.ICMP, Subtype: 8 << 8, Ifindex: 2}
	add(r, projected(k, r.Dims), 20, 1680, 1960)
	sent(r, flow.Counters{Packets: 10, Bytes: 840, FrameBytes: 980}, flow.EndsOrder)
	add(r, flow.Key{EtherType: 0x88cc, Ifindex: 2}, 1, 0, 217)
	sent(r, flow.Counters{}, flow.EndsOrder)
	sums(r, flow.Counters{Packets: 5, Bytes: 500, FrameBytes: 570}, flow.Overflow{}, flow.Counters{Packets: 1, Bytes: 60, FrameBytes: 74})
	r.Rest.Out, r.Rest.In = flow.Counters{Packets: 2, Bytes: 200, FrameBytes: 228}, flow.Counters{Packets: 3, Bytes: 300, FrameBytes: 342}
	r.Total.AddEnds(&r.Rest)
	r.Total.Health = unwell
	r.Run.Total = r.Total
	r.FlowCount += 2
	return r
}

// hosts returns rows in which a packet counts at both of its ends.
func hosts() *flow.Report {
	r := final("tc", "tcx")
	r.Dims = flow.DimHost
	r.Notes = []string{"each packet counts at both of its ends: the rows add up to twice the total"}
	there, back := flow.Counters{Packets: 10, Bytes: 1000, FrameBytes: 1140}, flow.Counters{Packets: 20, Bytes: 20_000, FrameBytes: 20_280}
	for i, addr := range []string{"192.0.2.2", "2001:db8::1"} {
		add(r, flow.Key{Src: netip.AddrPortFrom(netip.MustParseAddr(addr), 0)}, 30, 21_000, 21_420)
		sent(r, [...]flow.Counters{there, back}[i], flow.EndsUnset)
	}
	r.Total = flow.Totals{Counters: there, Out: there, In: there}
	r.Total.Counters.Add(back)
	r.Total.Out.Add(back)
	r.Total.In.Add(back)
	r.Run.Total = r.Total
	return r
}

// services returns rows of service ports.
func services() *flow.Report {
	r := final("tc", "tcx")
	r.Dims = flow.DimService | flow.DimProto
	add(r, projected(key(flow.TCP, "192.0.2.1:443", "192.0.2.2:50000"), r.Dims), 30, 21_000, 21_420)
	add(r, projected(key(flow.UDP, "192.0.2.2:50001", "192.0.2.1:53"), r.Dims), 2, 200, 228)
	add(r, projected(key(flow.ICMP, "192.0.2.2:0", "192.0.2.1:0"), r.Dims), 1, 84, 98)
	return r
}

// sent sets what the first end of the last row has sent.
func sent(r *flow.Report, out flow.Counters, by flow.EndsBy) {
	r.Sides = append(r.Sides, flow.Side{Out: flow.Spans[flow.Counters]{Delta: out, Total: out}, SideMarks: flow.SideMarks{EndsBy: by}})
	t := r.Packed[len(r.Packed)-1].Totals(&r.Sides[len(r.Sides)-1], r.Dims, true)
	r.Total.AddEnds(&t)
}
