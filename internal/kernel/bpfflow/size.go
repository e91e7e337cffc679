package bpfflow

import (
	"fmt"
	"math/bits"
	"os"
	"strconv"
	"strings"
	"unsafe"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

const (
	// minBuckets is how many buckets one word of a touched map stands for.
	minBuckets = 64
	maxBuckets = 1 << 28

	// memoryShare of the machine's memory is what all shards together may take:
	// one of so many parts. Above, a shard holds less than MaxFlows; on a machine
	// of so many CPUs no single one sees all flows.
	memoryShare = 8
)

// size of a table.
type size struct {
	shards  int  // CPUs that have one
	buckets int  // of each kind that is used, per shard and epoch: a power of two
	sockets bool // all flows take slots of bpf/slot_socket.h; else, of bpf/flows.h
}

func sizeFor(maxFlows int, sockets bool) (size, error) {
	if maxFlows <= 0 {
		return size{}, fmt.Errorf("a flow table for %d flows", maxFlows)
	}
	shards, err := shardCount()
	if err != nil {
		return size{}, err
	}
	buckets := (2*maxFlows + bucketSlots - 1) / bucketSlots
	s := size{shards: shards, sockets: sockets, buckets: 1 << bits.Len(uint(min(max(buckets, minBuckets), maxBuckets)-1))}
	var info unix.Sysinfo_t
	if err := unix.Sysinfo(&info); err != nil {
		return size{}, fmt.Errorf("find out how much memory there is: %w", err)
	}
	// Both fields are narrower on some architectures.
	memory := uint64(info.Totalram) * uint64(info.Unit) //nolint:unconvert // see above
	for s.bytes() > memory/memoryShare {
		if !s.halve() {
			break
		}
	}
	return s, nil
}

// shardCount returns how many CPUs get a shard: those up to the last one that is
// online. Machines that CPUs could be added to often have many more possible
// ones; should such a CPU come online, what it sees is counted to no flow.
func shardCount() (int, error) {
	possible, err := ebpf.PossibleCPU()
	if err != nil {
		return 0, fmt.Errorf("count the CPUs: %w", err)
	}
	b, err := os.ReadFile("/sys/devices/system/cpu/online")
	if err != nil {
		return possible, nil // no sysfs in here
	}
	list := strings.TrimSpace(string(b))
	last, err := strconv.Atoi(list[strings.LastIndexAny(list, ",-")+1:])
	if err != nil {
		return 0, fmt.Errorf("count the CPUs: online are %q: %w", list, err)
	}
	return min(last+1, possible), nil
}

// halve makes the table half as large. It returns false if it is as small as it gets.
func (s *size) halve() bool {
	if s.buckets == minBuckets {
		return false
	}
	s.buckets /= 2
	return true
}

// rows is the number of shards of both epochs.
func (s size) rows() int { return 2 * s.shards }

// slots of each kind, per shard and epoch.
func (s size) slots() int { return s.buckets * bucketSlots }

func (s size) bytes() uint64 {
	slots := uint64(unsafe.Sizeof(slot4{}) + unsafe.Sizeof(slotWide{}))
	if s.sockets {
		slots = uint64(unsafe.Sizeof(slotSocket{}))
	}
	return uint64(s.rows()) * uint64(s.slots()) * slots
}

func (s size) String() string {
	if s.sockets {
		return fmt.Sprintf("%d shards of two times %d slots, %.1f MB", s.shards, s.slots(), float64(s.bytes())/1e6)
	}
	return fmt.Sprintf("%d shards of two times %d slots for IPv4 and as many for the rest, %.1f MB",
		s.shards, s.slots(), float64(s.bytes())/1e6)
}

// apply sets the sizes of the maps and the constants of the programs.
func (s size) apply(spec *ebpf.CollectionSpec) error {
	flows, touched := s.rows()*s.buckets, s.rows()*s.buckets/minBuckets
	entries := map[string]int{"sides": s.rows()}
	key := hashKey()
	constants := map[string]any{
		"shards":   uint32(s.shards),
		"hash_key": [13]uint64(key[:13]),
	}
	if s.sockets {
		possible, err := ebpf.PossibleCPU()
		if err != nil {
			return fmt.Errorf("count the CPUs: %w", err)
		}
		entries["flows_socket"], entries["touched_socket"] = flows, touched
		entries["nestings"] = possible
		constants["buckets_socket"] = uint32(s.buckets)
		constants["hash_socket"] = [4]uint64(key[13:])
	} else {
		entries["flows4"], entries["touched4"] = flows, touched
		entries["flows_wide"], entries["touched_wide"] = flows, touched
		constants["buckets4"], constants["buckets_wide"] = uint32(s.buckets), uint32(s.buckets)
	}
	for name, n := range entries {
		m, ok := spec.Maps[name]
		if !ok {
			return noMap(name)
		}
		m.MaxEntries = uint32(n)
	}
	for name, v := range constants {
		if err := setConstant(spec, name, v); err != nil {
			return err
		}
	}
	return nil
}
