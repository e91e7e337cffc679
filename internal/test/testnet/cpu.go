package testnet

import (
	"fmt"
	"os"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"
)

// TakeOffline takes a CPU offline until back is called or the test ends. Only tests in a machine of
// the kernel matrix may call it.
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

// Pin runs every thread of the process on one CPU until the test ends. Packets that they send over
// a link arrive on that CPU.
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
