// Package bpfflow is the user-space side of the flow table in bpf/table.h. It sizes, loads and
// reads the table.
//
// The table has two epochs, and programs count in one of them. [Table.Collect] switches them to
// the other epoch and waits until no program uses the first one. It then reads and clears the
// first epoch through a memory mapping, while programs count in the other.
package bpfflow

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/rlimit"
	"golang.org/x/sys/unix"

	"github.com/pktstat/pktstat/internal/count/handshake"
)

// Options of a table.
type Options struct {
	// MaxFlows is the number of flows that half of a CPU's shard holds: as many for IPv4 as for
	// all others. CPUs that are offline have smaller shards.
	MaxFlows int
	// NoFrames: the hook sees no frames, and FrameBytes are 0.
	NoFrames bool
	// Constants are values of constants in the programs, besides the table's own.
	Constants map[string]any

	Now    func() time.Time
	Debugf func(format string, args ...any) // one line for --debug; may be nil
}

// Table is a loaded collection of programs with its flow table.
//
// Collect and Close must not run concurrently.
type Table struct {
	// Programs are the collection's programs by name. Close closes them.
	Programs map[string]*ebpf.Program
	// Variables are the collection's variables by name. They are valid until Close.
	Variables map[string]*ebpf.Variable

	opts   Options
	coll   *ebpf.Collection
	size   size
	seq    *sequencer
	maps   mappings
	filled *gauge

	segments   []segment // of the last Collect
	handshakes handshake.Tracker
	skipped    uint64        // segments that are not in segments
	lost       atomic.Uint64 // segments of handshakes that were not followed, until the last Collect

	evictions, folds uint64
	decrypted        atomic.Uint64 // IPsec packets that were not counted again, until the last Collect
}

// mappings are the arrays that programs and user space share.
type mappings struct {
	sides      []side
	handshakes []segment // maxSegments for each side
	awaited    *uint32   // the programs set it to 1 when a handshake begins

	// Of objects with bpf/flows.h, else empty.
	flows4      []slot4
	flowsWide   []slotWide
	touched4    []uint64
	touchedWide []uint64
	ifaces      []iface // maxIfaces for each side

	// Of objects with bpf/slot_socket.h, else empty.
	flowsSocket   []slotSocket
	touchedSocket []uint64

	// Of objects with bpf/ipsec.h, else nil. The programs add to it.
	decrypted *uint64

	unmap []func() error
}

// Load sizes and loads the table and the programs of spec, which must include bpf/flows.h or
// bpf/slot_socket.h.
func Load(spec *ebpf.CollectionSpec, opts Options) (*Table, error) {
	if opts.Debugf == nil {
		opts.Debugf = func(string, ...any) {}
	}
	// Since 5.11 the memory cgroup accounts for BPF memory. Before, creating a map returns EPERM
	// if the limit is too low and cannot be raised.
	if err := rlimit.RemoveMemlock(); err != nil {
		opts.Debugf("memlock limit not raised: %v", err)
	}
	_, sockets := spec.Maps["flows_socket"]
	sz, err := sizeFor(opts.MaxFlows, sockets)
	if err != nil {
		return nil, err
	}
	for {
		t, err := load(spec.Copy(), sz, opts)
		if err == nil {
			opts.Debugf("flow table: %v", sz)
			return t, nil
		}
		if !errors.Is(err, unix.ENOMEM) || !sz.halve() {
			return nil, err
		}
		opts.Debugf("flow table: no memory, trying again with half of it")
	}
}

func load(spec *ebpf.CollectionSpec, sz size, opts Options) (_ *Table, err error) {
	t := &Table{opts: opts, size: sz}
	defer func() {
		if err != nil {
			err = errors.Join(err, t.Close())
		}
	}()
	if err := sz.apply(spec); err != nil {
		return nil, err
	}
	for name, v := range opts.Constants {
		if err := setConstant(spec, name, v); err != nil {
			return nil, err
		}
	}
	if t.coll, err = ebpf.NewCollection(spec); err != nil {
		return nil, fmt.Errorf("load programs: %w", err)
	}
	t.Programs, t.Variables = t.coll.Programs, t.coll.Variables
	if err := t.mmap(spec); err != nil {
		return nil, err
	}
	t.filled = watch(t.maps.sides, t.seq.active, sz)
	return t, nil
}

func (t *Table) mmap(spec *ebpf.CollectionSpec) (err error) {
	m := &t.maps
	if m.sides, err = mapped[side](m, t.coll, "sides"); err != nil {
		return err
	}
	if m.handshakes, err = mapped[segment](m, t.coll, "handshakes"); err != nil {
		return err
	}
	if t.size.sockets {
		err = m.mapSockets(t.coll)
	} else {
		err = m.mapFlows(t.coll)
	}
	if err != nil {
		return err
	}
	bss, err := mapped[byte](m, t.coll, ".bss")
	if err != nil {
		return err
	}
	epoch, ok := spec.Variables["epoch"]
	if !ok {
		return errors.New("the object has no variable epoch: it does not include bpf/table.h")
	}
	if v, ok := spec.Variables["decrypted"]; ok {
		m.decrypted = (*uint64)(unsafe.Pointer(&bss[v.Offset]))
	}
	const awaitedAt = 8 // of epoch
	m.awaited = (*uint32)(unsafe.Pointer(&bss[epoch.Offset+awaitedAt]))
	t.seq, err = newSequencer((*uint32)(unsafe.Pointer(&bss[epoch.Offset])))
	return err
}

// mapFlows maps the arrays of bpf/flows.h.
func (m *mappings) mapFlows(coll *ebpf.Collection) (err error) {
	if m.flows4, err = mapped[slot4](m, coll, "flows4"); err != nil {
		return err
	}
	if m.flowsWide, err = mapped[slotWide](m, coll, "flows_wide"); err != nil {
		return err
	}
	if m.touched4, err = mapped[uint64](m, coll, "touched4"); err != nil {
		return err
	}
	if m.touchedWide, err = mapped[uint64](m, coll, "touched_wide"); err != nil {
		return err
	}
	m.ifaces, err = mapped[iface](m, coll, "ifaces")
	return err
}

// mapSockets maps the arrays of bpf/slot_socket.h.
func (m *mappings) mapSockets(coll *ebpf.Collection) (err error) {
	if m.flowsSocket, err = mapped[slotSocket](m, coll, "flows_socket"); err != nil {
		return err
	}
	m.touchedSocket, err = mapped[uint64](m, coll, "touched_socket")
	return err
}

// mapped maps an array whose values are a T or an array of T.
func mapped[T any](m *mappings, coll *ebpf.Collection, name string) ([]T, error) {
	array, ok := coll.Maps[name]
	if !ok {
		return nil, noMap(name)
	}
	n := int(array.ValueSize()) * int(array.MaxEntries())
	// ebpf.Map.Memory cannot map more than 4 GiB.
	mem, err := unix.Mmap(array.FD(), 0, n, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("mmap %s, %d bytes: %w", name, n, err)
	}
	m.unmap = append(m.unmap, func() error { return unix.Munmap(mem) })
	var zero T
	return unsafe.Slice((*T)(unsafe.Pointer(&mem[0])), n/int(unsafe.Sizeof(zero))), nil
}

func noMap(name string) error {
	return fmt.Errorf("the object has no map %s: it includes neither bpf/flows.h nor bpf/slot_socket.h", name)
}

// Wake returns a channel that gets a value when a shard is half full.
func (t *Table) Wake() <-chan struct{} { return t.filled.wake }

// Decrypted returns the number of IPsec packets that passed a hook again after decryption, until
// the last Collect. They count once.
func (t *Table) Decrypted() uint64 { return t.decrypted.Load() }

// Notes are notes on what the table had no room for, until the last Collect.
func (t *Table) Notes() []string { return handshake.Note(t.lost.Load()) }

// Close frees the table and its programs. Counters since the last Collect are lost. It may be
// called twice.
func (t *Table) Close() error {
	if t.filled != nil {
		t.filled.stop()
		t.filled = nil
		t.opts.Debugf("flow table: %d flows lost their slot to another one, %d slots folded before a counter could overflow",
			t.evictions, t.folds)
	}
	var errs []error
	for _, unmap := range t.maps.unmap {
		errs = append(errs, unmap())
	}
	t.maps = mappings{}
	if t.seq != nil {
		errs = append(errs, t.seq.close())
		t.seq = nil
	}
	if t.coll != nil {
		t.coll.Close()
		t.coll = nil
	}
	return errors.Join(errs...)
}

func setConstant(spec *ebpf.CollectionSpec, name string, v any) error {
	c, ok := spec.Variables[name]
	if !ok {
		return fmt.Errorf("the object has no constant %s", name)
	}
	if err := c.Set(v); err != nil {
		return fmt.Errorf("set constant %s: %w", name, err)
	}
	return nil
}

// hashKey returns the random numbers that select buckets.
func hashKey() (key [17]uint64) {
	var b [8 * len(key)]byte
	rand.Read(b[:]) // never fails
	for i := range key {
		key[i] = binary.NativeEndian.Uint64(b[8*i:])
	}
	return key
}
