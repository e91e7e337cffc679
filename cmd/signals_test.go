package cmd

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestSignals: the first signal ends the run with its report, a second one does not wait.
func TestSignals(t *testing.T) {
	for _, sig := range []os.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		b := newBench(t)
		b.signalWhenCounting(sig)
		if code := b.run(t.Context(), "-b", "live", "-i", "lo", "-t", "0", "-r", "10ms"); code != 0 || !strings.Contains(b.stdout.String(), "final=true") {
			t.Errorf("%v: exit code %d, stdout %q", sig, code, b.stdout.String())
		}
	}

	b := newBench(t)
	b.live.stuck = make(chan struct{})
	defer close(b.live.stuck)
	b.signalWhenCounting(syscall.SIGINT, syscall.SIGHUP, syscall.SIGINT)
	file := filepath.Join(t.TempDir(), "out")
	if code := b.run(t.Context(), "-b", "live", "-i", "lo", "-r", "10ms", "--output", "table="+file); code != 130 || b.stdout.Len() > 0 {
		t.Errorf("stuck, second SIGINT: exit code %d, stdout %q", code, b.stdout.String())
	}
	if left, err := os.ReadDir(filepath.Dir(file)); err != nil || len(left) > 0 {
		t.Errorf("stuck, second SIGINT: left %v, %v", left, err)
	}
}

// TestSecondSignalLosesNothing: the report is written before the backend detaches, which takes long
// on many interfaces. A second signal does not wait for that.
func TestSecondSignalLosesNothing(t *testing.T) {
	for _, target := range []string{"-", filepath.Join(t.TempDir(), "out")} {
		b := newBench(t)
		b.live.detach = make(chan struct{})
		signals, started := make(chan os.Signal, 1), make(chan struct{})
		b.Signals, b.live.started = signals, started
		report := func() string {
			if target == "-" {
				return b.stdout.String()
			}
			text, _ := os.ReadFile(target)
			return string(text)
		}
		go func() {
			<-started
			signals <- syscall.SIGINT
			for !strings.Contains(report(), "final=true") && t.Context().Err() == nil {
				time.Sleep(time.Millisecond)
			}
			signals <- syscall.SIGINT
		}()
		code := b.run(t.Context(), "-b", "live", "-i", "lo", "-t", "0", "-r", "10ms", "--output", "table="+target)
		if code != 130 || !strings.Contains(report(), "final=true") {
			t.Errorf("%s: exit code %d, report %q", target, code, report())
		}
		close(b.live.detach)
	}
}

// TestReportNow: SIGUSR1 causes an interval report.
func TestReportNow(t *testing.T) {
	b := newBench(t)
	signals, started := make(chan os.Signal, 1), make(chan struct{})
	b.Signals, b.live.started = signals, started
	go func() {
		<-started
		if b.stdout.Len() > 0 {
			t.Error("a report was written before its time")
		}
		signals <- syscall.SIGUSR1
		for b.stdout.Len() == 0 && t.Context().Err() == nil {
			time.Sleep(time.Millisecond)
		}
		signals <- syscall.SIGTERM
	}()
	if code := b.run(t.Context(), "-b", "live", "-i", "lo", "-r", "1h", "-t", "1m", "--output", "each"); code != 0 {
		t.Errorf("exit code %d: %s", code, b.stderr.String())
	}
	if !strings.HasPrefix(b.stdout.String(), "final=false packets=") || !strings.Contains(b.stdout.String(), "\nfinal=true packets=") {
		t.Errorf("stdout %q", b.stdout.String())
	}
}

// TestSignalBeforeCounting: without a report to lose, a signal ends the process soon.
func TestSignalBeforeCounting(t *testing.T) {
	b := newBench(t)
	signals := make(chan os.Signal, 1)
	b.Signals = signals
	b.live.opening = func(ctx context.Context) error {
		signals <- syscall.SIGTERM
		<-ctx.Done()
		return ctx.Err()
	}
	if code := b.run(t.Context(), "-b", "live", "-i", "lo"); code != 143 || b.stderr.String() != "pktstat: ended by signal: terminated\n" {
		t.Errorf("exit code %d, stderr %q", code, b.stderr.String())
	}
}
