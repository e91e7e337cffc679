package pcap

import (
	"bytes"
	"errors"
	"io"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/pktstat/pktstat/internal/count/packet"
	"github.com/pktstat/pktstat/registry"
)

func gzipped(tb testing.TB, content []byte) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	packInto(tb, w, content)
	return b.Bytes()
}

func zstded(tb testing.TB, content []byte, options ...zstd.EOption) []byte {
	var b bytes.Buffer
	w, err := zstd.NewWriter(&b, options...)
	if err != nil {
		tb.Fatal(err)
	}
	packInto(tb, w, content)
	return b.Bytes()
}

func packInto(tb testing.TB, w io.WriteCloser, content []byte) {
	if _, err := w.Write(content); err != nil {
		tb.Fatal(err)
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
}

func TestCompressed(t *testing.T) {
	pkts := traffic(20000, 200)
	content := classicFile(le, microseconds, 1, pkts)
	half := len(content) / 2 // in the middle of a record
	want := parsed(packet.LinkTypeEthernet, pkts)
	for name, packed := range map[string][]byte{
		"gzip":                    gzipped(t, content),
		"gzip padded":             append(gzipped(t, content), make([]byte, 100_000)...),
		"gzip padded with a byte": append(gzipped(t, content), 0),
		"gzip in two parts":       append(gzipped(t, content[:half]), gzipped(t, content[half:])...),
		"zstd":                    zstded(t, content),
		"zstd in two parts":       append(zstded(t, content[:half]), zstded(t, content[half:])...),
		"zstd after a skippable frame": append(
			[]byte{0x5a, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3}, zstded(t, content)...),
		"zstd with the largest window": zstded(t, content, zstd.WithWindowSize(maxZstdWindow)),
	} {
		t.Run(name, func(t *testing.T) { same(t, mustRead(t, packed), want) })
	}
}

// The reader ignores other bytes behind gzip, with a note, like gunzip.
func TestGzipGarbage(t *testing.T) {
	pkts := traffic(2000, 20)
	gz := gzipped(t, classicFile(le, microseconds, 1, pkts))
	const note = "gzip: other bytes follow the compressed data: they are ignored"
	for garbage, want := range map[string][]string{
		"": nil, "\x00\x00": nil, "garbage": {note}, "\x1f": {note}, "\x00\x00garbage": {note}, "\x00" + string(gz): {note},
	} {
		src := mustOpen(t, write(t, "x", append(bytes.Clone(gz), garbage...)), 0)
		got, _, err := collectAll(src)
		if !errors.Is(err, io.EOF) {
			t.Fatalf("%q: %v", garbage, err)
		}
		same(t, got, parsed(packet.LinkTypeEthernet, pkts))
		if notes := src.(registry.Attached).Attachment().Notes; !slices.Equal(notes, want) {
			t.Errorf("%.20q: notes %q, want %q", garbage, notes, want)
		}
	}
}

// The result has what could be unpacked, and the error names the damage.
func TestCompressedDamage(t *testing.T) {
	pkts := traffic(50000, 200)
	content := classicFile(le, microseconds, 1, pkts)
	flipped := func(b []byte, at int) []byte {
		b = bytes.Clone(b)
		b[at] ^= 0xff
		return b
	}
	gz, zst := gzipped(t, content), zstded(t, content, zstd.WithEncoderCRC(true))
	for _, c := range []struct {
		name    string
		packed  []byte
		want    string
		atLeast uint64 // packets
	}{
		{"gzip cut", gz[:len(gz)/2], "gzip: the compressed data is cut short", 10000},
		{"gzip cut in the checksum", gz[:len(gz)-3], "gzip: the compressed data is cut short", 50000},
		{"gzip checksum", flipped(gz, len(gz)-8), "gzip: the compressed data is damaged: gzip: invalid checksum", 50000},
		{"gzip and a cut header", append(bytes.Clone(gz), 0x1f, 0x8b, 8), "gzip: the compressed data is cut short", 50000},
		{"zstd cut", zst[:len(zst)/2], "zstd: the compressed data is cut short", 10000},
		{"zstd damaged", flipped(zst, len(zst)/2), "zstd: the compressed data is damaged: ", 10000},
		{"zstd checksum", flipped(zst, len(zst)-1), "zstd: the compressed data is damaged: ", 10000},
		{"zstd and garbage", append(bytes.Clone(zst), "garbage"...), "zstd: the compressed data is damaged: ", 50000},
	} {
		t.Run(c.name, func(t *testing.T) {
			file := write(t, "x", c.packed)
			got, _, err := collectAll(mustOpen(t, file, 0))
			if err == nil || !strings.HasPrefix(err.Error(), file+": packet ") || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got the error %v, want %s", err, c.want)
			}
			n := got.total().Packets
			if n < c.atLeast || n > uint64(len(pkts)) {
				t.Fatalf("%d packets before the damage", n)
			}
			if !strings.Contains(c.name, "zstd damaged") { // there, the unpacked data may be wrong
				same(t, got, parsed(packet.LinkTypeEthernet, pkts[:n]))
			}
		})
	}
}

// A few bytes must not make the reader allocate any amount of memory.
func TestZstdMemory(t *testing.T) {
	// A frame header without content size and a window of 2^27 and 2^31 bytes
	// (RFC 8878, 3.1.1.1.2), and an RLE block of 24 bytes.
	bomb := func(windowLog byte) []byte {
		return []byte{0x28, 0xb5, 0x2f, 0xfd, 0, (windowLog - 10) << 3, 24<<3 | 1<<1 | 1, 0, 0, 0xa1}
	}
	_, err := capturesOf(write(t, "x", bomb(31))).Open(t.Context(), env())
	if err == nil || !strings.Contains(err.Error(), "window above 128 MiB: unpack it with zstd -d --long=31") {
		t.Errorf("window of 2 GiB: %v", err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err = capturesOf(write(t, "x", bomb(27))).Open(t.Context(), env())
	runtime.ReadMemStats(&after)
	if err == nil {
		t.Error("24 times 0xa1 was taken for a capture")
	}
	if n := after.TotalAlloc - before.TotalAlloc; n > 2*maxZstdWindow {
		t.Errorf("%d bytes were allocated for a file of 10 bytes", n)
	}
}

// Closing the source early does not lose an error of the decompressor.
func TestCloseWhileUnpacking(t *testing.T) {
	for _, packed := range [][]byte{
		gzipped(t, classicFile(le, microseconds, 1, traffic(20000, 10))),
		zstded(t, classicFile(le, microseconds, 1, traffic(20000, 10))),
	} {
		src, err := capturesOf(write(t, "x", packed)).Open(t.Context(), env())
		if err != nil {
			t.Fatal(err)
		}
		if err := src.Close(); err != nil { // TestMain finds leaked goroutines
			t.Fatal(err)
		}
		if _, err := collectOnce(t.Context(), src); err == nil || errors.Is(err, io.EOF) {
			t.Errorf("Collect after Close: %v", err)
		}
	}
}
