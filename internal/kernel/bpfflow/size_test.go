package bpfflow

import (
	"testing"

	"golang.org/x/sys/unix"
)

func TestSize(t *testing.T) {
	var info unix.Sysinfo_t
	if err := unix.Sysinfo(&info); err != nil {
		t.Fatal(err)
	}
	memory := info.Totalram * uint64(info.Unit)
	for _, tc := range []struct{ maxFlows, slots int }{
		{1, 512}, // a word of the touched map stands for 64 buckets
		{256, 512},
		{257, 1024},
		{1000, 2048},
		{1024, 2048},
		{131072, 262144},
	} {
		s, err := sizeFor(tc.maxFlows, false)
		if err != nil {
			t.Fatal(err)
		}
		if s.slots() != tc.slots && s.bytes()*2 <= memory/memoryShare {
			t.Errorf("for %d flows: %d slots, want %d", tc.maxFlows, s.slots(), tc.slots)
		}
	}
	s, err := sizeFor(1<<40, false)
	if err != nil {
		t.Fatal(err)
	}
	if share := memory / memoryShare; s.bytes() > share || s.bytes() < share/4 {
		t.Errorf("for far too many flows: %d bytes, where %d are allowed", s.bytes(), share)
	}
	if _, err := sizeFor(0, false); err == nil {
		t.Error("no error for a table of no flows")
	}
	for s.halve() {
	}
	if s.buckets != minBuckets {
		t.Errorf("the smallest table has %d buckets", s.buckets)
	}
}
