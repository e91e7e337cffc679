package bench

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"unsafe"

	"github.com/cilium/ebpf"
)

// batchSize is the number of elements that one call reads.
const batchSize = 4096

// flowMap reads a peer's flows.
type flowMap struct {
	m      *ebpf.Map
	layout layout
}

// entry is a flow in user space.
type entry struct {
	key            string
	packets, bytes uint64
}

// each calls f for every flow, with the sums over all CPUs.
func (f *flowMap) each(do func(key []byte, packets, bytes uint64)) error {
	size := int(f.m.ValueSize())
	return eachBatch(f.m, func(key, values []byte) {
		var packets, bytes uint64
		for ; len(values) > 0; values = values[size:] {
			packets += binary.NativeEndian.Uint64(values[f.layout.packets:])
			bytes += binary.NativeEndian.Uint64(values[f.layout.bytes:])
		}
		do(key, packets, bytes)
	})
}

func (f *flowMap) tally() (tally, error) {
	var t tally
	err := f.each(func(_ []byte, packets, bytes uint64) {
		t.packets += packets
		t.bytes += bytes
		t.flows = append(t.flows, packets)
	})
	return t, err
}

// read counts the flows.
func (f *flowMap) read() (int, error) {
	n := 0
	err := f.each(func([]byte, uint64, uint64) { n++ })
	return n, err
}

// peerReporter does what any tool with such maps must do. It reads all maps into user space and
// sorts the flows. It keeps nothing for the next report.
type peerReporter struct {
	flows  *flowMap
	others []*ebpf.Map
}

func (r peerReporter) close() error { return nil }

func (r peerReporter) report() (int, error) {
	for _, m := range r.others {
		known := map[string]string{}
		err := eachBatch(m, func(key, value []byte) { known[string(key)] = string(value) })
		if err != nil {
			return 0, err
		}
	}
	var entries []entry
	err := r.flows.each(func(key []byte, packets, bytes uint64) {
		entries = append(entries, entry{string(key), packets, bytes})
	})
	if err != nil {
		return 0, err
	}
	slices.SortFunc(entries, func(a, b entry) int {
		return cmp.Or(cmp.Compare(b.bytes, a.bytes), cmp.Compare(b.packets, a.packets), strings.Compare(a.key, b.key))
	})
	return len(entries), nil
}

// eachBatch calls f for every element, with the key and the values of all CPUs in a row. It reuses
// the slices.
func eachBatch(m *ebpf.Map, f func(key, values []byte)) error {
	b, err := newBatch(m)
	if err != nil {
		return err
	}
	var cursor ebpf.MapBatchCursor
	for {
		n, err := m.BatchLookup(&cursor, b.keys, b.values, nil)
		if err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
			return fmt.Errorf("read map %s: %w", m, err)
		}
		for i := range n {
			f(b.key(i), b.value(i))
		}
		if err != nil {
			return nil
		}
	}
}

// emptyMap deletes every element.
func emptyMap(m *ebpf.Map) error {
	b, err := newBatch(m)
	if err != nil {
		return err
	}
	var cursor ebpf.MapBatchCursor
	for {
		_, err := m.BatchLookupAndDelete(&cursor, b.keys, b.values, nil)
		if errors.Is(err, ebpf.ErrKeyNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// batch is memory for batchSize elements, as slices of byte arrays. The ebpf package reads into
// these without copying.
type batch struct {
	keys, values           any
	keyBytes, valueBytes   []byte
	keySize, valuesAllCPUs int
}

func newBatch(m *ebpf.Map) (*batch, error) {
	cpus := 1
	switch m.Type() {
	case ebpf.PerCPUHash, ebpf.LRUCPUHash:
		n, err := ebpf.PossibleCPU()
		if err != nil {
			return nil, err
		}
		cpus = n
	}
	b := &batch{keySize: int(m.KeySize()), valuesAllCPUs: cpus * int(m.ValueSize())}
	b.keys, b.keyBytes = arrays(batchSize, int(m.KeySize()))
	b.values, b.valueBytes = arrays(batchSize*cpus, int(m.ValueSize()))
	return b, nil
}

// arrays returns a [][size]byte of n elements, and its memory.
func arrays(n, size int) (any, []byte) {
	s := reflect.MakeSlice(reflect.SliceOf(reflect.ArrayOf(size, reflect.TypeFor[byte]())), n, n)
	return s.Interface(), unsafe.Slice((*byte)(s.UnsafePointer()), n*size)
}

func (b *batch) key(i int) []byte   { return b.keyBytes[i*b.keySize:][:b.keySize] }
func (b *batch) value(i int) []byte { return b.valueBytes[i*b.valuesAllCPUs:][:b.valuesAllCPUs] }
