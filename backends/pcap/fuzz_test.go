package pcap

import (
	"bytes"
	"io"
	"testing"
	"testing/iotest"
	"time"

	"github.com/pktstat/pktstat/internal/count/packet"
	"github.com/pktstat/pktstat/registry"
)

// FuzzRead reads any bytes: it must end, and the result must not depend on how the bytes arrive.
func FuzzRead(f *testing.F) {
	pkts := traffic(20, 10)
	for i := range pkts {
		pkts[i].data = pkts[i].data[:40]
	}
	f.Add(classicFile(le, microseconds, 1, pkts), int64(0))
	f.Add(classicFile(be, modified, 113, pkts), int64(5000))
	f.Add(ngFile(be, 276, pkts), int64(3000))
	w := newNGWriter(le)
	w.iface(1, 30, w.option(2, []byte("eth0")...), w.option(9, 0x80|32), w.option(14, w.u32(1, 0)...))
	w.simplePacket(pkts[0].data[:30], 1500)
	w.packet(0, 1<<40, &pkts[0], w.option(2, w.u32(2)...))
	f.Add(w.Bytes(), int64(1))
	for l := range uint32(310) {
		if packet.LinkType(l).Supported() {
			f.Add(classicFile(le, microseconds, l, pkts[:3]), int64(0))
		}
	}
	w = newNGWriter(be)
	w.iface(1, 0)
	w.iface(189, 0)
	w.packet(1, 1<<60, &pkts[0])
	w.packet(0, uint64(epoch/1000), &pkts[1])
	f.Add(w.Bytes(), int64(1000))
	f.Add(append(gzipped(f, w.Bytes()), 0, 0, 1), int64(0))
	f.Fuzz(func(t *testing.T, content []byte, interval int64) {
		read := func(r io.Reader) (flows, int, string) {
			src, err := capturesOf("-").Open(t.Context(), registry.BackendEnv{Stdin: r, Interval: time.Duration(interval)})
			if err != nil {
				t.Fatal(err)
			}
			got, each, err := collectAll(src)
			if cerr := src.Close(); cerr != nil {
				t.Error(cerr)
			}
			for _, c := range each {
				if c.end.Before(c.start) {
					t.Errorf("a window from %v to %v", c.start, c.end)
				}
			}
			return got, len(each), err.Error()
		}
		whole, windows, err := read(bytes.NewReader(content))
		parts, partWindows, partErr := read(iotest.OneByteReader(bytes.NewReader(content)))
		same(t, parts, whole)
		if windows != partWindows || err != partErr {
			t.Errorf("in one piece %d windows, then %s; byte by byte %d, then %s", windows, err, partWindows, partErr)
		}
		if n := whole.total().Packets; n > uint64(len(content)/ngOverhead) {
			t.Errorf("%d packets in %d bytes", n, len(content))
		}
	})
}
