package reportjson

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"math"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/pktstat/pktstat/plugintest/sinktest"
)

// TestPretty: compact and indented JSON have the same value. The indentation is the one of
// encoding/json.
func TestPretty(t *testing.T) {
	for _, g := range sinktest.Goldens() {
		for _, r := range g.Reports {
			var compact, pretty, want bytes.Buffer
			for _, p := range []struct {
				buf    *bytes.Buffer
				pretty bool
			}{{&compact, false}, {&pretty, true}} {
				w := bufio.NewWriter(p.buf)
				if err := Write(w, r, p.pretty); err != nil {
					t.Fatal(err)
				}
				if err := w.Flush(); err != nil {
					t.Fatal(err)
				}
			}
			if n := bytes.Count(compact.Bytes(), []byte("\n")); n != 1 {
				t.Errorf("%s: %d lines, want one", g.Name, n)
			}
			if err := json.Indent(&want, compact.Bytes(), "", "  "); err != nil {
				t.Fatalf("%s: %v", g.Name, err)
			}
			if pretty.String() != want.String() {
				t.Errorf("%s: pretty is\n%s\nwant\n%s", g.Name, pretty.String(), want.String())
			}
		}
	}
}

// TestTime: times are formatted as by package time, whatever was written before.
func TestTime(t *testing.T) {
	var e encoder
	rnd := rand.New(rand.NewPCG(1, 2))
	times := []time.Time{{}, time.Unix(0, 0), time.Unix(0, -1), time.Unix(64, 1), time.Unix(1<<40, 120_000_000), time.Unix(math.MinInt32, 5)}
	for range 10_000 {
		times = append(times, time.Unix(1_700_000_000+rnd.Int64N(200), rnd.Int64N(1e9)/[]int64{1, 1000, 1e6}[rnd.IntN(3)]))
	}
	for _, at := range times {
		e.buf = e.buf[:0]
		e.time(at)
		if want := strconv.Quote(at.UTC().Format(time.RFC3339Nano)); string(e.buf) != want {
			t.Fatalf("%s, want %s", e.buf, want)
		}
	}
}

func FuzzString(f *testing.F) {
	for _, s := range []string{"eth0", "\x1b[2J", `"\`, "\u202e\u2028", "\xff\xfe", "\U000e0041", "\x7f\u009b", "日本"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		out := appendString(nil, s)
		std, err := json.Marshal(s) // encoding/json replaces invalid UTF-8
		if err != nil {
			t.Fatal(err)
		}
		var got, want string
		if err := json.Unmarshal(out, &got); err != nil {
			t.Fatalf("%q: %v", out, err)
		}
		if err := json.Unmarshal(std, &want); err != nil {
			t.Fatal(err)
		}
		if got != want {
			t.Fatalf("%q reads as %q, want %q", out, got, want)
		}
		for _, r := range string(out) {
			if !strconv.IsPrint(r) || !utf8.ValidRune(r) {
				t.Fatalf("%q contains %U", out, r)
			}
		}
	})
}

// BenchmarkStandardLibrary encodes the same rows with encoding/json, for comparison.
func BenchmarkStandardLibrary(b *testing.B) {
	type row struct {
		Proto      string  `json:"proto"`
		Src        string  `json:"src"`
		SrcPort    uint16  `json:"src_port"`
		Dst        string  `json:"dst"`
		DstPort    uint16  `json:"dst_port"`
		Direction  string  `json:"direction"`
		Iface      string  `json:"iface"`
		Packets    uint64  `json:"packets"`
		Bytes      uint64  `json:"bytes"`
		FrameBytes uint64  `json:"frame_bytes"`
		BPS        float64 `json:"bps"`
		PPS        float64 `json:"pps"`
		First      any     `json:"first"`
		Last       any     `json:"last"`
	}
	r := sinktest.ManyFlows(100_000)
	b.ReportAllocs()
	for b.Loop() {
		enc := json.NewEncoder(bufio.NewWriterSize(io.Discard, 64<<10))
		for f := range r.Rows() {
			err := enc.Encode(&row{
				f.Protocol(), f.Src.Addr().String(), f.Src.Port(), f.Dst.Addr().String(), f.Dst.Port(), f.Dir.String(), f.Iface,
				f.Packets, f.Bytes, f.FrameBytes, r.BitRate(f.Counters), r.PacketRate(f.Counters), f.First, f.Last,
			})
			if err != nil {
				b.Fatal(err)
			}
		}
	}
}

func BenchmarkWrite(b *testing.B) {
	r := sinktest.ManyFlows(100_000)
	w := bufio.NewWriterSize(io.Discard, 64<<10)
	b.ReportAllocs()
	for b.Loop() {
		if err := Write(w, r, false); err != nil {
			b.Fatal(err)
		}
	}
}

func TestAllocations(t *testing.T) {
	w := bufio.NewWriterSize(io.Discard, 64<<10)
	measure := func(flows int) float64 {
		r := sinktest.ManyFlows(flows)
		return testing.AllocsPerRun(10, func() {
			if err := Write(w, r, false); err != nil {
				t.Fatal(err)
			}
		})
	}
	a, b := measure(10), measure(1010)
	if perRow := (b - a) / 1000; perRow > 0.01 { // a new second costs one allocation
		t.Errorf("%.3f allocations a row", perRow)
	}
}
