package ledger

import (
	"net/netip"
	"testing"

	"github.com/pktstat/pktstat/flow"
)

// retransmitted returns a TCP record with retransmits.
func retransmitted(host byte, port uint16, bytes, retransmits uint64) flow.Record {
	r := flow.Record{
		Key: flow.Pack(flow.Key{
			Src:   netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, host}), port),
			Dst:   netip.MustParseAddrPort("198.51.100.1:443"),
			Proto: flow.TCP,
		}),
		Health: flow.Health{Retransmits: retransmits},
	}
	if bytes > 0 {
		r.Counters = flow.Counters{Packets: 1, Bytes: bytes, FrameBytes: bytes}
	}
	return r
}

// checkRetransmits checks the retransmits of the rows, the rest after top rows, and the overflow.
func checkRetransmits(t *testing.T, l *Ledger, s Span, top int, total, rest, overflow uint64) {
	t.Helper()
	sel, sums := l.Select(s, top, byBytes(s)), l.Sums(s)
	if sums.Total.Retransmits != total || sel.Rest.Retransmits != rest || sums.Overflow.Retransmits != overflow || sums.Lost.Retransmits != 0 {
		t.Errorf("retransmits of %+v, rest %+v; want %d, %d in rest, %d in overflow", sums, sel.Rest, total, rest, overflow)
	}
	sum := rest + overflow
	for i := range sel.Sides {
		sum += sel.Sides[i].Health.Of(s == Run).Retransmits
	}
	if sum != total {
		t.Errorf("rows + rest + overflow = %d, total %d", sum, total)
	}
}

func spans(delta, total uint64) flow.Spans[flow.Health] {
	return flow.Spans[flow.Health]{Delta: flow.Health{Retransmits: delta}, Total: flow.Health{Retransmits: total}}
}

// retransmits returns the retransmits by key, of rows that have any in a span.
func (l *Ledger) retransmits(s Span) map[flow.Packed]flow.Spans[flow.Health] {
	got := map[flow.Packed]flow.Spans[flow.Health]{}
	sel := l.Select(s, 0, byBytes(s))
	for i := range sel.Sides {
		if n := sel.Sides[i].Health; !n.Of(s == Run).IsZero() {
			got[sel.Rows[i].Key] = n
		}
	}
	return got
}

// TestRetransmits: retransmits follow their rows: by interval, over the run, and into the
// overflow.
func TestRetransmits(t *testing.T) {
	l := New(flow.DimSrc, 8, flow.Seed{1, 2})
	key := retransmitted(1, 0, 0, 0).Key
	p := flow.DimSrc.Projection()
	p.Apply(&key)
	l.Merge([]flow.Record{retransmitted(1, 10, 1, 2), retransmitted(1, 11, 1, 3), retransmitted(2, 10, 1000, 0)})
	if got := l.retransmits(Interval); len(got) != 1 || got[key] != spans(5, 5) {
		t.Errorf("interval: %v", got)
	}
	checkRetransmits(t, l, Interval, 0, 5, 0, 0)
	checkRetransmits(t, l, Interval, 1, 5, 5, 0)
	l.EndInterval()
	if got := l.retransmits(Interval); len(got) != 0 {
		t.Errorf("next interval: %v", got)
	}
	checkRetransmits(t, l, Interval, 0, 0, 0, 0)
	l.Merge([]flow.Record{retransmitted(1, 12, 1, 1)})
	if got := l.retransmits(Interval); len(got) != 1 || got[key] != spans(1, 6) {
		t.Errorf("run: %v", got)
	}
	for host := range byte(20) { // row 1 is the smallest
		l.Merge([]flow.Record{retransmitted(10+host, 1, 5000, 0)})
	}
	if got := l.retransmits(Interval); len(got) != 0 {
		t.Errorf("of a row that was folded: %v", got)
	}
	checkRetransmits(t, l, Interval, 0, 1, 0, 1)
	l.Merge([]flow.Record{retransmitted(1, 10, 9000, 4)}) // the flow gets a new row
	l.EndInterval()
	checkRetransmits(t, l, Run, 0, 10, 0, 6)
}

// TestRetransmitsAlone: an interval has a row even for retransmits alone.
func TestRetransmitsAlone(t *testing.T) {
	l := New(flow.DimsFlow, 8, flow.Seed{1, 2})
	l.Merge([]flow.Record{retransmitted(1, 10, 100, 0), retransmitted(2, 10, 100, 0)})
	l.EndInterval()
	l.Merge([]flow.Record{retransmitted(1, 10, 0, 2)})
	sel := l.Select(Interval, 0, byBytes(Interval))
	if len(sel.Rows) != 1 || sel.Count != 1 || sel.Rows[0].Key != retransmitted(1, 10, 0, 0).Key || !sel.Rows[0].Delta.IsZero() {
		t.Errorf("rows %+v", sel.Rows)
	}
	checkRetransmits(t, l, Interval, 0, 2, 0, 0)
}
