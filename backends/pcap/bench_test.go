package pcap

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/count/ledger"
	"github.com/pktstat/pktstat/registry"
)

// benchPackets is large, so that the start of tcpdump does not matter.
const benchPackets = 3_000_000

// BenchmarkRead reads captures of 64-byte packets into a ledger, from the page cache. For
// comparison, tcpdump copies the same file. Look at ns/packet (CPU time of all threads, or of the
// tcpdump process), and run it with -count so that the two alternate.
func BenchmarkRead(b *testing.B) {
	dir := b.TempDir()
	classic := filepath.Join(dir, "x.pcap")
	writeBench(b, classic, 5000)
	content, err := os.ReadFile(classic)
	if err != nil {
		b.Fatal(err)
	}
	many := filepath.Join(dir, "many.pcap")
	writeBench(b, many, 100_000)

	b.Run("pcap", func(b *testing.B) { benchRead(b, classic, nil) })
	b.Run("tcpdump", func(b *testing.B) { benchTcpdump(b, classic) })
	b.Run("pcap-100k-flows", func(b *testing.B) { benchRead(b, many, nil) })
	b.Run("pipe", func(b *testing.B) {
		benchRead(b, "-", func() *os.File { return pipeOf(b, content) })
	})
	b.Run("pcapng", func(b *testing.B) {
		file := filepath.Join(dir, "x.pcapng")
		writeBenchNG(b, file, content)
		benchRead(b, file, nil)
	})
	b.Run("gzip", func(b *testing.B) { benchRead(b, write(b, "x.gz", gzipped(b, content)), nil) })
	b.Run("zstd", func(b *testing.B) { benchRead(b, write(b, "x.zst", zstded(b, content)), nil) })
}

func benchRead(b *testing.B, file string, stdin func() *os.File) {
	var packets uint64
	cpu := cpuTime(b, syscall.RUSAGE_SELF)
	for b.Loop() {
		l := ledger.New(flow.DimsFlow, 131072, flow.Seed{1, 2})
		batch := flow.NewBatch(flow.BatchHooks{Records: func(r []flow.Record) error {
			l.Merge(r)
			return nil
		}})
		env := registry.BackendEnv{}
		if stdin != nil {
			env.Stdin = stdin()
		}
		src, err := capturesOf(file).Open(b.Context(), env)
		if err != nil {
			b.Fatal(err)
		}
		if err := src.Collect(context.Background(), batch); !errors.Is(err, io.EOF) {
			b.Fatal(err)
		}
		if err := errors.Join(batch.Flush(), src.Close()); err != nil {
			b.Fatal(err)
		}
		packets += l.Sums(ledger.Interval).Total.Packets
	}
	if packets != uint64(b.N)*benchPackets {
		b.Fatalf("%d packets in %d runs", packets, b.N)
	}
	report(b, cpuTime(b, syscall.RUSAGE_SELF)-cpu)
}

func benchTcpdump(b *testing.B, file string) {
	path, err := exec.LookPath("tcpdump")
	if err != nil {
		b.Skip("tcpdump is not installed")
	}
	cpu := cpuTime(b, syscall.RUSAGE_CHILDREN)
	for b.Loop() {
		if out, err := exec.CommandContext(b.Context(), path, "-r", file, "-w", os.DevNull).CombinedOutput(); err != nil {
			b.Fatalf("%v: %s", err, out)
		}
	}
	report(b, cpuTime(b, syscall.RUSAGE_CHILDREN)-cpu)
}

func report(b *testing.B, cpu int64) {
	n := float64(b.N) * benchPackets
	b.ReportMetric(float64(cpu)/n, "cpu-ns/packet")
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/n, "ns/packet")
	b.ReportMetric(0, "ns/op")
}

func cpuTime(b *testing.B, who int) int64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(who, &u); err != nil {
		b.Fatal(err)
	}
	return u.Utime.Nano() + u.Stime.Nano()
}

// writeBench writes TCP and UDP packets of 64 bytes, the flows in random order. Each TCP segment
// follows the one before.
func writeBench(b *testing.B, file string, flows int) {
	r := rand.New(rand.NewPCG(1, 2))
	createBench(b, file, func(w *bufio.Writer) {
		_, _ = w.Write(classicFile(le, microseconds, 1, nil))
		p := packetAt{}
		const payload = 64 - 14 - 20 - 20
		sent := make([]uint32, flows)
		for i := range benchPackets {
			f := r.IntN(flows)
			p.time = epoch + int64(i)*1000
			p.data = frame(f%2, payload)
			binary.BigEndian.PutUint32(p.data[26:], uint32(10<<24+f))
			if f%2 == 0 {
				binary.BigEndian.PutUint32(p.data[38:], sent[f])
				p.data[46], p.data[47] = 5<<4, byte(flow.TCPAck)
				sent[f] += payload
			}
			_, _ = w.Write(classicRecord(le, microseconds, &p))
		}
	})
}

// writeBenchNG writes the packets of a little-endian pcap file as pcapng.
func writeBenchNG(b *testing.B, file string, classic []byte) {
	createBench(b, file, func(w *bufio.Writer) {
		_, _ = w.Write(ngFile(le, 1, nil))
		block := ngWriter{o: le}
		for at := classicFileHeader; at < len(classic); at += 16 + 64 {
			ticks := uint64(le.Uint32(classic[at:]))*1e6 + uint64(le.Uint32(classic[at+4:]))
			block.Reset()
			block.packet(0, ticks, &packetAt{data: classic[at+16 : at+16+64]})
			_, _ = w.Write(block.Bytes())
		}
	})
}

func createBench(b *testing.B, file string, f func(w *bufio.Writer)) {
	out, err := os.Create(file)
	if err != nil {
		b.Fatal(err)
	}
	w := bufio.NewWriter(out)
	f(w)
	if err := errors.Join(w.Flush(), out.Close()); err != nil {
		b.Fatal(err)
	}
}
