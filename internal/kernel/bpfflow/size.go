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
	// minBuckets is the number of buckets for one word of a touched map.
	minBuckets = 64
	maxBuckets = 1 << 28

	// All shards together use at most 1/memoryShare of the machine's memory. Beyond that, a shard
	// holds fewer than MaxFlows flows. A machine with so many CPUs sees only a part of the flows
	// on each.
	memoryShare = 8
)

// size is the size of a table.
type size struct {
	shards  int  // number of CPUs with a full shard
	buckets int  // per kind, shard and epoch: a power of two
	sockets bool // all slots are from bpf/slot_socket.h, else from bpf/flows.h

	smallShards  int // number of further CPUs, with a small shard in case they come online
	smallBuckets int // as buckets, for a small shard
}

func sizeFor(maxFlows int, sockets bool) (size, error) {
	if maxFlows <= 0 {
		return size{}, fmt.Errorf("cannot make a flow table for %d flows", maxFlows)
	}
	shards, possible, err := cpuCounts()
	if err != nil {
		return size{}, err
	}
	buckets := (2*maxFlows + bucketSlots - 1) / bucketSlots
	s := size{shards: shards, sockets: sockets, smallShards: possible - shards}
	s.setBuckets(1 << bits.Len(uint(min(max(buckets, minBuckets), maxBuckets)-1)))
	var info unix.Sysinfo_t
	if err := unix.Sysinfo(&info); err != nil {
		return size{}, fmt.Errorf("read the size of the memory: %w", err)
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

// cpuCounts returns the number of CPUs up to the last one online, and the number of possible
// CPUs. A machine with hot-plugged CPUs often has many more possible ones.
func cpuCounts() (online, possible int, err error) {
	possible, err = ebpf.PossibleCPU()
	if err != nil {
		return 0, 0, fmt.Errorf("count the CPUs: %w", err)
	}
	b, err := os.ReadFile("/sys/devices/system/cpu/online")
	if err != nil {
		return possible, possible, nil // sysfs is not mounted
	}
	list := strings.TrimSpace(string(b))
	last, err := strconv.Atoi(list[strings.LastIndexAny(list, ",-")+1:])
	if err != nil {
		return 0, 0, fmt.Errorf("count the CPUs: online are %q: %w", list, err)
	}
	return min(last+1, possible), possible, nil
}

// setBuckets sets the size of the shards. All small shards together use at most the memory of one
// full shard, unless they have the minimum size.
func (s *size) setBuckets(buckets int) {
	s.buckets, s.smallBuckets = buckets, minBuckets
	for 2*s.smallBuckets*s.smallShards <= buckets && s.smallBuckets < buckets {
		s.smallBuckets *= 2
	}
}

// halve halves the table, and at the end drops the small shards. It returns false if the table
// cannot get smaller.
func (s *size) halve() bool {
	switch {
	case s.buckets > minBuckets:
		s.setBuckets(s.buckets / 2)
	case s.smallShards > 0:
		s.smallShards = 0
	default:
		return false
	}
	return true
}

// cpus returns the number of CPUs with a shard of either size.
func (s size) cpus() int { return s.shards + s.smallShards }

// part returns the buckets of a CPU's shard, as count_in() in bpf/table.h does.
func (s size) part(cpu, epoch int) part {
	if cpu < s.shards {
		return part{(2*cpu + epoch) * s.buckets, s.buckets}
	}
	return part{2*s.shards*s.buckets + (2*(cpu-s.shards)+epoch)*s.smallBuckets, s.smallBuckets}
}

// allBuckets returns the number of buckets of each kind, over all shards and both epochs.
func (s size) allBuckets() int { return 2 * (s.shards*s.buckets + s.smallShards*s.smallBuckets) }

// slots returns the number of slots of each kind, per full shard and epoch.
func (s size) slots() int { return s.buckets * bucketSlots }

func (s size) bytes() uint64 {
	slots := uint64(unsafe.Sizeof(slot4{}) + unsafe.Sizeof(slotWide{}))
	if s.sockets {
		slots = uint64(unsafe.Sizeof(slotSocket{}))
	}
	return uint64(s.allBuckets()) * bucketSlots * slots
}

func (s size) String() string {
	kinds, small := "", ""
	if !s.sockets {
		kinds = " for IPv4 and as many for the rest"
	}
	if s.smallShards > 0 {
		small = fmt.Sprintf(", %d of %d for CPUs that are offline", s.smallShards, s.smallBuckets*bucketSlots)
	}
	return fmt.Sprintf("%d shards of two times %d slots%s%s, %.1f MB", s.shards, s.slots(), kinds, small, float64(s.bytes())/1e6)
}

// apply sets the sizes of the maps and the constants of the programs.
func (s size) apply(spec *ebpf.CollectionSpec) error {
	flows, touched := s.allBuckets(), s.allBuckets()/minBuckets
	entries := map[string]int{"sides": 2 * s.cpus(), "handshakes": 2 * s.cpus() * maxSegments}
	key := hashKey()
	constants := map[string]any{
		"shards":        uint32(s.shards),
		"small_shards":  uint32(s.smallShards),
		"small_buckets": uint32(s.smallBuckets),
		"hash_key":      [13]uint64(key[:13]),
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
		entries["ifaces"] = entries["sides"]
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
