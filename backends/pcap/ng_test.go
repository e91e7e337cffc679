package pcap

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/count/packet"
	"github.com/pktstat/pktstat/registry"
)

func TestNGByteOrders(t *testing.T) {
	pkts := traffic(5000, 100)
	for _, o := range []byteOrder{le, be} {
		same(t, mustRead(t, ngFile(o, 1, pkts)), parsed(packet.LinkTypeEthernet, pkts))
	}
}

// Every resolution and offset gives the same time.
func TestNGTimes(t *testing.T) {
	const seconds = 1_700_000_000
	for _, c := range []struct {
		resolution byte
		ticks      uint64
		want       int64 // nanoseconds after seconds
	}{
		{0, seconds, 0},
		{3, seconds*1e3 + 250, 250e6},
		{6, seconds*1e6 + 250_000, 250e6},
		{9, seconds*1e9 + 250_000_001, 250_000_001},
		{10, seconds*1e10 + 2_500_000_019, 250_000_001},
		{0x80, seconds, 0},
		{0x80 | 10, seconds<<10 | 512, 500e6},
		{0x80 | 20, seconds<<20 | 1<<19, 500e6},
		{0x80 | 32, seconds<<32 | 1<<31, 500e6},
		{0x80 | 33, seconds<<33 | 3<<31, 750e6},
	} {
		for _, offset := range []int64{0, -1000, 3600} {
			w := newNGWriter(be)
			options := [][]byte{w.option(9, c.resolution)}
			if offset != 0 {
				options = append(options, w.option(14, w.u32(uint32(offset>>32), uint32(offset))...))
			}
			w.iface(1, 0, options...)
			w.packet(0, c.ticks, &packetAt{data: frame(0, 1)})
			for _, r := range mustRead(t, w.Bytes()) {
				if want := (seconds+offset)*1e9 + c.want; r.First != want {
					t.Errorf("resolution %#x, offset %d: %v, want %v", c.resolution, offset, time.Unix(0, r.First), time.Unix(0, want))
				}
			}
		}
	}
	// 2^64 picoseconds are 213 days.
	w := newNGWriter(le)
	w.iface(1, 0, w.option(9, 12))
	w.packet(0, 1_700_000*1e12+250e9+999, &packetAt{data: frame(0, 1)})
	for _, r := range mustRead(t, w.Bytes()) {
		if r.First != 1_700_000*1e9+250e6 {
			t.Errorf("picoseconds: %d", r.First)
		}
	}
}

// Two sections in different byte orders, with interfaces of different link types
// and resolutions.
func TestNGSectionsAndInterfaces(t *testing.T) {
	udp := ipv4(1, byte(flow.UDP), []byte{0, 1, 0, 2, 0, 12, 0, 0, 1, 2, 3, 4})
	raw := packetAt{data: udp}
	ethernet := packetAt{data: append([]byte{2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0}, udp...)}

	one := newNGWriter(le)
	one.iface(1, 0, one.option(2, []byte("eth0")...))
	one.iface(101, 0, one.option(2, []byte("tun0")...), one.option(9, 9))
	one.packet(0, uint64(epoch/1000), &ethernet)
	one.packet(1, uint64(epoch+1), &raw)
	two := newNGWriter(be)
	two.iface(113, 0) // has no name
	two.iface(101, 0, two.option(2, []byte("tun0")...), two.option(9, 3))
	two.packet(1, uint64(epoch/1e6+5), &raw)
	two.packet(0, uint64(epoch/1000), &packetAt{data: append([]byte{0, 4, 0, 1, 0, 6, 1, 2, 3, 4, 5, 6, 0, 0, 8, 0}, udp...)})

	src := mustOpen(t, write(t, "x", append(one.Bytes(), two.Bytes()...)), 0)
	got, _, err := collectAll(src)
	if !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	ifaces := src.(registry.Attached).Attachment().Interfaces
	if want := []flow.Interface{{Index: 1, Name: "eth0"}, {Index: 2, Name: "tun0"}, {Index: 3, Name: "#3"}}; !slices.Equal(ifaces, want) {
		t.Errorf("interfaces %v, want %v", ifaces, want)
	}
	n := uint64(len(udp))
	for k, r := range got {
		var want flow.Record
		switch k.Ifindex {
		case 1:
			want = flow.Record{Counters: flow.Counters{Packets: 1, Bytes: n, FrameBytes: n + 14}, First: epoch, Last: epoch}
		case 2:
			want = flow.Record{Counters: flow.Counters{Packets: 2, Bytes: 2 * n, FrameBytes: 2 * n}, First: epoch + 1, Last: epoch + 5e6}
		case 3:
			want = flow.Record{Counters: flow.Counters{Packets: 1, Bytes: n, FrameBytes: n + 14}, First: epoch, Last: epoch}
			if k.Dir != flow.Egress {
				t.Errorf("direction of the SLL packet: %q", k.Dir)
			}
		}
		want.Key = k
		if r != want {
			t.Errorf("interface %d: %+v, want %+v", k.Ifindex, r, want)
		}
	}
	if len(got) != 3 {
		t.Errorf("%d flows, want 3", len(got))
	}
}

func TestNGInterfaceNames(t *testing.T) {
	p := packetAt{data: frame(0, 1)}
	for _, c := range []struct {
		name  string
		names []string // of the interfaces
		want  []flow.Interface
		index uint32 // of a packet of the first one
	}{
		{"one without a name", []string{""}, nil, 0},
		{"one with a name", []string{"eth0"}, []flow.Interface{{Index: 1, Name: "eth0"}}, 1},
		{"two without names", []string{"", ""}, []flow.Interface{{Index: 1, Name: "#1"}, {Index: 2, Name: "#2"}}, 1},
		{"not for a terminal", []string{"\x1b[31mé\xff\x00\n"}, []flow.Interface{{Index: 1, Name: "[31mé"}}, 1},
		{"long", []string{strings.Repeat("é", 200)}, []flow.Interface{{Index: 1, Name: strings.Repeat("é", 127)}}, 1},
	} {
		w := newNGWriter(le)
		for _, name := range c.names {
			if name == "" {
				w.iface(1, 0)
			} else {
				w.iface(1, 0, w.option(2, []byte(name)...))
			}
		}
		w.packet(0, 0, &p)
		// The same interfaces once more, as in files joined by cat.
		src := mustOpen(t, write(t, "x", append(w.Bytes(), w.Bytes()...)), 0)
		got, _, err := collectAll(src)
		if !errors.Is(err, io.EOF) {
			t.Fatal(err)
		}
		if ifaces := src.(registry.Attached).Attachment().Interfaces; !slices.Equal(ifaces, c.want) {
			t.Errorf("%s: %+v, want %+v", c.name, ifaces, c.want)
		}
		if len(got) != 1 || got.total().Packets != 2 {
			t.Errorf("%s: %d flows", c.name, len(got))
		}
		for k := range got {
			if k.Ifindex != c.index {
				t.Errorf("%s: interface %d, want %d", c.name, k.Ifindex, c.index)
			}
		}
	}
}

func TestNGDirections(t *testing.T) {
	for _, o := range []byteOrder{le, be} {
		for flags, want := range map[uint32]flow.Direction{0: 0, 1: flow.Ingress, 2: flow.Egress, 3: 0, 0xfffff002: flow.Egress} {
			w := newNGWriter(o)
			w.iface(1, 0)
			w.packet(0, 0, &packetAt{data: frame(1, 40)}, w.option(1, []byte("a comment")...), w.option(2, w.u32(flags)...))
			for k := range mustRead(t, w.Bytes()) {
				if k.Dir != want {
					t.Errorf("%v, flags %#x: %q, want %q", o, flags, k.Dir, want)
				}
			}
		}
	}
}

// Blocks of packets other than the enhanced one.
func TestNGOldBlocks(t *testing.T) {
	data := frame(0, 100)
	for _, o := range []byteOrder{le, be} {
		w := newNGWriter(o)
		w.iface(1, 96)
		w.simplePacket(data[:96], 1500) // before any time is known
		w.packet(0, uint64(epoch/1000), &packetAt{data: data[:96], orig: 1500})
		w.simplePacket(data[:96], 1500)
		w.simplePacket(data[:60], 60)
		ts := uint64(epoch/1000 + 7)
		body := append(w.u16(0, 0xffff), w.u32(uint32(ts>>32), uint32(ts), 60, 1500)...)
		w.block(ngObsoletePacket, append(body, data[:60]...))

		got, each, err := collectAll(mustOpen(t, write(t, "x", w.Bytes()), 0))
		if !errors.Is(err, io.EOF) {
			t.Fatal(err)
		}
		if c := got.total(); c.Packets != 5 || c.FrameBytes != 4*1500+60 {
			t.Errorf("%v: got %+v", o, c)
		}
		if each[0].end.UnixNano() != epoch+7000 {
			t.Errorf("%v: ends at %v", o, each[0].end)
		}
	}
}

// The reader skips other blocks, also if they are larger than its memory, and other options.
func TestNGOtherBlocks(t *testing.T) {
	w := newNGWriter(le)
	w.iface(1, 0)
	p := packetAt{data: frame(0, 100)}
	comments := bytes.Repeat(w.option(1, bytes.Repeat([]byte("x"), 65535)...), 8)
	for _, size := range []int{0, 4, 1000, maxRecord - 12, maxRecord - 8, maxRecord, readSize + 3*maxRecord, ngMaxBlock - 12} {
		w.block(4, make([]byte, size))
		w.packet(0, 0, &p)
		w.packet(0, 0, &p, comments)
	}
	for _, content := range [][]byte{w.Bytes(), zstded(t, w.Bytes())} {
		if got := mustRead(t, content).total(); got.Packets != 16 {
			t.Errorf("%d packets, want 16", got.Packets)
		}
	}
}

func TestNGDamage(t *testing.T) {
	p := packetAt{time: epoch, data: frame(0, 100)}
	size := len(p.data)
	start := func(options ...[]byte) *ngWriter {
		w := newNGWriter(le)
		w.iface(1, 0, options...)
		w.packet(0, uint64(epoch/1000), &p)
		return w
	}
	file := func(f func(w *ngWriter)) []byte {
		w := start()
		f(w)
		return w.Bytes()
	}
	headers := len(ngFile(le, 1, nil))
	blockLen := 32 + (size+3)&^3
	patch := func(at int, v uint32) []byte {
		b := file(func(w *ngWriter) { w.packet(0, 0, &p) })
		le.PutUint32(b[headers+blockLen+at:], v)
		return b
	}
	for _, c := range []struct {
		name    string
		content []byte
		want    string
	}{
		{"cut in a block", patch(0, 6)[:headers+2*blockLen-5], fmt.Sprintf("packet 2: cut short: %d of the %d bytes of a block are there", blockLen-5, blockLen)},
		{"cut before a length", patch(0, 6)[:headers+blockLen+6], "packet 2: cut short: 6 of the 12 bytes around a block are there"},
		{"cut in a large block", file(func(w *ngWriter) { w.block(4, make([]byte, 1<<20)); w.Truncate(w.Len() - 100) }), "packet 2: cut short: 100 bytes of its block are missing"},
		{"length 0", patch(4, 0), "packet 2: damaged: there is no block of 0 bytes"},
		{"odd length", patch(4, uint32(blockLen+1)), fmt.Sprintf("packet 2: damaged: there is no block of %d bytes", blockLen+1)},
		{"length beyond all", patch(4, 1<<32-4), "packet 2: damaged: there is no block of 4294967292 bytes"},
		{"other length at the end", patch(blockLen-4, 77), fmt.Sprintf("packet 2: damaged: a block of %d bytes ends as one of 77", blockLen)},
		{"captured length", patch(20, 2000), fmt.Sprintf("packet 2: damaged: a captured length of 2000 in a block that holds %d", (size+3)&^3)},
		{"negative captured length", patch(20, 1<<32-1), fmt.Sprintf("packet 2: damaged: a captured length of 4294967295 in a block that holds %d", (size+3)&^3)},
		{"large captured length", file(func(w *ngWriter) { w.packet(0, 0, &packetAt{data: make([]byte, maxCaptured+1)}) }), "packet 2: damaged: a captured length of 262145 in a block that holds 262148"},
		{"unknown interface", patch(8, 1), "packet 2: damaged: a packet of interface 1, and 1 are described"},
		{"short packet block", file(func(w *ngWriter) { w.block(ngEnhancedPacket, make([]byte, 16)) }), "packet 2: damaged: a packet block of 16 bytes"},
		{"short simple packet block", file(func(w *ngWriter) { w.block(ngSimplePacket, nil) }), "packet 2: damaged: a packet block of 0 bytes"},
		{"simple packet", file(func(w *ngWriter) { w.simplePacket(make([]byte, 8), 60) }), "packet 2: damaged: a captured length of 60 in a block that holds 8"},
		{"no interface", append(file(func(*ngWriter) {}), func() []byte {
			w := newNGWriter(le)
			w.simplePacket(make([]byte, 8), 8)
			return w.Bytes()
		}()...), "packet 2: damaged: a packet of interface 0, and 0 are described"},
		{"short interface block", file(func(w *ngWriter) { w.block(ngInterfaceBlock, make([]byte, 4)) }), "packet 2: damaged: an interface block of 4 bytes"},
		{"short section", file(func(w *ngWriter) { w.block(ngSectionHeader, w.u32(0x1a2b3c4d)) }), "packet 2: damaged: a section header of 4 bytes"},
		{"byte order", file(func(w *ngWriter) { w.block(ngSectionHeader, make([]byte, 16)) }), "packet 2: damaged: 00 00 00 00 is no byte order of a section"},
		{"version", file(func(w *ngWriter) { w.block(ngSectionHeader, append(w.u32(0x1a2b3c4d, 2), make([]byte, 8)...)) }), "packet 2: pcapng version 2.0 is not supported, only 1.x is"},
		{"option of an interface", file(func(w *ngWriter) { w.iface(1, 0, w.u16(2, 100)) }), "packet 2: interface 1: damaged: an option of 100 bytes where 4 are left"},
		{"option of a packet", file(func(w *ngWriter) { w.packet(0, 0, &p, w.u16(2, 100)) }), "packet 2: damaged: an option of 100 bytes where 4 are left"},
		{"resolution", file(func(w *ngWriter) { w.iface(1, 0, w.option(9, 28)) }), "packet 2: interface 1: a timestamp resolution of 10^-28 is not supported"},
		{"binary resolution", file(func(w *ngWriter) { w.iface(1, 0, w.option(9, 0x80|64)) }), "packet 2: interface 1: a timestamp resolution of 2^-64 is not supported"},
		{"too many interfaces", file(func(w *ngWriter) {
			for range ngMaxInterfaces {
				w.iface(1, 0)
			}
		}), "packet 2: more than 65536 interfaces"},
	} {
		t.Run(c.name, func(t *testing.T) {
			file := write(t, "x", c.content)
			got, _, err := collectAll(mustOpen(t, file, 0))
			if err == nil || err.Error() != file+": "+c.want {
				t.Errorf("got the error %v\n               want %s", err, c.want)
			}
			if got.total().Packets != 1 {
				t.Errorf("%d packets before the damage, want 1", got.total().Packets)
			}
		})
	}
}

// The memory for a capture does not grow with the content of its blocks.
func TestNGMemory(t *testing.T) {
	w := newNGWriter(le)
	w.iface(1, 0)
	names := bytes.Repeat(w.option(1, bytes.Repeat([]byte("a"), 60000)...), 4)
	for range 200 {
		w.block(4, names)
	}
	w.packet(0, 0, &packetAt{data: frame(0, 1)})
	file := write(t, "x", w.Bytes())
	w.Reset()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if _, _, err := collectAll(mustOpen(t, file, 0)); !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	allocated := after.TotalAlloc - before.TotalAlloc
	if allocated > 8<<20 {
		t.Errorf("%d bytes for a capture of 48 MB of names", allocated)
	}
}

// Our reader agrees with pcapgo where that is right, and reads what its writer writes.
func TestNGAgainstPcapgo(t *testing.T) {
	pkts := traffic(3000, 100)
	var b bytes.Buffer
	w, err := pcapgo.NewNgWriterInterface(&b, pcapgo.NgInterface{
		Name: "eth0", LinkType: layers.LinkTypeEthernet, TimestampResolution: 9, SnapLength: 0,
	}, pcapgo.DefaultNgWriterOptions)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.AddInterface(pcapgo.NgInterface{Name: "eth1", LinkType: layers.LinkTypeEthernet}); err != nil {
		t.Fatal(err)
	}
	for i, p := range pkts {
		ci := gopacket.CaptureInfo{Timestamp: time.Unix(0, p.time), CaptureLength: len(p.data), Length: p.origLen(), InterfaceIndex: i % 2}
		if err := w.WritePacket(ci, p.data); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	r, err := pcapgo.NewNgReader(bytes.NewReader(b.Bytes()), pcapgo.DefaultNgReaderOptions)
	if err != nil {
		t.Fatal(err)
	}
	want := flows{}
	for {
		data, ci, err := r.ReadPacketData()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		p := packetAt{time: ci.Timestamp.UnixNano(), data: data, orig: ci.Length}
		for k, rec := range parsed(packet.LinkTypeEthernet, []packetAt{p}) {
			k.Ifindex = uint32(ci.InterfaceIndex + 1)
			rec.Key = k
			want.add([]flow.Record{rec})
		}
	}
	same(t, mustRead(t, b.Bytes()), want)
}
