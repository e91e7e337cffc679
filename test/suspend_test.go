package test

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/test/testenv"
	"github.com/pktstat/pktstat/internal/test/testnet"
)

// TestSuspend: a suspend does not add to the length of a run or an interval, nor change rates.
// Earlier counts are not lost.
func TestSuspend(t *testing.T) {
	testenv.Privileged(t)
	testenv.Machine(t)
	a, b := testnet.Pair(t, testnet.Link{})
	page := filepath.Join(t.TempDir(), "run.html")
	begun := time.Now()
	p := startStream(t, a.Host, "-i", a.Name, "-t", "0", "-r", "200ms", "--output", "ndjson", "--output", "html="+page)
	p.counting()
	first := time.Now()
	var sent flow.Counters
	sent.Add(testnet.SendUDP(t, b, a, testnet.UDP{Payload: 100, Count: 50}).Counters)
	slept := suspend(t)
	sent.Add(testnet.SendUDP(t, b, a, testnet.UDP{Payload: 100, Count: 50}).Counters)
	least := time.Since(first)
	p.signal(syscall.SIGINT)
	reports := p.rest()
	steps := checkRun(t, reports, page, sent, least, time.Since(begun))
	if len(steps) != 1 || (steps[0]-slept).Abs() > time.Second/2 {
		t.Errorf("the machine slept for %v, the clock and the lengths differ by %v", slept, steps)
	}
}

// suspend suspends the machine until its clock wakes it, and returns for how long.
func suspend(t *testing.T) time.Duration {
	t.Helper()
	const alarm = "/sys/class/rtc/rtc0/wakealarm"
	before := asleep(t)
	err := errors.Join(os.WriteFile(alarm, []byte("0"), 0), os.WriteFile(alarm, []byte("+4"), 0))
	if err == nil {
		err = os.WriteFile("/sys/power/state", []byte("mem"), 0)
	}
	if err != nil {
		t.Fatalf("suspend to memory: %v", err)
	}
	slept := asleep(t) - before
	if slept < time.Second {
		t.Fatalf("the machine slept for %v only", slept)
	}
	return slept
}

// asleep returns how long the machine has slept so far.
func asleep(t *testing.T) time.Duration {
	t.Helper()
	var since, awake unix.Timespec
	if err := errors.Join(unix.ClockGettime(unix.CLOCK_BOOTTIME, &since), unix.ClockGettime(unix.CLOCK_MONOTONIC, &awake)); err != nil {
		t.Fatal(err)
	}
	return time.Duration(since.Nano() - awake.Nano())
}
