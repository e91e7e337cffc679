package testnet

import (
	"fmt"
	"os"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"
)

// TakeOffline takes a CPU offline. The CPU is online again after back or the test. Only a
// test in a machine of its own may do so.
func TakeOffline(tb testing.TB, cpu int) (back func()) {
	tb.Helper()
	set := func(state string) {
		tb.Helper()
		if err := os.WriteFile(fmt.Sprintf("/sys/devices/system/cpu/cpu%d/online", cpu), []byte(state), 0o644); err != nil {
			tb.Fatalf("testnet: CPU %d: %v", cpu, err)
		}
	}
	back = func() { set("1") }
	tb.Cleanup(back)
	set("0")
	return back
}

// Pin makes every thread of the process run on one CPU until the test ends. What they
// send over a link arrives on that CPU.
func Pin(tb testing.TB, cpu int) {
	tb.Helper()
	var before, set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &before); err != nil {
		tb.Fatalf("testnet: %v", err)
	}
	set.Set(cpu)
	tb.Cleanup(func() { setAffinity(tb, &before) })
	setAffinity(tb, &set)
}

func setAffinity(tb testing.TB, set *unix.CPUSet) {
	tb.Helper()
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		tb.Fatalf("testnet: %v", err)
	}
	for _, t := range threads {
		id, err := strconv.Atoi(t.Name())
		if err != nil {
			continue
		}
		if err := unix.SchedSetaffinity(id, set); err != nil && err != unix.ESRCH {
			tb.Errorf("testnet: CPUs of thread %d: %v", id, err)
		}
	}
}
