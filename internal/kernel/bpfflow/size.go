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

	smallShards  int // CPUs after them that have a small one, in case they come online
	smallBuckets int // as buckets
}

func sizeFor(maxFlows int, sockets bool) (size, error) {
	if maxFlows <= 0 {
		return size{}, fmt.Errorf("a flow table for %d flows", maxFlows)
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

// cpuCounts returns how many CPUs there are up to the last one that is online, and how
// many could be online: a machine to which CPUs can be added has often many more.
func cpuCounts() (online, possible int, err error) {
	possible, err = ebpf.PossibleCPU()
	if err != nil {
		return 0, 0, fmt.Errorf("count the CPUs: %w", err)
	}
	b, err := os.ReadFile("/sys/devices/system/cpu/online")
	if err != nil {
		return possible, possible, nil // no sysfs in here
	}
	list := strings.TrimSpace(string(b))
	last, err := strconv.Atoi(list[strings.LastIndexAny(list, ",-")+1:])
	if err != nil {
		return 0, 0, fmt.Errorf("count the CPUs: online are %q: %w", list, err)
	}
	return min(last+1, possible), possible, nil
}

// setBuckets sets the size of shards. All small shards together take at most as much
// memory as one of the others, unless they are as small as they get.
func (s *size) setBuckets(buckets int) {
	s.buckets, s.smallBuckets = buckets, minBuckets
	for 2*s.smallBuckets*s.smallShards <= buckets && s.smallBuckets < buckets {
		s.smallBuckets *= 2
	}
}

// halve makes the table half as large; the small shards go last. It returns false if the
// table is as small as it gets.
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

// cpus is how many have a shard of either size.
func (s size) cpus() int { return s.shards + s.smallShards }

// part returns where the buckets of a CPU's shard are, as count_in() in bpf/table.h does.
func (s size) part(cpu, epoch int) part {
	if cpu < s.shards {
		return part{(2*cpu + epoch) * s.buckets, s.buckets}
	}
	return part{2*s.shards*s.buckets + (2*(cpu-s.shards)+epoch)*s.smallBuckets, s.smallBuckets}
}

// allBuckets of each kind, of all shards and both epochs.
func (s size) allBuckets() int { return 2 * (s.shards*s.buckets + s.smallShards*s.smallBuckets) }

// slots of each kind, per shard and epoch.
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
	entries := map[string]int{"sides": 2 * s.cpus()}
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
