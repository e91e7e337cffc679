package pcap

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"testing/iotest"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/count/packet"
	"github.com/pktstat/pktstat/registry"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// openPipe opens a source on a pipe, and returns a function that sends to it. nil closes the
// pipe.
func openPipe(t *testing.T, interval time.Duration) (registry.Source, func([]byte)) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	src, err := capturesOf("-").Open(t.Context(), registry.BackendEnv{Stdin: r, Interval: interval})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := src.Close(); err != nil {
			t.Error(err)
		}
		_ = w.Close()
		if err := r.Close(); err != nil {
			t.Errorf("standard input was not left open: %v", err)
		}
	})
	return src, func(b []byte) {
		if b == nil {
			_ = w.Close()
		} else if _, err := w.Write(b); err != nil {
			t.Fatal(err)
		}
	}
}

// collectUntil collects until that many packets have arrived.
func collectUntil(t *testing.T, src registry.Source, packets uint64) collected {
	t.Helper()
	sum := collected{flows: flows{}}
	for end := time.Now().Add(10 * time.Second); sum.flows.total().Packets < packets; {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		c, err := collectOnce(ctx, src)
		cancel()
		if err != nil || time.Now().After(end) {
			t.Fatalf("%d packets, want %d; %v", sum.flows.total().Packets, packets, err)
		}
		if sum.start.IsZero() {
			sum.start = c.start
		}
		sum.end = c.end
		for _, r := range c.flows {
			sum.flows.add([]flow.Record{r})
		}
	}
	return sum
}

func TestPipeInPieces(t *testing.T) {
	pkts := append(traffic(300, 20), packetAt{time: epoch + 1e9, data: make([]byte, maxCaptured)})
	want := parsed(packet.LinkTypeEthernet, pkts)
	for name, content := range map[string][]byte{
		"pcap": classicFile(be, microseconds, 1, pkts), "pcapng": ngFile(le, 1, pkts), "gzip": gzipped(t, classicFile(le, microseconds, 1, pkts)),
	} {
		for kind, r := range map[string]io.Reader{
			"pipe":          pipeOf(t, content),
			"single bytes":  iotest.OneByteReader(bytes.NewReader(content)),
			"half":          iotest.HalfReader(bytes.NewReader(content)),
			"data with EOF": iotest.DataErrReader(bytes.NewReader(content)),
		} {
			t.Run(name+" "+kind, func(t *testing.T) {
				src, err := capturesOf("-").Open(t.Context(), registry.BackendEnv{Stdin: r})
				if err != nil {
					t.Fatal(err)
				}
				got, _, err := collectAll(src)
				if !errors.Is(err, io.EOF) {
					t.Fatal(err)
				}
				same(t, got, want)
				if err := src.Close(); err != nil {
					t.Fatal(err)
				}
			})
		}
	}
}

// A packet counts when it has been written, not when the next one is.
func TestSlowPipe(t *testing.T) {
	pkts := packetsAt(0, 1, 2)
	content := classicFile(le, microseconds, 1, pkts)
	one := len(classicFile(le, microseconds, 1, pkts[:1]))
	src, send := openPipe(t, 0)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if c, err := collectOnce(ctx, src); err != nil || len(c.flows) != 0 { // not even a file header yet
		t.Fatal(c, err)
	}
	send(content[:10])
	send(content[10:one])
	if got := collectUntil(t, src, 1); got.end.UnixNano() != pkts[0].time {
		t.Errorf("the window ends at %v", got.end)
	}
	send(content[one:])
	collectUntil(t, src, 2)
	send(nil)
	if _, err := collectOnce(t.Context(), src); !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
}

func TestCancelOnSilentPipe(t *testing.T) {
	src, send := openPipe(t, 0)
	send(classicFile(le, microseconds, 1, packetsAt(0, 1)))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	var got collected
	go func() {
		var err error
		got, err = collectOnce(ctx, src)
		done <- err
	}()
	time.Sleep(50 * time.Millisecond) // it now waits for more
	cancel()
	select {
	case err := <-done:
		if err != nil || got.flows.total().Packets != 2 {
			t.Errorf("%d packets, %v", got.flows.total().Packets, err)
		}
	case <-time.After(5 * time.Second):
		t.Fatal("Collect did not return")
	}
}

// Collect finds damage in a pipe: Open does not wait for a writer.
func TestNoCaptureInPipe(t *testing.T) {
	for content, want := range map[string]string{
		"":      "standard input: empty: not even a file header",
		"hello": "standard input: not a pcap or pcapng capture: it looks like text",
	} {
		src, send := openPipe(t, 0)
		send([]byte(content))
		send(nil)
		if _, err := collectOnce(t.Context(), src); err == nil || err.Error() != want {
			t.Errorf("%q: %v", content, err)
		}
	}
}

func TestNamedPipe(t *testing.T) {
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	if r := capturesOf(fifo).Probe(t.Context()); r.Verdict != registry.Supported {
		t.Errorf("Probe: %v", r.Err)
	}
	src := mustOpen(t, fifo, 0) // without a writer
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := collectOnce(ctx, src); err != nil {
		t.Fatal("while there is no writer:", err)
	}
	pkts := traffic(5000, 50)
	done := make(chan error)
	go func() { done <- os.WriteFile(fifo, classicFile(le, microseconds, 1, pkts), 0) }()
	got, _, err := collectAll(src)
	if !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	same(t, got, parsed(packet.LinkTypeEthernet, pkts))
}

// A file on standard input is like any file: Open reads its beginning.
func TestRedirectedFile(t *testing.T) {
	open := func(content []byte) (registry.Source, error) {
		f, err := os.Open(write(t, "x", content))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := f.Close(); err != nil {
				t.Errorf("standard input was not left open: %v", err)
			}
		})
		return capturesOf("-").Open(t.Context(), registry.BackendEnv{Stdin: f})
	}
	if _, err := open([]byte("hello")); err == nil {
		t.Error("text was accepted")
	}
	pkts := traffic(100, 10)
	src, err := open(classicFile(le, microseconds, 1, pkts))
	if err != nil {
		t.Fatal(err)
	}
	got, _, err := collectAll(src)
	if !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	same(t, got, parsed(packet.LinkTypeEthernet, pkts))
	if err := src.Close(); err != nil {
		t.Fatal(err)
	}
}

// Nothing can interrupt a reader that is no file. Close does not wait for it, and the goroutine
// ends with the read (TestMain checks).
func TestCloseWithForeignReader(t *testing.T) {
	r, w := io.Pipe()
	src, err := capturesOf("-").Open(t.Context(), registry.BackendEnv{Stdin: r})
	if err != nil {
		t.Fatal(err)
	}
	if err := src.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := collectOnce(t.Context(), src); err == nil || errors.Is(err, io.EOF) {
		t.Errorf("Collect after Close: %v", err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}
