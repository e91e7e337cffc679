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
		t.Errorf("for too many flows: %d bytes, but %d are allowed", s.bytes(), share)
	}
	if _, err := sizeFor(0, false); err == nil {
		t.Error("no error for a table of no flows")
	}
	for s.halve() {
	}
	if s.buckets != minBuckets || s.smallShards != 0 {
		t.Errorf("the smallest table has %d buckets, and %d small shards", s.buckets, s.smallShards)
	}
}

// TestSmallShards: CPUs that may come online have small shards. Together these use at most the
// memory of one full shard.
func TestSmallShards(t *testing.T) {
	for _, c := range []struct{ shards, small, buckets, smallBuckets int }{
		{2, 1, 1024, 1024},
		{2, 2, 1024, 512},
		{4, 236, 32768, 128},
		{4, 236, 1024, minBuckets}, // minimum size: together they use more than one full shard
		{4, 0, 1024, 1024},
	} {
		s := size{shards: c.shards, smallShards: c.small}
		s.setBuckets(c.buckets)
		if s.smallBuckets != c.smallBuckets {
			t.Errorf("%+v: %d buckets in a small shard, want %d", c, s.smallBuckets, c.smallBuckets)
		}
		end := 0
		for cpu := range c.shards + c.small {
			for epoch := range 2 {
				p := s.part(cpu, epoch)
				if p.first != end || p.n%minBuckets != 0 {
					t.Fatalf("%+v: CPU %d, epoch %d: %+v, want it to begin at %d", c, cpu, epoch, p, end)
				}
				end += p.n
			}
		}
		if end != s.allBuckets() {
			t.Errorf("%+v: %d buckets of %d are used", c, end, s.allBuckets())
		}
	}
}
