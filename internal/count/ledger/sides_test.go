package ledger

import (
	"math/rand/v2"
	"net/netip"
	"testing"

	"github.com/pktstat/pktstat/flow"
)

func ap(s string) netip.AddrPort { return netip.MustParseAddrPort(s) }

// sent is a record of one packet.
func sent(proto flow.Proto, src, dst string, dir flow.Direction, bytes uint64) flow.Record {
	return flow.Record{
		Key:      flow.Pack(flow.Key{Proto: proto, Src: ap(src), Dst: ap(dst), Dir: dir}),
		Counters: flow.Counters{Packets: 1, Bytes: bytes, FrameBytes: bytes + 14},
		First:    100, Last: 100,
	}
}

func flags(r flow.Record, f flow.TCPFlags, first int64) flow.Record {
	r.TCPFlags, r.First = f, first
	return r
}

// TestLocalEnd: which end of a conversation comes first, and how that is known.
func TestLocalEnd(t *testing.T) {
	const low, high = "192.0.2.1:443", "192.0.2.9:50000"
	syn, both := flow.TCPSyn, flow.TCPSyn|flow.TCPAck
	for name, tc := range map[string]struct {
		recs  []flow.Record
		local string
		out   uint64
		by    flow.EndsBy
	}{
		"sent and received": {[]flow.Record{sent(flow.TCP, high, low, flow.Egress, 100), sent(flow.TCP, low, high, flow.Ingress, 1000)}, high, 100, flow.EndsDirection},
		"a server":          {[]flow.Record{sent(flow.TCP, high, low, flow.Ingress, 100), sent(flow.TCP, low, high, flow.Egress, 1000)}, low, 1000, flow.EndsDirection},
		"received only":     {[]flow.Record{sent(flow.UDP, high, low, flow.Ingress, 100)}, low, 0, flow.EndsDirection},
		"captured": {[]flow.Record{
			flags(sent(flow.TCP, low, high, 0, 1000), both, 20), flags(sent(flow.TCP, high, low, 0, 100), both, 10),
		}, high, 100, flow.EndsSYN},
		"captured, from the lower port": {[]flow.Record{
			flags(sent(flow.TCP, low, high, 0, 1000), both, 10), flags(sent(flow.TCP, high, low, 0, 100), both, 20),
		}, low, 1000, flow.EndsSYN},
		"unanswered":           {[]flow.Record{flags(sent(flow.TCP, low, high, 0, 60), syn, 10)}, low, 60, flow.EndsSYN},
		"captured in between":  {[]flow.Record{sent(flow.TCP, low, high, 0, 1000), sent(flow.TCP, high, low, 0, 100)}, high, 100, flow.EndsPort},
		"loopback":             {[]flow.Record{sent(flow.UDP, low, high, flow.Ingress, 1000), sent(flow.UDP, high, low, flow.Ingress, 100)}, high, 100, flow.EndsPort},
		"the same port":        {[]flow.Record{sent(flow.UDP, "192.0.2.9:123", "192.0.2.1:123", 0, 76)}, "192.0.2.1:123", 0, flow.EndsOrder},
		"with itself":          {[]flow.Record{sent(flow.UDP, "127.0.0.1:9", "127.0.0.1:9", flow.Ingress, 50)}, "127.0.0.1:9", 50, flow.EndsOrder},
		"sent twice elsewhere": {[]flow.Record{sent(flow.TCP, high, low, flow.Egress, 100), sent(flow.TCP, high, low, flow.Ingress, 100)}, high, 200, flow.EndsPort},
	} {
		l := New(flow.DimsConversation, 10, flow.Seed{1, 2})
		l.Merge(append([]flow.Record(nil), tc.recs...))
		sel := conserved(t, l, Interval, 0)
		if len(sel.Rows) != 1 {
			t.Fatalf("%s: %d rows", name, len(sel.Rows))
		}
		row, side := sel.Rows[0], sel.Sides[0]
		if k := row.Key.Key(); k.Src != ap(tc.local) || side.EndsBy != tc.by || side.Out.Delta.Bytes != tc.out {
			t.Errorf("%s: local %s by %s, out %+v; want %s by %s, %d bytes", name, k.Src, side.EndsBy, side.Out.Delta, tc.local, tc.by, tc.out)
		}
	}
}

// TestOwnerOfConversation: it is the local end's, as far as it is known for one direction.
func TestOwnerOfConversation(t *testing.T) {
	const server, client = "192.0.2.1:443", "192.0.2.9:50000"
	own := func(r flow.Record, id uint32, m flow.Match) flow.Record {
		r.Key.OwnerID, r.Match = id, m
		return r
	}
	l := New(flow.DimsConversation, 10, flow.Seed{1, 2})
	l.Merge([]flow.Record{
		own(sent(flow.TCP, server, client, flow.Ingress, 1), 0, flow.MatchNone),
		own(sent(flow.TCP, client, server, flow.Egress, 1), 7, flow.MatchExact),
		own(sent(flow.TCP, server, client, flow.Ingress, 1), 0, flow.MatchNone),
	})
	if sel := l.Select(Interval, 0, byBytes(Interval)); len(sel.Rows) != 1 || sel.Rows[0].Key.OwnerID != 7 || sel.Rows[0].Match != flow.MatchExact {
		t.Errorf("%+v", sel.Rows)
	}
	var owners []uint32
	for id := range l.Owners() {
		owners = append(owners, id)
	}
	if len(owners) != 1 || owners[0] != 7 {
		t.Errorf("owners of rows %v", owners)
	}
	// Each end of a loopback connection receives its own packets.
	l = New(flow.DimsConversation, 10, flow.Seed{1, 2})
	l.Merge([]flow.Record{
		own(sent(flow.TCP, server, client, flow.Ingress, 1), 7, flow.MatchExact),
		own(sent(flow.TCP, client, server, flow.Ingress, 1), 8, flow.MatchExact),
	})
	if sel := l.Select(Interval, 0, byBytes(Interval)); len(sel.Rows) != 1 || sel.Rows[0].Key.OwnerID != 7 {
		t.Errorf("loopback: %+v", sel.Rows)
	}
	// Rows that are grouped by the owner keep them apart.
	l = New(flow.DimEnds|flow.DimPID, 10, flow.Seed{1, 2})
	l.Merge([]flow.Record{
		own(sent(flow.TCP, server, client, flow.Ingress, 1), 7, flow.MatchExact),
		own(sent(flow.TCP, client, server, flow.Egress, 1), 8, flow.MatchExact),
	})
	if l.Len() != 2 {
		t.Errorf("%d rows by pair and pid, want 2", l.Len())
	}
}

// TestConversationsArePairedFlows: with folding and without, conversations are the sums of
// the two flows that they are of, and everything adds up.
func TestConversationsArePairedFlows(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	addr := func() netip.AddrPort {
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(rnd.IntN(6))}), uint16(rnd.IntN(5)))
	}
	flows, convs, few := New(flow.DimsFlow, 1<<20, flow.Seed{1, 2}), New(flow.DimsConversation, 1<<20, flow.Seed{3, 4}), New(flow.DimsConversation, 50, flow.Seed{5, 6})
	for range 3 {
		for range 20 {
			recs := make([]flow.Record, 200)
			for i := range recs {
				k := flow.Key{Proto: flow.UDP, Src: addr(), Dst: addr(), Dir: flow.Direction(rnd.IntN(3))}
				recs[i] = flow.Record{
					Key: flow.Pack(k), Counters: flow.Counters{Packets: 1, Bytes: rnd.Uint64N(1000), FrameBytes: rnd.Uint64N(1 << 40)},
					Health: flow.Health{Retransmits: rnd.Uint64N(2), RetransmitBytes: rnd.Uint64N(100), Resets: rnd.Uint64N(2), ConnectFailed: rnd.Uint64N(2)},
				}
			}
			for _, l := range []*Ledger{flows, convs, few} {
				l.Merge(append([]flow.Record(nil), recs...))
			}
		}
		for _, l := range []*Ledger{flows, convs, few} {
			conserved(t, l, Interval, 0)
			conserved(t, l, Interval, 7)
			l.EndInterval()
		}
	}
	want := map[flow.Packed]flow.Totals{}
	pr := flow.DimsConversation.Projection()
	sel := conserved(t, flows, Run, 0)
	for i, row := range sel.Rows {
		key := row.Key
		pr.Apply(&key)
		sum := want[key]
		sum.Add(row.Totals(&sel.Sides[i], flow.DimsFlow, true))
		want[key] = sum
	}
	got := conserved(t, convs, Run, 0)
	if len(got.Rows) != len(want) || convs.Len() != len(want) {
		t.Fatalf("%d conversations, want %d", len(got.Rows), len(want))
	}
	for i, row := range got.Rows {
		key := row.Key
		pr.Apply(&key)
		sums := row.Totals(&got.Sides[i], flow.DimsConversation, true)
		both := sums.Out
		both.Add(sums.In)
		if sums.Counters != want[key].Counters || sums.Health != want[key].Health || both != sums.Counters {
			t.Errorf("%+v: %+v, want %+v", row.Key.Key(), sums, want[key])
		}
	}
	conserved(t, few, Run, 0)
	conserved(t, few, Run, 10)
	if few.Len() > 50 {
		t.Errorf("%d rows, at most 50 may be", few.Len())
	}
}

// TestHosts: a packet counts at its source, which sent it, and at its destination. Rows,
// rest and overflow add up to twice the total.
func TestHosts(t *testing.T) {
	l := New(flow.DimHost, 4, flow.Seed{1, 2})
	l.Merge([]flow.Record{
		sent(flow.UDP, "192.0.2.1:1", "192.0.2.2:2", flow.Egress, 100),
		sent(flow.UDP, "192.0.2.2:2", "192.0.2.1:1", flow.Ingress, 40),
		{Key: flow.Packed{EtherType: 0x88cc}, Counters: flow.Counters{Packets: 1, FrameBytes: 60}},
	})
	sel := l.Select(Interval, 0, byBytes(Interval))
	if len(sel.Rows) != 3 {
		t.Fatalf("%d rows", len(sel.Rows))
	}
	for i, row := range sel.Rows {
		sums := row.Totals(&sel.Sides[i], flow.DimHost, false)
		switch k := row.Key.Key(); k.Src.Addr() {
		case netip.MustParseAddr("192.0.2.1"):
			if sums.Out.Bytes != 100 || sums.In.Bytes != 40 {
				t.Errorf("%+v", sums)
			}
		case netip.MustParseAddr("192.0.2.2"):
			if sums.Out.Bytes != 40 || sums.In.Bytes != 100 {
				t.Errorf("%+v", sums)
			}
		default:
			if sums.Packets != 2 || sums.Out.Packets != 1 || sums.In.Packets != 1 {
				t.Errorf("no address: %+v", sums)
			}
		}
	}
	for i := range 100 {
		l.Merge([]flow.Record{sent(flow.UDP, "198.51.100.1:1", netip.AddrPortFrom(netip.AddrFrom4([4]byte{203, 0, 113, byte(i)}), 9).String(), flow.Egress, uint64(i))})
	}
	sums := l.Sums(Interval)
	twice := sums.Overflow
	sel = l.Select(Interval, 2, byBytes(Interval))
	twice.Add(sel.Rest)
	for i, row := range sel.Rows {
		twice.Add(row.Totals(&sel.Sides[i], flow.DimHost, false))
	}
	if want := flow.DimHost.Copies() * sums.Total.Packets; twice.Packets != want || twice.Out.Packets != sums.Total.Packets || twice.In.Packets != sums.Total.Packets {
		t.Errorf("rows, rest and overflow are %+v; total %+v", twice, sums.Total)
	}
}
