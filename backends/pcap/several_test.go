package pcap

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/owner/ids"
	"github.com/pktstat/pktstat/registry"
)

// openAll opens captures in the environment of a test.
func openAll(t *testing.T, env registry.BackendEnv, names ...string) registry.Source {
	t.Helper()
	src, err := capturesOf(names...).Open(t.Context(), env)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := src.Close(); err != nil {
			t.Error(err)
		}
	})
	return src
}

// split writes packets to n files; pick chooses the file.
func split(t *testing.T, pkts []packetAt, n int, pick func(i int) int) []string {
	t.Helper()
	parts := make([][]packetAt, n)
	for i := range pkts {
		parts[pick(i)] = append(parts[pick(i)], pkts[i])
	}
	dir, names := t.TempDir(), make([]string, n)
	for i, p := range parts {
		names[i] = filepath.Join(dir, fmt.Sprintf("trace.pcap%d", i))
		content := classicFile(le, nanoseconds, 1, p)
		switch i % 3 {
		case 1:
			content = gzipped(t, content)
		case 2:
			content = ngFile(be, 1, p)
		}
		if err := os.WriteFile(names[i], content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return names
}

// TestSeveralAreOne: several captures give the same windows as one capture of all their packets.
// The distribution of packets and the order of the names do not matter.
func TestSeveralAreOne(t *testing.T) {
	pkts := traffic(5000, 60)
	for i := range pkts {
		pkts[i].time = epoch + int64(i)*1e6 // over 5 s
	}
	for i := 3000; i < len(pkts); i++ {
		pkts[i].time += 7e9 // a pause
	}
	one := write(t, "one", classicFile(le, nanoseconds, 1, pkts))
	for name, pick := range map[string]func(int) int{
		"rotated":    func(i int) int { return i / 1000 },
		"in turn":    func(i int) int { return i % 5 },
		"overlapped": func(i int) int { return min(i/1000+i%2, 4) },
	} {
		for _, env := range []registry.BackendEnv{
			{}, {Interval: time.Second}, {Interval: 100 * time.Millisecond},
			{Limit: 1500 * time.Millisecond}, {Interval: time.Second, Limit: 2500 * time.Millisecond},
			{Interval: time.Second, Limit: 6 * time.Second}, {Interval: time.Second, Limit: time.Hour},
		} {
			names := split(t, pkts, 5, pick)
			rand.New(rand.NewPCG(1, 2)).Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
			want, eachWant, err := collectAll(openAll(t, env, one))
			if !errors.Is(err, io.EOF) {
				t.Fatal(err)
			}
			got, each, err := collectAll(openAll(t, env, names...))
			if !errors.Is(err, io.EOF) {
				t.Fatal(err)
			}
			same(t, got, want)
			if !reflect.DeepEqual(each, eachWant) {
				t.Errorf("%s, interval %v, limit %v: %d windows, want %d, or others", name, env.Interval, env.Limit, len(each), len(eachWant))
			}
		}
	}
}

// TestRotatedAreOpenOneByOne: if captures do not overlap, one file is open at a time.
func TestRotatedAreOpenOneByOne(t *testing.T) {
	const files = 200
	pkts := packetsAt(slices.Collect(func(yield func(float64) bool) {
		for i := range files * 2 {
			if !yield(float64(i)) {
				return
			}
		}
	})...)
	names := split(t, pkts, files, func(i int) int { return i / 2 })
	slices.Reverse(names)
	src := openAll(t, registry.BackendEnv{Interval: time.Second}, names...)
	open := func() (n int) {
		fds, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		for _, fd := range fds {
			if to, err := os.Readlink("/proc/self/fd/" + fd.Name()); err == nil && strings.HasPrefix(to, filepath.Dir(names[0])) {
				n++
			}
		}
		return n
	}
	if n := open(); n != 0 {
		t.Errorf("%d files are open before counting", n)
	}
	windows, most := 0, 0
	for err := error(nil); err == nil; windows++ {
		b := flow.NewBatch(flow.BatchHooks{Records: func([]flow.Record) error { return nil }})
		if err = src.Collect(t.Context(), b); err != nil && !errors.Is(err, io.EOF) {
			t.Fatal(err)
		}
		most = max(most, open())
	}
	if windows != 2*files || most != 1 {
		t.Errorf("%d windows, at most %d files open; want %d, 1", windows, most, 2*files)
	}
}

// TestLimit: a run ends at its limit by the capture's clock, and has exactly that length.
func TestLimit(t *testing.T) {
	for _, tc := range []struct {
		name            string
		times           []float64
		interval, limit time.Duration
		packets         uint64
		end             float64
	}{
		{"a packet at the end is behind it", []float64{0, 1, 2, 3}, 0, 2 * time.Second, 2, 2},
		{"intervals", []float64{0, 1, 2, 3}, time.Second, 2 * time.Second, 2, 2},
		{"a part of an interval", []float64{0, 1, 2, 3}, time.Second, 2500 * time.Millisecond, 3, 2.5},
		{"a pause at the end", []float64{0, 0.5, 9}, time.Second, 5 * time.Second, 2, 5},
		{"longer than the capture", []float64{0, 1, 2.5}, 0, time.Hour, 3, 2.5},
		{"out of order", []float64{0, 1, 0.5, 3, 1}, 0, 2 * time.Second, 3, 2},
	} {
		t.Run(tc.name, func(t *testing.T) {
			file := write(t, "x", classicFile(le, nanoseconds, 1, packetsAt(tc.times...)))
			src := openAll(t, registry.BackendEnv{Interval: tc.interval, Limit: tc.limit}, file)
			all, each, err := collectAll(src)
			if !errors.Is(err, io.EOF) {
				t.Fatal(err)
			}
			end := each[len(each)-1].end
			if n := all.total().Packets; n != tc.packets || end.UnixNano() != at(tc.end) {
				t.Errorf("%d packets until %v, want %d until %v", n, end, tc.packets, time.Unix(0, at(tc.end)))
			}
		})
	}
}

// TestLimitOfSilentPipe: a pipe that is silent for as long as the run may take ends it.
func TestLimitOfSilentPipe(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = r.Close(), w.Close() }) // after the source
	content := classicFile(le, nanoseconds, 1, packetsAt(0, 0.001))
	if _, err := w.Write(content); err != nil {
		t.Fatal(err)
	}
	all, _, err := collectAll(openAll(t, registry.BackendEnv{Stdin: r, Limit: 20 * time.Millisecond}, "-"))
	if !errors.Is(err, io.EOF) || all.total().Packets != 2 {
		t.Errorf("%d packets, %v", all.total().Packets, err)
	}
}

// TestSeveralWithPipe: a pipe is one of several captures.
func TestSeveralWithPipe(t *testing.T) {
	file := write(t, "x", classicFile(le, nanoseconds, 1, packetsAt(2, 3)))
	r := pipeOf(t, classicFile(le, nanoseconds, 1, packetsAt(0, 1, 4)))
	_, each, err := collectAll(openAll(t, registry.BackendEnv{Stdin: r, Interval: time.Second}, file, "-"))
	if !errors.Is(err, io.EOF) || len(each) != 5 {
		t.Errorf("%d windows, %v", len(each), err)
	}
}

// TestSeveralDamaged: pktstat reads the whole captures, and the error names the damaged ones.
func TestSeveralDamaged(t *testing.T) {
	whole := write(t, "whole", classicFile(le, nanoseconds, 1, packetsAt(0, 5)))
	cut := classicFile(le, nanoseconds, 1, packetsAt(1, 2))
	damaged := write(t, "damaged", cut[:len(cut)-3])
	all, _, err := collectAll(openAll(t, registry.BackendEnv{}, damaged, whole))
	if want := damaged + ": packet 2: cut short"; err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("error %v, want %s", err, want)
	}
	if n := all.total().Packets; n != 3 {
		t.Errorf("%d packets, want 3", n)
	}
}

// TestSeveralDamagedAndInterrupted: the end of a run by a signal also names the damaged captures.
func TestSeveralDamagedAndInterrupted(t *testing.T) {
	cut := classicFile(le, nanoseconds, 1, packetsAt(1, 2))
	damaged := write(t, "damaged", cut[:len(cut)-3])
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = r.Close(), w.Close() }) // after the source
	if _, err := w.Write(classicFile(le, nanoseconds, 1, packetsAt(0, 5))); err != nil {
		t.Fatal(err)
	}
	src := openAll(t, registry.BackendEnv{Stdin: r, Interval: time.Second}, damaged, "-")
	ctx, cancel := context.WithCancel(t.Context())
	all := flows{}
	for range 10 {
		b := flow.NewBatch(flow.BatchHooks{Records: func(recs []flow.Record) error {
			all.add(recs)
			return nil
		}})
		err = src.Collect(ctx, b)
		if ferr := b.Flush(); ferr != nil {
			t.Fatal(ferr)
		}
		if ctx.Err() != nil {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if len(src.(*several).failed) > 0 {
			cancel()
		}
	}
	if want := damaged + ": packet 2: cut short"; ctx.Err() == nil || err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("error %v, want %s", err, want)
	}
	if n := all.total().Packets; n != 3 {
		t.Errorf("%d packets, want 3", n)
	}
	cancel()
}

// TestSeveralRefused: an unreadable capture is an error before counting.
func TestSeveralRefused(t *testing.T) {
	good := write(t, "good", classicFile(le, nanoseconds, 1, packetsAt(0)))
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(good, link); err != nil {
		t.Fatal(err)
	}
	text := write(t, "text", []byte("hello"))
	for _, tc := range []struct {
		names []string
		want  string
		is    error
	}{
		{[]string{good, good}, "is named twice", registry.ErrUsage},
		{[]string{good, link}, "link is named twice", registry.ErrUsage},
		{[]string{"-", good, "-"}, "standard input is named twice", registry.ErrUsage},
		{[]string{good, text}, "text: not a pcap or pcapng capture", nil},
		{[]string{good, good + "x"}, "no such file", os.ErrNotExist},
	} {
		src, err := capturesOf(tc.names...).Open(t.Context(), registry.BackendEnv{Stdin: strings.NewReader("")})
		if src != nil || err == nil || !strings.Contains(err.Error(), tc.want) || tc.is != nil && !errors.Is(err, tc.is) {
			t.Errorf("%q: %v, want %s", tc.names, err, tc.want)
		}
	}
}

// TestFileField: when rows are grouped by file, each record has the number of its capture's name.
func TestFileField(t *testing.T) {
	pkts := traffic(3000, 40)
	names := split(t, pkts, 3, func(i int) int { return i * 3 / len(pkts) })
	field := flow.Fields.Find(fileField)
	for _, captures := range [][]string{names, names[:1]} {
		numbers := ids.New(field.Dim, 10)
		packets := map[string]uint64{}
		src := openAll(t, registry.BackendEnv{Dims: field.Dim, Tuples: numbers}, captures...)
		b := flow.NewBatch(flow.BatchHooks{Records: func(recs []flow.Record) error {
			for i := range recs {
				o := numbers.Get(recs[i].Key.OwnerID)
				packets[o.Label(field)] += recs[i].Packets
			}
			return nil
		}})
		if err := src.Collect(t.Context(), b); !errors.Is(err, io.EOF) {
			t.Fatal(err)
		}
		if err := b.Flush(); err != nil {
			t.Fatal(err)
		}
		for _, name := range captures {
			if packets[name] != uint64(len(pkts)/3) || len(packets) != len(captures) {
				t.Errorf("%v", packets)
			}
		}
	}
}

// TestSharedInterfaces: an interface of the same name and place in several captures is one.
func TestSharedInterfaces(t *testing.T) {
	var names []string
	for _, ifaces := range [][]string{{"eth0", "eth1"}, {"eth0", "eth1"}, {"eth0", "wlan0"}} {
		w := newNGWriter(le)
		for _, name := range ifaces {
			w.iface(1, 0, w.option(2, []byte(name)...))
		}
		for id := range ifaces {
			w.packet(uint32(id), uint64(epoch/1000)+uint64(len(names)), &packetAt{data: frame(1, 10)})
		}
		names = append(names, write(t, "x", w.Bytes()))
	}
	src := openAll(t, registry.BackendEnv{}, names...)
	got := map[uint32]uint64{}
	all, _, err := collectAll(src)
	if !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	for k, f := range all {
		got[k.Ifindex] += f.Packets
	}
	a := src.(registry.Attached).Attachment()
	if !slices.Equal(a.Files, names) {
		t.Errorf("the report names the captures %q, want %q", a.Files, names)
	}
	var list []string
	for _, i := range a.Interfaces {
		list = append(list, fmt.Sprintf("%s:%d", i.Name, got[i.Index]))
	}
	slices.SortFunc(list, cmp.Compare[string])
	if want := []string{"eth0:3", "eth1:2", "wlan0:1"}; !slices.Equal(list, want) {
		t.Errorf("%v, want %v", list, want)
	}
}
