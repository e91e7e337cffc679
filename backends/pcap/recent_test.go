package pcap

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/count/packet"
)

// FuzzRecent checks the packets that recent adds up: the parser gives the same flow and counters.
func FuzzRecent(f *testing.F) {
	for i := range 16 {
		f.Add(frame(i, 30), frame(i, 31), uint32(100))
	}
	f.Fuzz(func(t *testing.T, a, b []byte, origLen uint32) {
		checkRecent(t, a, b, int(origLen))
	})
}

// TestRecentAgainstParser is the same with more frames that differ little.
func TestRecentAgainstParser(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	known := 0
	for range 300_000 {
		a := frame(r.IntN(2), r.IntN(40))
		for range r.IntN(4) {
			a[r.IntN(len(a))] = byte(r.IntN(256))
		}
		a = a[:len(a)-r.IntN(len(a))*r.IntN(2)]
		b := append([]byte{}, a...)
		for range r.IntN(3) {
			if len(b) > 0 {
				b[r.IntN(len(b))] ^= 1 << r.IntN(8)
			}
		}
		if checkRecent(t, a, b, r.IntN(200)) {
			known++
		}
	}
	if known < 50_000 {
		t.Errorf("only %d of the frames were of the kind that recent knows", known)
	}
}

// checkRecent reports whether a and b would be one flow for recent.
func checkRecent(t *testing.T, a, b []byte, origLen int) bool {
	t.Helper()
	pa := &captured{data: a, origLen: origLen, link: packet.LinkTypeEthernet}
	pb := &captured{data: b, origLen: origLen, link: packet.LinkTypeEthernet}
	ida, l3, ok := pa.identify()
	if !ok {
		return false
	}
	parse := func(p *captured) (r flow.Record) {
		var f packet.Frame
		p.link.Frame(p.data, p.origLen, &f)
		packet.Parse(&f, &r)
		return r
	}
	ra := parse(pa)
	var s recentSlot
	s.add(l3, pa.wireLen(), 0, marksOf(ida, l3, pa.data))
	if got := (flow.Counters{Packets: s.packets, Bytes: s.bytes, FrameBytes: s.frame}); got != ra.Counters {
		t.Fatalf("% x (%d): counted %+v, the parser says %+v", a, origLen, got, ra.Counters)
	}
	if s.Marks != ra.Marks {
		t.Fatalf("% x (%d): marks %+v, the parser says %+v", a, origLen, s.Marks, ra.Marks)
	}
	idb, _, ok := pb.identify()
	if !ok {
		return false
	}
	if rb := parse(pb); (ida == idb) != (ra.Key == rb.Key) {
		t.Fatalf("% x and % x: identities %x and %x, keys %+v and %+v", a, b, ida, idb, ra.Key.Key(), rb.Key.Key())
	}
	return ida == idb
}

// More flows than recent has room for, so that it flushes and pauses, with few flows before and
// after.
func TestRecentOverflow(t *testing.T) {
	var pkts []packetAt
	add := func(n, flows int) {
		r := rand.New(rand.NewPCG(uint64(n), uint64(flows)))
		for range n {
			data := frame(0, 4)
			binary.BigEndian.PutUint32(data[26:], uint32(r.IntN(flows)))
			pkts = append(pkts, packetAt{time: epoch + int64(len(pkts))*1000, data: data})
		}
	}
	add(recentSlots, 100)
	add(8*recentSlots, 10*recentSlots)
	add(recentSlots, 100)
	src := mustOpen(t, write(t, "x", classicFile(le, microseconds, 1, pkts)), 0)
	got, _, err := collectAll(src)
	if !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	same(t, got, parsed(packet.LinkTypeEthernet, pkts))
	if src.(*source).recent.pause == 0 {
		t.Error("recent did not pause")
	}
}

func TestRecentAfterPause(t *testing.T) {
	pkts := traffic(1000, 10)
	src := mustOpen(t, write(t, "x", classicFile(le, microseconds, 1, pkts)), 0)
	r := src.(*source).recent
	r.pause = 500
	got, _, err := collectAll(src)
	if !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	same(t, got, parsed(packet.LinkTypeEthernet, pkts))
	if r.pause != 0 || *r.keys == ([recentSlots]flow.Packed{}) {
		t.Errorf("recent was not used after its pause, of which %d are left", r.pause)
	}
}

// In a long capture of few flows, the engine gets them before the end.
func TestRecentHandsOn(t *testing.T) {
	const flows = 1000 // more than a batch holds back
	var pkts []packetAt
	for i := range flows {
		data := frame(0, 4)
		binary.BigEndian.PutUint16(data[34:], uint16(i))
		pkts = append(pkts, packetAt{time: epoch, data: data})
	}
	records := classicFile(le, microseconds, 1, pkts)[classicFileHeader:]
	content := append(classicFile(le, microseconds, 1, nil), bytes.Repeat(records, 3*recentPackets/flows)...)
	total := uint64(3 * recentPackets / flows * flows)
	src := mustOpen(t, write(t, "x", content), 0).(*source)
	var packets, first uint64
	b := flow.NewBatch(flow.BatchHooks{Records: func(recs []flow.Record) error {
		if packets == 0 {
			first = src.count
		}
		for _, r := range recs {
			packets += r.Packets
		}
		return nil
	}})
	if err := src.Collect(t.Context(), b); !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	if err := b.Flush(); err != nil {
		t.Fatal(err)
	}
	if packets != total || first < recentPackets || first > recentPackets+2*readSize/64 {
		t.Errorf("%d of %d packets, the first records after %d", packets, total, first)
	}
}
