package tc

import (
	"encoding/binary"
	"fmt"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/vishvananda/netlink"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/kernel/bpfflow"
	"github.com/pktstat/pktstat/internal/test/testenv"
	"github.com/pktstat/pktstat/internal/test/testnet"
)

// links collects, and returns the parts of interfaces and directions, and the overflow.
func links(t *testing.T, table *bpfflow.Table) (parts []flow.LinkPart, overflow flow.Counters) {
	t.Helper()
	b := flow.NewBatch(flow.BatchHooks{Records: func([]flow.Record) error { return nil }})
	if err := table.Collect(b); err != nil {
		t.Fatal(err)
	}
	if err := b.Flush(); err != nil {
		t.Fatal(err)
	}
	return b.Links, b.Overflow.Total()
}

// sumOf adds up the parts of an interface and a direction.
func sumOf(parts []flow.LinkPart, index uint32, dir flow.Direction) (merged, overflow flow.Counters) {
	for _, p := range parts {
		if p.Ifindex == index && p.Dir == dir {
			merged.Add(p.Merged)
			overflow.Add(p.Overflow)
		}
	}
	return merged, overflow
}

// TestMerged: the table knows what the segments of super-frames add, by interface and direction.
// Each Collect clears it.
func TestMerged(t *testing.T) {
	testenv.Privileged(t)
	table := loadTable(t, bpfflow.Options{MaxFlows: 1})
	const headers = 14 + 20 + 8
	for range 2 {
		for _, dir := range []flow.Direction{flow.Ingress, flow.Egress} {
			prog := table.Programs["tc_"+dir.String()]
			for range 3 {
				run(t, prog, udp4(1000), skbContext{})
				run(t, prog, udp4(1000), skbContext{segments: uint32(10 * dir), segmentSize: 100})
			}
		}
		parts, _ := links(t, table)
		for _, dir := range []flow.Direction{flow.Ingress, flow.Egress} {
			more := 3 * (10*uint64(dir) - 1)
			merged, overflow := sumOf(parts, 1, dir)
			if want := (flow.Counters{Packets: more, FrameBytes: more * headers}); merged != want || !overflow.IsZero() {
				t.Errorf("%v: merged %+v, want %+v; overflow %+v", dir, merged, want, overflow)
			}
		}
	}
}

// TestMergedOnMany: a CPU's table has room for a number of interfaces. The others have a sum.
func TestMergedOnMany(t *testing.T) {
	testenv.Privileged(t)
	table := loadTable(t, bpfflow.Options{MaxFlows: 1})
	h := testnet.NewHost(t)
	const pairs, segments = 40, 10
	indexes := map[uint32]bool{}
	inside(t, h, func() {
		for i := range pairs {
			l := &netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: fmt.Sprint("m", i)}, PeerName: fmt.Sprint("n", i)}
			must(t, netlink.LinkAdd(l))
		}
		all, err := netlink.LinkList()
		must(t, err)
		for _, l := range all {
			if l.Type() != "veth" {
				continue
			}
			indexes[uint32(l.Attrs().Index)] = true
			ctx := skbContext{segments: segments, segmentSize: 100}.bytes()
			binary.NativeEndian.PutUint32(ctx[40:], uint32(l.Attrs().Index))
			_, err := table.Programs["tc_ingress"].Run(&ebpf.RunOptions{Data: udp4(1000), Context: ctx})
			must(t, err)
		}
	})
	if len(indexes) != 2*pairs {
		t.Fatalf("%d interfaces", len(indexes))
	}
	parts, _ := links(t, table)
	var named, unnamed uint64
	for _, p := range parts {
		if p.Dir == flow.DirUnknown {
			unnamed += p.Merged.Packets
		} else if named += p.Merged.Packets; !indexes[p.Ifindex] || p.Merged.Packets != segments-1 {
			t.Errorf("%+v", p)
		}
	}
	if named+unnamed != 2*pairs*(segments-1) || named < pairs*(segments-1) {
		t.Errorf("%d of named interfaces, %d of others; want %d in all", named, unnamed, 2*pairs*(segments-1))
	}
}

// TestFullByInterface: what loses its slot is in the overflow of its interface.
func TestFullByInterface(t *testing.T) {
	testenv.Privileged(t)
	for name, frame := range map[string][]byte{"IPv4": udp4(60), "IPv6": udp6(80)} {
		t.Run(name, func(t *testing.T) {
			table := loadTable(t, bpfflow.Options{MaxFlows: 1})
			f := newFlood(t, table, "tc_ingress", frame, 1<<30)
			pinned := make(chan struct{})
			go func() {
				defer close(pinned)
				pin(t, 0)
				f.send(t, 0, 50_000, 1<<30)
			}()
			<-pinned
			parts, full := links(t, table)
			_, overflow := sumOf(parts, 1, flow.Ingress)
			if full.IsZero() || overflow.Packets != full.Packets || overflow.FrameBytes != full.FrameBytes {
				t.Errorf("of the interface %+v, in all %+v", overflow, full)
			}
		})
	}
}
