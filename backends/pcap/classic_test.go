package pcap

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/count/packet"
)

func TestClassicVariants(t *testing.T) {
	pkts := traffic(5000, 100)
	for i := range pkts {
		pkts[i].time += int64(i) % 1000 // nanoseconds
	}
	micro := make([]packetAt, len(pkts))
	for i, p := range pkts {
		p.time -= p.time % 1000
		micro[i] = p
	}
	for _, o := range []byteOrder{le, be} {
		t.Run(fmt.Sprint(o, " nanoseconds"), func(t *testing.T) {
			same(t, mustRead(t, classicFile(o, nanoseconds, 1, pkts)), parsed(packet.LinkTypeEthernet, pkts))
		})
		t.Run(fmt.Sprint(o, " microseconds"), func(t *testing.T) {
			same(t, mustRead(t, classicFile(o, microseconds, 1, micro)), parsed(packet.LinkTypeEthernet, micro))
		})
		t.Run(fmt.Sprint(o, " modified"), func(t *testing.T) {
			want := flows{}
			for k, r := range parsed(packet.LinkTypeEthernet, micro) {
				k.Dir, r.Key.Dir = flow.Egress, flow.Egress
				want[k] = r
			}
			same(t, mustRead(t, classicFile(o, modified, 1, micro)), want)
		})
	}
}

// A capture of each link type with one UDP packet from 10.1.0.1 to 10.2.0.1.
func TestLinkTypes(t *testing.T) {
	udp := ipv4(1, byte(flow.UDP), []byte{0, 1, 0, 2, 0, 12, 0, 0, 1, 2, 3, 4})
	udp6 := ipv6(1, byte(flow.UDP), []byte{0, 1, 0, 2, 0, 12, 0, 0, 1, 2, 3, 4})
	sll := func(packetType, arphrd byte) []byte {
		return []byte{0, packetType, 0, arphrd, 0, 6, 1, 2, 3, 4, 5, 6, 0, 0, 0x08, 0}
	}
	sll2 := func(packetType, arphrd byte) []byte {
		return []byte{0x08, 0, 0, 0, 0, 0, 0, 3, 0, arphrd, packetType, 6, 1, 2, 3, 4, 5, 6, 0, 0}
	}
	for _, c := range []struct {
		name   string
		link   uint32
		header []byte
		ip     []byte
		extra  int // frame bytes beyond layer 3
		dir    flow.Direction
	}{
		{"Ethernet", 1, []byte{2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0}, udp, 14, 0},
		{"RAW 4", 101, nil, udp, 0, 0},
		{"RAW 6", 101, nil, udp6, 0, 0},
		{"IPV4", 228, nil, udp, 0, 0},
		{"IPV6", 229, nil, udp6, 0, 0},
		{"NULL little-endian", 0, []byte{2, 0, 0, 0}, udp, 0, 0},
		{"NULL big-endian", 0, []byte{0, 0, 0, 2}, udp, 0, 0},
		{"LOOP", 108, []byte{0, 0, 0, 24}, udp6, 0, 0},
		{"SLL to us", 113, sll(0, 1), udp, 14, flow.Ingress},
		{"SLL broadcast", 113, sll(1, 1), udp, 14, flow.Ingress},
		{"SLL to others", 113, sll(3, 1), udp, 14, flow.Ingress},
		{"SLL from us", 113, sll(4, 1), udp, 14, flow.Egress},
		{"SLL of another type", 113, sll(6, 1), udp, 14, 0},
		{"SLL from us, no Ethernet", 113, sll(4, 200), udp, 0, flow.Egress},
		{"SLL2 to us", 276, sll2(0, 1), udp, 14, flow.Ingress},
		{"SLL2 from us", 276, sll2(4, 1), udp, 14, flow.Egress},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := packetAt{time: epoch, data: append(append([]byte{}, c.header...), c.ip...)}
			n := uint64(len(c.ip))
			for name, content := range map[string][]byte{
				"pcap":   classicFile(le, microseconds, c.link, []packetAt{p}),
				"pcapng": ngFile(be, uint16(c.link), []packetAt{p}),
			} {
				got := mustRead(t, content)
				want := flow.Counters{Packets: 1, Bytes: n, FrameBytes: n + uint64(c.extra)}
				if got.total() != want {
					t.Errorf("%s: got %+v, want %+v", name, got.total(), want)
				}
				for k := range got {
					if k := k.Key(); k.Proto != flow.UDP || k.Src.Port() != 1 || k.Dst.Port() != 2 || k.Dir != c.dir {
						t.Errorf("%s: got %+v", name, k)
					}
				}
			}
		})
	}
}

// Before version 2.3 the length on the wire came first. In 2.3, some writers put the captured
// length first.
func TestOldVersions(t *testing.T) {
	pkts := traffic(500, 50) // some are cut
	want := parsed(packet.LinkTypeEthernet, pkts)
	for minor, swapped := range map[uint16][]bool{0: {true}, 1: {true}, 2: {true}, 3: {false, true}, 4: {false}} {
		for _, swap := range swapped {
			for _, o := range []byteOrder{le, be} {
				content := classicFile(o, microseconds, 1, pkts)
				o.PutUint16(content[6:], minor)
				for at := classicFileHeader; swap && at < len(content); {
					captured := o.Uint32(content[at+8:])
					o.PutUint32(content[at+8:], o.Uint32(content[at+12:]))
					o.PutUint32(content[at+12:], captured)
					at += classicRecordHeader + int(captured)
				}
				t.Run(fmt.Sprint(o, " 2.", minor, " swapped ", swap), func(t *testing.T) { same(t, mustRead(t, content), want) })
			}
		}
	}
	whole := packetAt{time: epoch, data: frame(0, 10)}
	content := classicFile(le, microseconds, 1, []packetAt{whole})
	le.PutUint16(content[6:], 1)
	file := write(t, "x", content[:len(content)-1])
	if _, _, err := collectAll(mustOpen(t, file, 0)); err == nil || !strings.HasSuffix(err.Error(), fmt.Sprintf("%d of %d bytes are there", len(whole.data)-1, len(whole.data))) {
		t.Errorf("cut: %v", err)
	}
}

// A frame check sequence in a capture is not part of the frame.
func TestFCS(t *testing.T) {
	data := frame(0, 100)
	withFCS := append(append([]byte{}, data...), 1, 2, 3, 4)
	p := packetAt{time: epoch, data: data}
	want := parsed(packet.LinkTypeEthernet, []packetAt{p})

	p.data = withFCS
	same(t, mustRead(t, classicFile(le, microseconds, 2<<28|1<<26|1, []packetAt{p})), want)

	w := newNGWriter(be)
	w.iface(1, 0, w.option(13, 4))
	w.packet(0, uint64(epoch/1000), &p)
	same(t, mustRead(t, w.Bytes()), want)

	w = newNGWriter(le)
	w.iface(1, 0)
	w.packet(0, uint64(epoch/1000), &p, w.option(2, w.u32(4<<5)...))
	same(t, mustRead(t, w.Bytes()), want)

	cut := packetAt{time: epoch, data: withFCS[:60], orig: len(withFCS)} // before the FCS
	got := mustRead(t, classicFile(le, microseconds, 2<<28|1<<26|1, []packetAt{cut}))
	if total := got.total(); total.FrameBytes != uint64(len(data)) {
		t.Errorf("frame bytes of a cut frame with FCS: %d, want %d", total.FrameBytes, len(data))
	}
}

// A writer may put any 32 bits into the length on the wire.
func TestForgedLengths(t *testing.T) {
	const huge = 1<<32 - 1
	var pkts []packetAt
	for i := range 1000 {
		pkts = append(pkts, packetAt{time: epoch + int64(i), data: frame(0, 50), orig: huge})
	}
	got := mustRead(t, classicFile(le, nanoseconds, 1, pkts)).total()
	if want := uint64(1000 * huge); got.FrameBytes != want || got.Packets != 1000 {
		t.Errorf("got %+v, want %d frame bytes", got, want)
	}
	short := packetAt{time: epoch, data: frame(0, 50)}
	content := classicFile(le, nanoseconds, 1, []packetAt{short})
	le.PutUint32(content[24+12:], 1) // fewer on the wire than captured
	if got := mustRead(t, content).total(); got.FrameBytes != uint64(len(short.data)) {
		t.Errorf("got %+v, want %d frame bytes", got, len(short.data))
	}
}

// The result has what could be read, and the error names the place and the damage.
func TestClassicDamage(t *testing.T) {
	pkts := traffic(100, 10)
	whole := classicFile(le, microseconds, 1, pkts)
	last := len(whole) - len(pkts[99].data) - 16
	damaged := func(at int, v uint32) []byte {
		b := append([]byte{}, whole...)
		le.PutUint32(b[at:], v)
		return b
	}
	for _, c := range []struct {
		name    string
		content []byte
		want    string
		packets int
	}{
		{"cut in the data", whole[:last+16+12], fmt.Sprintf("packet 100: cut short: 12 of %d bytes are there", len(pkts[99].data)), 99},
		{"cut before the data", whole[:last+16], fmt.Sprintf("packet 100: cut short: 0 of %d bytes are there", len(pkts[99].data)), 99},
		{"cut in the header", whole[:last+7], "packet 100: cut short: 7 of the 16 bytes of its header are there", 99},
		{"length", damaged(last+8, 262145), "packet 100: damaged: a captured length of 262145 is above the limit of 262144", 99},
		{"negative length", damaged(24+8, 1<<32-1), "packet 1: damaged: a captured length of 4294967295 is above the limit of 262144", 0},
		{"length beyond the end", damaged(24+8, 200000), fmt.Sprintf("packet 1: cut short: %d of 200000 bytes are there", len(whole)-40), 0},
		{"gzip", gzipped(t, whole[:last+16+12]), fmt.Sprintf("packet 100: cut short: 12 of %d bytes are there", len(pkts[99].data)), 99},
	} {
		t.Run(c.name, func(t *testing.T) {
			file := write(t, "x.pcap", c.content)
			got, each, err := collectAll(mustOpen(t, file, 0))
			if err == nil || err.Error() != file+": "+c.want {
				t.Errorf("got the error %v, want %s", err, c.want)
			}
			if got.total().Packets != uint64(c.packets) {
				t.Errorf("got %d packets, want %d", got.total().Packets, c.packets)
			}
			same(t, got, parsed(packet.LinkTypeEthernet, pkts[:c.packets]))
			if c.packets > 0 && each[0].end.UnixNano() != pkts[c.packets-1].time {
				t.Errorf("the window ends at %v", each[0].end)
			}
		})
	}
}

// The error stays, and comes with the window in which the damage is.
func TestDamageInIntervals(t *testing.T) {
	pkts := traffic(100, 10)
	whole := classicFile(le, microseconds, 1, pkts)
	src := mustOpen(t, write(t, "x", whole[:len(whole)-1]), 30*time.Microsecond)
	got, each, err := collectAll(src)
	if err == nil || errors.Is(err, io.EOF) || !strings.Contains(err.Error(), "packet 100") {
		t.Fatal(err)
	}
	if len(each) != 4 || got.total().Packets != 99 || each[3].flows.total().Packets != 9 {
		t.Errorf("%d windows with %d packets", len(each), got.total().Packets)
	}
	if _, _, again := collectAll(src); !errors.Is(again, err) {
		t.Errorf("once more: %v", again)
	}
}

func TestHeaderOnly(t *testing.T) {
	for _, content := range [][]byte{classicFile(le, microseconds, 1, nil), ngFile(le, 1, nil)} {
		got, each, err := collectAll(mustOpen(t, write(t, "x", content), time.Second))
		if !errors.Is(err, io.EOF) || len(got) != 0 || len(each) != 1 {
			t.Errorf("%d flows in %d windows, %v", len(got), len(each), err)
		}
	}
}
