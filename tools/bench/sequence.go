package bench

import (
	"fmt"
	"math"
	"math/rand/v2"
	"unsafe"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

// sequence is the order of packets' flows, in a map that all drivers share.
type sequence struct {
	m    *ebpf.Map
	len  int // a power of two
	mem  []byte
	flow []uint32 // mem, as the programs see it
}

// newSequence makes a sequence of n flow numbers, all 0. n must be a power of two.
func newSequence(n int) (*sequence, error) {
	// Type and flags must match sequence in bpf/driver.bpf.c.
	m, err := ebpf.NewMap(&ebpf.MapSpec{
		Name: "sequence", Type: ebpf.Array, KeySize: 4, ValueSize: 4,
		MaxEntries: uint32(n), Flags: unix.BPF_F_MMAPABLE,
	})
	if err != nil {
		return nil, fmt.Errorf("create the sequence of flows: %w", err)
	}
	// An element of an array map takes at least 8 bytes.
	mem, err := unix.Mmap(m.FD(), 0, 8*n, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		_ = m.Close()
		return nil, fmt.Errorf("map the sequence of flows: %w", err)
	}
	return &sequence{m: m, len: n, mem: mem, flow: unsafe.Slice((*uint32)(unsafe.Pointer(&mem[0])), 2*n)}, nil
}

func (s *sequence) close() error {
	if s.mem == nil {
		return nil
	}
	err := unix.Munmap(s.mem)
	s.mem, s.flow = nil, nil
	if cerr := s.m.Close(); err == nil {
		err = cerr
	}
	return err
}

func (s *sequence) set(i int, flow uint32) { s.flow[2*i] = flow }

// uniform fills the sequence with rounds of all flows, each in a random order. flows must be a
// power of two, and at most the sequence's length.
func (s *sequence) uniform(flows int, rnd *rand.Rand) {
	order := make([]uint32, flows)
	for i := range order {
		order[i] = uint32(i)
	}
	for start := 0; start < s.len; start += flows {
		rnd.Shuffle(flows, func(i, j int) { order[i], order[j] = order[j], order[i] })
		for i, f := range order {
			s.set(start+i, f)
		}
	}
}

// zipfExponent is s in P(k) ~ k^-s. Flow sizes are usually modelled with 1.
const zipfExponent = 1.0

// zipf fills the sequence so that flow k's share of packets falls with its rank.
func (s *sequence) zipf(flows int, rnd *rand.Rand) {
	cumulated := make([]float64, flows)
	sum := 0.0
	for k := range cumulated {
		sum += math.Pow(float64(k+1), -zipfExponent)
		cumulated[k] = sum
	}
	for i := range s.len {
		s.set(i, uint32(searchFloat(cumulated, rnd.Float64()*sum)))
	}
}

// searchFloat returns the index of the first value above x, at most the last index.
func searchFloat(sorted []float64, x float64) int {
	lo, hi := 0, len(sorted)-1
	for lo < hi {
		mid := (lo + hi) / 2
		if sorted[mid] > x {
			hi = mid
		} else {
			lo = mid + 1
		}
	}
	return lo
}
