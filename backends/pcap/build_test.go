package pcap

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/count/packet"
	"github.com/pktstat/pktstat/registry"
)

// The tests write their captures byte by byte, so that no library's idea of the formats is
// between a test and its file.

type byteOrder interface {
	binary.ByteOrder
	binary.AppendByteOrder
}

var (
	le byteOrder = binary.LittleEndian
	be byteOrder = binary.BigEndian
)

// packetAt is a packet to write to a capture.
type packetAt struct {
	time int64 // Unix nanoseconds
	data []byte
	orig int // 0: as many as data
}

func (p *packetAt) origLen() int { return max(p.orig, len(p.data)) }

// epoch is the time of the first packet of most tests.
var epoch = time.Date(2023, 11, 14, 22, 13, 20, 0, time.UTC).UnixNano()

// traffic returns n Ethernet frames of a mix of protocols, a microsecond apart.
func traffic(n, flows int) []packetAt {
	r := rand.New(rand.NewPCG(1, uint64(flows)))
	pkts := make([]packetAt, n)
	for i := range pkts {
		f := r.IntN(flows)
		data := frame(f, r.IntN(400))
		pkts[i] = packetAt{time: epoch + int64(i)*1000, data: data}
		if f%16 == 9 {
			pkts[i].orig = len(data) + 1000 // cut by a snap length
		}
	}
	return pkts
}

// frame returns a frame of flow f with some payload.
func frame(f, payload int) []byte {
	eth := func(etherType uint16, tags []byte) []byte {
		b := append([]byte{2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2}, tags...)
		return be.AppendUint16(b, etherType)
	}
	l4 := make([]byte, 4+16+payload)
	be.PutUint16(l4, uint16(1000+f))
	be.PutUint16(l4[2:], 443)
	switch f % 8 {
	default:
		return append(eth(0x0800, nil), ipv4(f, byte(flow.TCP), l4)...)
	case 1:
		return append(eth(0x0800, nil), ipv4(f, byte(flow.UDP), l4)...)
	case 2:
		return append(eth(0x0800, nil), ipv4(f, byte(flow.ICMP), append([]byte{8, 0}, l4...))...)
	case 3:
		return append(eth(0x86dd, nil), ipv6(f, byte(flow.UDP), l4)...)
	case 4:
		return append(eth(0x0800, []byte{0x81, 0, 0, byte(f)}), ipv4(f, byte(flow.TCP), l4)...)
	case 5:
		fragment := ipv4(f, byte(flow.UDP), l4)
		be.PutUint16(fragment[6:], 100)
		return append(eth(0x0800, nil), fragment...)
	case 6:
		return append(eth(0x88cc, nil), l4...)
	}
}

func ipv4(f int, proto byte, payload []byte) []byte {
	h := []byte{0x45, 0, 0, 0, 0, 0, 0, 0, 64, proto, 0, 0, 10, 1, byte(f >> 8), byte(f), 10, 2, 0, 1}
	be.PutUint16(h[2:], uint16(len(h)+len(payload)))
	return append(h, payload...)
}

func ipv6(f int, proto byte, payload []byte) []byte {
	h := make([]byte, 40)
	h[0], h[6], h[7] = 0x60, proto, 64
	be.PutUint16(h[4:], uint16(len(payload)))
	h[8], h[22], h[23], h[24], h[39] = 0x20, byte(f>>8), byte(f), 0x20, 1
	return append(h, payload...)
}

// classicFile returns a pcap file.
func classicFile(o byteOrder, magic, link uint32, pkts []packetAt) []byte {
	b := make([]byte, classicFileHeader)
	o.PutUint32(b, magic)
	o.PutUint16(b[4:], 2)
	o.PutUint16(b[6:], 4)
	o.PutUint32(b[16:], 65535)
	o.PutUint32(b[20:], link)
	for i := range pkts {
		b = append(b, classicRecord(o, magic, &pkts[i])...)
	}
	return b
}

const (
	microseconds = 0xa1b2c3d4
	nanoseconds  = 0xa1b23c4d
	modified     = 0xa1b2cd34
)

func classicRecord(o byteOrder, magic uint32, p *packetAt) []byte {
	h := make([]byte, 16, 24+len(p.data))
	o.PutUint32(h, uint32(p.time/1e9))
	fraction := p.time % 1e9
	if magic != nanoseconds {
		fraction /= 1000
	}
	o.PutUint32(h[4:], uint32(fraction))
	o.PutUint32(h[8:], uint32(len(p.data)))
	o.PutUint32(h[12:], uint32(p.origLen()))
	if magic == modified {
		h = append(h, 0, 0, 0, 0, 0, 0, 4, 0) // interface, protocol, packet type, padding
	}
	return append(h, p.data...)
}

// ngWriter writes blocks of pcapng.
type ngWriter struct {
	o byteOrder
	bytes.Buffer
}

func newNGWriter(o byteOrder) *ngWriter {
	w := &ngWriter{o: o}
	w.sectionHeader()
	return w
}

func (w *ngWriter) block(kind uint32, body []byte) {
	for len(body)%4 != 0 {
		body = append(body, 0)
	}
	total := uint32(12 + len(body))
	w.Write(w.u32(kind, total))
	w.Write(body)
	w.Write(w.u32(total))
}

func (w *ngWriter) u32(v ...uint32) []byte {
	var b []byte
	for _, v := range v {
		b = w.o.AppendUint32(b, v)
	}
	return b
}

func (w *ngWriter) u16(v ...uint16) []byte {
	var b []byte
	for _, v := range v {
		b = w.o.AppendUint16(b, v)
	}
	return b
}

func (w *ngWriter) sectionHeader() {
	b := append(w.u32(0x1a2b3c4d), w.u16(1, 0)...)
	w.block(ngSectionHeader, append(b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff))
}

func (w *ngWriter) option(code uint16, value ...byte) []byte {
	b := append(w.u16(code, uint16(len(value))), value...)
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	return b
}

func (w *ngWriter) iface(link uint16, snapLen uint32, options ...[]byte) {
	b := append(w.u16(link, 0), w.u32(snapLen)...)
	w.block(ngInterfaceBlock, append(b, w.options(options)...))
}

func (w *ngWriter) options(options [][]byte) []byte {
	if len(options) == 0 {
		return nil
	}
	return append(bytes.Join(options, nil), 0, 0, 0, 0)
}

func (w *ngWriter) packet(iface uint32, ticks uint64, p *packetAt, options ...[]byte) {
	b := w.u32(iface, uint32(ticks>>32), uint32(ticks), uint32(len(p.data)), uint32(p.origLen()))
	b = append(b, p.data...)
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	w.block(ngEnhancedPacket, append(b, w.options(options)...))
}

func (w *ngWriter) simplePacket(data []byte, origLen int) {
	w.block(ngSimplePacket, append(w.u32(uint32(origLen)), data...))
}

// ngFile returns a pcapng file of one section and interface with microseconds.
func ngFile(o byteOrder, link uint16, pkts []packetAt) []byte {
	w := newNGWriter(o)
	w.iface(link, 0)
	for i := range pkts {
		w.packet(0, uint64(pkts[i].time/1000), &pkts[i])
	}
	return w.Bytes()
}

// flows has the counts by flow.
type flows map[flow.Packed]flow.Record

func (f flows) add(recs []flow.Record) {
	for _, r := range recs {
		sum, ok := f[r.Key]
		if !ok {
			f[r.Key] = r
			continue
		}
		sum.Counters.Add(r.Counters)
		sum.First, sum.Last = min(sum.First, r.First), max(sum.Last, r.Last)
		f[r.Key] = sum
	}
}

func (f flows) total() (c flow.Counters) {
	for _, r := range f {
		c.Add(r.Counters)
	}
	return c
}

// parsed is the result of the parser for the packets, one by one.
func parsed(link packet.LinkType, pkts []packetAt) flows {
	want := flows{}
	for i := range pkts {
		var f packet.Frame
		var r flow.Record
		if !link.Frame(pkts[i].data, pkts[i].origLen(), &f) {
			panic("link type")
		}
		packet.Parse(&f, &r)
		r.First, r.Last = pkts[i].time, pkts[i].time
		want.add([]flow.Record{r})
	}
	return want
}

// collected is the result of one Collect.
type collected struct {
	start, end time.Time
	earliest   time.Time
	flows      flows
}

// collectAll collects until an error and returns that.
func collectAll(src registry.Source) (all flows, each []collected, err error) {
	all = flows{}
	for err == nil {
		c := collected{flows: flows{}}
		b := flow.NewBatch(flow.BatchHooks{Records: func(recs []flow.Record) error {
			all.add(recs)
			c.flows.add(recs)
			return nil
		}})
		err = src.Collect(context.Background(), b)
		if ferr := b.Flush(); ferr != nil {
			return all, each, ferr
		}
		c.start, c.end, c.earliest = b.Start, b.End, b.Earliest
		each = append(each, c)
	}
	return all, each, err
}

func write(tb testing.TB, name string, content []byte) string {
	tb.Helper()
	file := filepath.Join(tb.TempDir(), name)
	if err := os.WriteFile(file, content, 0o600); err != nil {
		tb.Fatal(err)
	}
	return file
}

// capturesOf is the configuration for some captures.
func capturesOf(names ...string) *config {
	if len(names) == 1 && names[0] == "" {
		return &config{}
	}
	return &config{files: names}
}

func mustOpen(tb testing.TB, file string, interval time.Duration) registry.Source {
	tb.Helper()
	src, err := capturesOf(file).Open(tb.Context(), registry.BackendEnv{Interval: interval})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := src.Close(); err != nil {
			tb.Error(err)
		}
	})
	return src
}

// mustRead reads a whole capture without an error.
func mustRead(tb testing.TB, content []byte) flows {
	tb.Helper()
	all, _, err := collectAll(mustOpen(tb, write(tb, "x.pcap", content), 0))
	if !errors.Is(err, io.EOF) {
		tb.Fatal(err)
	}
	return all
}

func same(tb testing.TB, got, want flows) {
	tb.Helper()
	differences := 0
	for k, w := range want {
		if g := got[k]; g != w {
			if differences++; differences < 5 {
				tb.Errorf("%+v:\n got %+v %d..%d\nwant %+v %d..%d", k.Key(), g.Counters, g.First, g.Last, w.Counters, w.First, w.Last)
			}
		}
	}
	for k, g := range got {
		if _, ok := want[k]; !ok {
			if differences++; differences < 5 {
				tb.Errorf("%+v: got %+v, want none", k.Key(), g.Counters)
			}
		}
	}
	if differences > 0 {
		tb.Errorf("%d flows differ", differences)
	}
}
