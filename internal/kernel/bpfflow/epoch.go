package bpfflow

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/cilium/ebpf"
)

// sequencer switches programs between the two epochs. It orders every access to the
// table, also on processors that reorder more than amd64 does, such as arm64:
//
//   - User space clears an epoch before it makes programs take it: atomic.StoreUint32 is a
//     release. The address of each slot and side depends on the program's load of active. So a
//     program that loads the new value finds them clear, without a barrier.
//   - User space reads an epoch after a grace period of RCU. Each CPU passes a full barrier
//     between the end of the programs that it ran and the end of that period
//     (Documentation/RCU/Design/Requirements, "Memory-Barrier Guarantees"). So Collect finds
//     what they wrote, with plain loads.
//   - One CPU writes to a shard, in program order. The sums that several CPUs add to are
//     atomic, and nothing reads them before the grace period.
type sequencer struct {
	active *uint32 // shared with the programs

	// Putting a map into an array of maps waits until every running program has ended. Any of
	// them may have seen the previous map (maybe_wait_bpf_programs in kernel/bpf/syscall.c).
	outer, inner *ebpf.Map
}

func newSequencer(active *uint32) (*sequencer, error) {
	inner := &ebpf.MapSpec{Type: ebpf.Array, KeySize: 4, ValueSize: 4, MaxEntries: 1}
	outer := &ebpf.MapSpec{Type: ebpf.ArrayOfMaps, KeySize: 4, ValueSize: 4, MaxEntries: 1, InnerMap: inner}
	s := &sequencer{active: active}
	var err error
	if s.inner, err = ebpf.NewMap(inner); err != nil {
		return nil, fmt.Errorf("create map: %w", err)
	}
	if s.outer, err = ebpf.NewMap(outer); err != nil {
		return nil, errors.Join(fmt.Errorf("create map of maps: %w", err), s.inner.Close())
	}
	return s, nil
}

// flip makes programs count in the other epoch. It returns the previous epoch and the time of the
// switch. It waits for an RCU grace period: usually 1 to 15 ms. Packets meanwhile count in the
// other epoch.
func (s *sequencer) flip(now func() time.Time) (epoch int, at time.Time, err error) {
	old := atomic.LoadUint32(s.active) & 1
	atomic.StoreUint32(s.active, old^1) // a release, see sequencer
	at = now()
	if err := s.outer.Put(uint32(0), s.inner); err != nil {
		// Programs may still write to the old epoch. It stays unread until a later flip returns
		// it.
		return 0, at, fmt.Errorf("wait for running programs: %w", err)
	}
	return int(old), at, nil
}

func (s *sequencer) close() error {
	return errors.Join(s.outer.Close(), s.inner.Close())
}
