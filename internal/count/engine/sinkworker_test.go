package engine

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pktstat/pktstat/registry"
)

// TestFailingSink: the other sinks go on, and the run ends with ErrOutput.
func TestFailingSink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		full := errors.New("no space left on device")
		src, good, bad := &counter{}, &recorder{}, &recorder{failAt: 2, err: full}
		c := config(src, good, bad)
		c.Timeout = 5 * time.Second
		err := Run(t.Context(), c)
		if !errors.Is(err, ErrOutput) || !errors.Is(err, full) || !strings.Contains(err.Error(), "sink1") {
			t.Fatalf("error %v", err)
		}
		check(t, good, src)
		if len(bad.reports) != 2 || bad.closed != 1 {
			t.Errorf("the failed sink got %d reports and was closed %d times", len(bad.reports), bad.closed)
		}
	})
}

// TestReaderGone: a closed pipe ends the run without an error, but only if no other output is
// left.
func TestReaderGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src, gone := &counter{}, &recorder{failAt: 1, err: fmt.Errorf("write: %w", syscall.EPIPE)}
		c := config(src, gone)
		c.Timeout = time.Hour
		begun := time.Now()
		if err := Run(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		if d := time.Since(begun); d > 2*time.Second {
			t.Errorf("counted for another %v without an output", d)
		}

		src, gone, good := &counter{}, &recorder{failAt: 1, err: syscall.EPIPE}, &recorder{}
		c = config(src, gone, good)
		c.Timeout = 10 * time.Second
		if err := Run(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		check(t, good, src)
	})
}

// TestSlowSink: a slow sink misses interval reports, and the user learns how many. It delays
// neither the count nor other outputs. It gets the final report.
func TestSlowSink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src, slow, good := &counter{}, &recorder{delay: 3 * time.Second}, &recorder{}
		c := config(src, slow, good)
		c.Timeout = 60 * time.Second
		var said []string
		c.Env.Notify = func(f string, a ...any) { said = append(said, fmt.Sprintf(f, a...)) }
		if err := Run(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		check(t, good, src)
		if f := slow.final(t); f.Total.Counters != src.seen || f.Total.Retransmits != src.retransmits {
			t.Errorf("the slow sink's final total is %+v, want %+v", f.Total, src.seen)
		}
		missed := len(good.reports) - len(slow.reports)
		want := fmt.Sprintf("output sink0 is too slow: it missed %d interval reports", missed)
		if missed == 0 || !slices.Contains(said, want) {
			t.Errorf("%d reports missed, message %q", missed, said)
		}
	})
}

// TestSlowSinkOfCapture: reading a capture waits for a slow sink instead of dropping reports.
func TestSlowSinkOfCapture(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src, slow := &counter{end: 50, endErr: io.EOF, span: time.Second}, &recorder{delay: time.Second}
		c := config(src, slow)
		c.Candidates[0].Backend = backend(registry.ClockSource)
		if err := Run(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		check(t, slow, src)
	})
}

// TestTop: outputs with different numbers of rows get the same totals.
func TestTop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src, few, all := &counter{end: 20, endErr: io.EOF}, &recorder{}, &recorder{}
		c := config(src, few, all)
		c.Outputs[0].Top = 3
		if err := Run(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		check(t, few, src)
		check(t, all, src)
		f, a := few.final(t), all.final(t)
		if len(f.Packed) != 3 || len(a.Packed) != 21 || f.FlowCount != 21 || f.Rest.Packets != 18 {
			t.Errorf("rows %d and %d, count %d, rest %+v", len(f.Packed), len(a.Packed), f.FlowCount, f.Rest)
		}
		if f.Rest.Retransmits == 0 || f.Rest.Retransmits < a.Rest.Retransmits {
			t.Errorf("retransmits %+v and %+v", f.Sums, a.Sums)
		}
	})
}

// TestReportNow: SIGUSR1 causes an early interval report.
func TestReportNow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src, sink := &counter{}, &recorder{}
		c := config(src, sink)
		c.Refresh, c.Timeout = time.Hour, 10*time.Second
		now := make(chan struct{}, 1)
		c.ReportNow = now
		time.AfterFunc(2500*time.Millisecond, func() { now <- struct{}{} })
		if err := Run(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		check(t, sink, src)
		if len(sink.reports) != 3 || sink.reports[0].Duration() != 2500*time.Millisecond {
			t.Errorf("%d reports, the first over %v", len(sink.reports), sink.reports[0].Duration())
		}
	})
}
