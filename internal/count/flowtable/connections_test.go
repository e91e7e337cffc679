package flowtable

import (
	"net/netip"
	"testing"
	"time"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/count/packet"
)

// segmentOf is a segment of a flow with a source port.
func segmentOf(port uint16, flags flow.TCPFlags) *flow.Record {
	return &flow.Record{
		Key:      flow.Pack(flow.Key{Proto: flow.TCP, Src: netip.AddrPortFrom(netip.MustParseAddr("192.0.2.1"), port), Dst: netip.MustParseAddrPort("192.0.2.2:443")}),
		Counters: flow.Counters{Packets: 1, Bytes: 1000, FrameBytes: 1014}, Marks: flow.Marks{TCPFlags: flags},
	}
}

// drainedHealth drains a table.
func drainedHealth(t *testing.T, f *Table) (all map[uint16]flow.Health, overflow flow.Health) {
	t.Helper()
	all = map[uint16]flow.Health{}
	b := flow.NewBatch(flow.BatchHooks{Records: func(rs []flow.Record) error {
		for _, r := range rs {
			h := all[uint16(r.Key.L4>>16)]
			h.Add(r.Health)
			all[uint16(r.Key.L4>>16)] = h
		}
		return nil
	}})
	b.WindowClosed(time.Time{})
	f.Drain(b, 5, 7)
	if err := b.Flush(); err != nil {
		t.Fatal(err)
	}
	return all, b.OverflowHealth
}

// TestHealth: two tables that take turns know the same connections. A flow that lost its row keeps
// what went wrong in it.
func TestHealth(t *testing.T) {
	conns, budget := NewConnections(), NewBudget(1)
	a, b := New(budget, conns), New(budget, conns)
	send := func(f *Table, port uint16, flags flow.TCPFlags, seq uint32, at int64) {
		f.Add(segmentOf(port, flags), packet.Segment{Seq: seq, Payload: 960}, at)
	}
	send(a, 1, flow.TCPAck, 0, 0)
	send(a, 1, flow.TCPAck, 960, 0)
	send(a, 1, flow.TCPAck, 0, 0)
	send(a, 2, flow.TCPRst, 0, 0) // takes the row
	got, overflow := drainedHealth(t, a)
	if want := (flow.Health{Retransmits: 1, RetransmitBytes: 960}); got[1] != want || got[2] != (flow.Health{Resets: 1}) || !overflow.IsZero() {
		t.Errorf("first interval: %+v, overflow %+v", got, overflow)
	}
	send(b, 1, flow.TCPAck, 960, 0)
	b.Add(segmentOf(3, flow.TCPSyn), packet.Segment{}, 1)
	b.Expire(5e9)
	if got, _ := drainedHealth(t, b); got[1] != (flow.Health{Retransmits: 1, RetransmitBytes: 960}) || !got[3].IsZero() {
		t.Errorf("second interval: %+v", got)
	}
	a.Expire(11e9)
	if got, _ := drainedHealth(t, a); len(got) != 1 || got[3] != (flow.Health{ConnectFailed: 1}) {
		t.Errorf("third interval: %+v", got)
	}
	if n := budget.Notes(); len(n) != 0 {
		t.Errorf("notes %q", n)
	}
}

// TestHealthOfMany: the health of more flows than there is room for is in the overflow.
func TestHealthOfMany(t *testing.T) {
	f := New(NewBudget(10), NewConnections())
	const more = 500
	for i := range maxHealth + more {
		r := segmentOf(uint16(i), flow.TCPRst)
		r.Key.VLAN = uint16(i >> 16)
		f.Add(r, packet.Segment{}, 0)
	}
	got, overflow := drainedHealth(t, f)
	sum := overflow
	for _, h := range got {
		sum.Add(h)
	}
	if overflow.Resets != more || sum.Resets != maxHealth+more {
		t.Errorf("overflow %+v, all %+v", overflow, sum)
	}
	if got, overflow := drainedHealth(t, f); len(got) != 0 || !overflow.IsZero() {
		t.Errorf("once more: %+v, %+v", got, overflow)
	}
}

// TestNotes: the notes have what there was no room to follow.
func TestNotes(t *testing.T) {
	budget := NewBudget(10)
	f := New(budget, NewConnections())
	for i := range 40_000 {
		f.Add(segmentOf(uint16(i), flow.TCPSyn), packet.Segment{}, 1)
	}
	f.Expire(1)
	f.Expire(1)
	if notes := budget.Notes(); len(notes) != 1 || notes[0] != "23616 segments of TCP handshakes were not followed for lack of room: connect_failed may be too low" {
		t.Errorf("notes %q", notes)
	}
}
