package bpfflow

import (
	"fmt"
	"path/filepath"
	"testing"
	"unsafe"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"

	"github.com/pktstat/pktstat/flow"
)

// objects returns every committed object with a flow table. Its slots are those in bpf/flows.h or
// bpf/slot_socket.h.
func objects(t *testing.T) map[string]*ebpf.CollectionSpec {
	t.Helper()
	files, err := filepath.Glob("../../../backends/*/*_bpfel.o")
	if err != nil {
		t.Fatal(err)
	}
	specs := map[string]*ebpf.CollectionSpec{}
	for _, f := range files {
		spec, err := ebpf.LoadCollectionSpec(f)
		if err != nil {
			t.Fatalf("%s: %v", f, err)
		}
		if _, ok := spec.Maps["sides"]; ok {
			specs[filepath.Base(f)] = spec
		}
	}
	if len(specs) == 0 {
		t.Fatal("found no object with a flow table")
	}
	return specs
}

// TestLayout compares the structures of bpf/flow.h, read from the objects' BTF, with the Go
// types.
func TestLayout(t *testing.T) {
	for name, spec := range objects(t) {
		t.Run(name, func(t *testing.T) {
			if _, ok := spec.Maps["flows_socket"]; ok {
				t.Run("slot_socket", func(t *testing.T) { testSocket(t, spec) })
				for _, m := range []string{"flows4", "flows_wide", "touched4", "touched_wide"} {
					if spec.Maps[m] != nil {
						t.Errorf("the object has the map %s, which it does not use", m)
					}
				}
			} else {
				testFlows(t, spec)
			}
			t.Run("side", func(t *testing.T) {
				var s side
				f := fields(t, spec, "sides", "", "side", 1, unsafe.Sizeof(s))
				f.sums(t, "table_full", unsafe.Offsetof(s.TableFull))
				f.sums(t, "interrupted", unsafe.Offsetof(s.Interrupted))
				f.sums(t, "no_shard", unsafe.Offsetof(s.NoShard))
				f.at(t, "lost.packets", unsafe.Offsetof(s.Lost)+unsafe.Offsetof(s.Lost.Packets), 8)
				f.at(t, "lost.bytes", unsafe.Offsetof(s.Lost)+unsafe.Offsetof(s.Lost.Bytes), 8)
				f.at(t, "inserts", unsafe.Offsetof(s.Inserts), 8)
				f.at(t, "evictions", unsafe.Offsetof(s.Evictions), 8)
				f.at(t, "folds", unsafe.Offsetof(s.Folds), 8)
				f.at(t, "handshakes", unsafe.Offsetof(s.Handshakes), 4)
				f.at(t, "skipped", unsafe.Offsetof(s.Skipped), 4)
				f.at(t, "resets", unsafe.Offsetof(s.Resets), 8)
			})
			t.Run("handshake", func(t *testing.T) {
				var s segment
				f := fields(t, spec, "handshakes", "", "handshake", 1, unsafe.Sizeof(s))
				f.at(t, "key", unsafe.Offsetof(s.Key), unsafe.Sizeof(s.Key))
				f.at(t, "time", unsafe.Offsetof(s.Time), 8)
				f.at(t, "tcp_flags", unsafe.Offsetof(s.TCPFlags), 4)
				f.at(t, "words", unsafe.Offsetof(s.Words), 4)
			})
			if v := spec.Variables["hash_key"]; v == nil || uintptr(v.Size()) != 8*13 {
				t.Errorf("hash_key is %v", v)
			}
		})
	}
}

func testFlows(t *testing.T, spec *ebpf.CollectionSpec) {
	t.Run("slot4", func(t *testing.T) {
		var s slot4
		f := fields(t, spec, "flows4", "slot", "slot4", bucketSlots, unsafe.Sizeof(s))
		f.at(t, "key.meta", unsafe.Offsetof(s.Meta), unsafe.Sizeof(s.Meta))
		f.at(t, "key.l4", unsafe.Offsetof(s.L4), unsafe.Sizeof(s.L4))
		f.at(t, "key.saddr", unsafe.Offsetof(s.Addrs), 4)
		f.at(t, "key.daddr", unsafe.Offsetof(s.Addrs)+4, 4)
		f.at(t, "counts.packets_overhead", unsafe.Offsetof(s.Counts), 8)
		f.at(t, "counts.bytes_flags", unsafe.Offsetof(s.Counts)+unsafe.Offsetof(s.Counts.BytesFlags), 8)
	})
	t.Run("slot_wide", func(t *testing.T) {
		var s slotWide
		f := fields(t, spec, "flows_wide", "slot", "slot_wide", bucketSlots, unsafe.Sizeof(s))
		f.at(t, "key.meta", unsafe.Offsetof(s.Meta), unsafe.Sizeof(s.Meta))
		f.at(t, "key.l4", unsafe.Offsetof(s.L4), unsafe.Sizeof(s.L4))
		f.at(t, "key.src", unsafe.Offsetof(s.Addrs), 16)
		f.at(t, "key.dst", unsafe.Offsetof(s.Addrs)+16, 16)
		f.at(t, "key.ifindex", unsafe.Offsetof(s.Ifindex), unsafe.Sizeof(s.Ifindex))
		f.at(t, "key.netns", unsafe.Offsetof(s.NetNS), unsafe.Sizeof(s.NetNS))
		f.at(t, "counts.packets_overhead", unsafe.Offsetof(s.Counts), 8)
		f.at(t, "counts.bytes_flags", unsafe.Offsetof(s.Counts)+unsafe.Offsetof(s.Counts.BytesFlags), 8)
	})
	t.Run("iface", func(t *testing.T) {
		var s iface
		f := fields(t, spec, "ifaces", "of", "iface", maxIfaces, unsafe.Sizeof(s))
		f.at(t, "ifindex", unsafe.Offsetof(s.Ifindex), 4)
		f.at(t, "direction", unsafe.Offsetof(s.Direction), 4)
		f.at(t, "merged_packets", unsafe.Offsetof(s.MergedPackets), 8)
		f.at(t, "merged_bytes", unsafe.Offsetof(s.MergedBytes), 8)
		f.at(t, "full_packets", unsafe.Offsetof(s.FullPackets), 8)
		f.at(t, "full_bytes", unsafe.Offsetof(s.FullBytes), 8)
	})
	for _, m := range []string{"touched4", "touched_wide"} {
		if got := spec.Maps[m].ValueSize; got != 8 {
			t.Errorf("%s has values of %d bytes", m, got)
		}
	}
}

func testSocket(t *testing.T, spec *ebpf.CollectionSpec) {
	var s slotSocket
	f := fields(t, spec, "flows_socket", "slot", "slot_socket", bucketSlots, unsafe.Sizeof(s))
	f.at(t, "key.flow", unsafe.Offsetof(s.keyWide), unsafe.Sizeof(s.keyWide))
	f.at(t, "key.flow.netns", unsafe.Offsetof(s.NetNS), unsafe.Sizeof(s.NetNS))
	f.at(t, "key.cgroup", unsafe.Offsetof(s.Cgroup), unsafe.Sizeof(s.Cgroup))
	f.at(t, "key.socket", unsafe.Offsetof(s.Socket), unsafe.Sizeof(s.Socket))
	f.at(t, "counts.packets_overhead", unsafe.Offsetof(s.Counts), 8)
	f.at(t, "counts.bytes_flags", unsafe.Offsetof(s.Counts)+unsafe.Offsetof(s.Counts.BytesFlags), 8)
	if got := spec.Maps["touched_socket"].ValueSize; got != 8 {
		t.Errorf("touched_socket has values of %d bytes", got)
	}
	if v := spec.Variables["hash_socket"]; v == nil || v.Size() != 32 {
		t.Errorf("hash_socket is %v", v)
	}
}

// place is the position of a member.
type place struct{ offset, size uintptr }

type members map[string]place

// fields returns the members of the elements of a map's values.
func fields(t *testing.T, spec *ebpf.CollectionSpec, mapName, array, name string, n int, size uintptr) members {
	t.Helper()
	m := spec.Maps[mapName]
	if got := uintptr(m.ValueSize); got != size*uintptr(n) {
		t.Fatalf("values of %s have %d bytes, in Go %d", mapName, got, size*uintptr(n))
	}
	typ := m.Value
	if array != "" {
		s, ok := btf.UnderlyingType(typ).(*btf.Struct)
		if !ok || len(s.Members) != 1 || s.Members[0].Name != array {
			t.Fatalf("values of %s are %v", mapName, typ)
		}
		a, ok := btf.UnderlyingType(s.Members[0].Type).(*btf.Array)
		if !ok || a.Nelems != uint32(n) {
			t.Fatalf("values of %s are %v", mapName, s.Members[0].Type)
		}
		typ = a.Type
	}
	if typ.TypeName() != name {
		t.Fatalf("values of %s consist of %v, not of %s", mapName, typ, name)
	}
	f := members{}
	if err := f.collect("", 0, typ); err != nil {
		t.Fatal(err)
	}
	return f
}

// collect adds the members of a structure, including the members of anonymous structures.
func (f members) collect(prefix string, at uintptr, typ btf.Type) error {
	var list []btf.Member
	switch u := btf.UnderlyingType(typ).(type) {
	case *btf.Struct:
		list = u.Members
	case *btf.Union:
		list = u.Members
	default:
		return nil
	}
	for _, m := range list {
		size, err := btf.Sizeof(m.Type)
		if err != nil {
			return fmt.Errorf("%s%s: %w", prefix, m.Name, err)
		}
		offset, inner := at+uintptr(m.Offset.Bytes()), prefix
		if m.Name != "" {
			f[prefix+m.Name] = place{offset, uintptr(size)}
			inner += m.Name + "."
		}
		if err := f.collect(inner, offset, m.Type); err != nil {
			return err
		}
	}
	return nil
}

func (f members) at(t *testing.T, name string, offset, size uintptr) {
	t.Helper()
	if got, want := f[name], (place{offset, size}); got != want {
		t.Errorf("%s is at %d with %d bytes, in Go at %d with %d", name, got.offset, got.size, want.offset, want.size)
	}
}

func (f members) sums(t *testing.T, name string, offset uintptr) {
	t.Helper()
	var c flow.Counters
	f.at(t, name, offset, unsafe.Sizeof(c))
	f.at(t, name+".packets", offset+unsafe.Offsetof(c.Packets), 8)
	f.at(t, name+".bytes", offset+unsafe.Offsetof(c.Bytes), 8)
	f.at(t, name+".frame_bytes", offset+unsafe.Offsetof(c.FrameBytes), 8)
}
